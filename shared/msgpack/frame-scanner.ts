// Cuts a byte stream into whole msgpack values, without ever looking at a byte twice: what it knows of an unfinished
// value (counts of the open containers, bytes still to pass over) stays until the next piece comes. So a frame in a
// thousand pieces costs no more than a whole one, and a frame that lies in one piece is not copied.
//
// Guarantees: never throws for a peer's bytes; a frame is refused as soon as what is known of it cannot fit in the
// limit, before its bytes are buffered; what is buffered of an unfinished frame is bounded by the limit, however small
// its pieces.

import assert from 'node:assert/strict';
import {
  containerChildren,
  containerHeaderSize,
  DEPTH_MAX,
  FIXED_SIZE,
  isContainer,
  payloadHeaderSize,
  payloadSize,
} from './extents.ts';
import { BufferedPieces } from './buffered-pieces.ts';

/** All complete frames are out. */
export const NEED_MORE = 0;
/** The stream cannot be read on: 0xc1, or nesting too deep. */
export const FRAME_MALFORMED = 1;
/** The frame is longer than the limit, or says so. The stream cannot be read on, but by `takeUnread`. */
export const FRAME_TOO_LARGE = 2;
/** A frame of more than `keepBytesMax` came whole, and was let go as it came. */
export const FRAME_PASSED = 3;

export type ScanResult =
  Buffer | typeof NEED_MORE | typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE | typeof FRAME_PASSED;

export interface FrameScannerOptions {
  readonly frameBytesMax: number;
  /** Larger frames are passed over: only their end is looked for. Absent: none is. */
  readonly keepBytesMax?: number;
  readonly depthMax?: number;
}

const NONE = Buffer.alloc(0);

export class FrameScanner {
  readonly #depthMax: number;
  readonly #frameBytesMax: number;
  readonly #keepBytesMax: number;
  /** Counts of the values that are still to come in each open container around the present one. */
  readonly #stack: Float64Array;
  #depth = 0;
  #left = 1;
  /** Bytes of a payload that are still to be passed over. */
  #skip = 0;
  /** Header bytes of a value whose header is cut between pieces. */
  readonly #header = Buffer.alloc(5);
  #headerHeld = 0;

  #piece: Buffer = NONE;
  #at = 0;
  /** Where the unfinished frame begins in the present piece. */
  #frameStart = 0;
  /** The frame's bytes from pieces before. */
  readonly #held = new BufferedPieces();
  /** Bytes from pieces before that were let go, where the frame is larger than what is kept. */
  #passed = 0;
  #announced = 0;
  #deepest = 0;
  #broken: typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE | null = null;

  constructor(options: FrameScannerOptions) {
    this.#frameBytesMax = options.frameBytesMax;
    this.#keepBytesMax = options.keepBytesMax ?? options.frameBytesMax;
    this.#depthMax = options.depthMax ?? DEPTH_MAX;
    this.#stack = new Float64Array(this.#depthMax + 1);
  }

  /** Values that the containers seen so far say that they hold, keys included; of all frames together. */
  get announced(): number {
    return this.#announced;
  }

  /** Containers within each other at most, since the scanner was new. */
  get deepest(): number {
    return this.#deepest;
  }

  /** Bytes that are buffered: of the unfinished frame, and the piece that is not read to its end. */
  get heldBytes(): number {
    return this.#held.bytes + this.#piece.length;
  }

  /** All bytes that are buffered, of which no frame was made; the scanner is as new after it. */
  takeUnread(): Buffer[] {
    const unread = [...this.#held.take(), this.#piece.subarray(this.#frameStart)];
    this.#dropPiece();
    this.#depth = 0;
    this.#deepest = 0;
    this.#left = 1;
    this.#skip = 0;
    this.#headerHeld = 0;
    this.#passed = 0;
    this.#broken = null;
    return unread;
  }

  /** Adds the next piece of the stream. All frames of the piece before must be out: `next` said NEED_MORE. */
  push(piece: Buffer): void {
    if (this.#broken !== null) return;
    assert(this.#at === this.#piece.length, 'the piece before was not read to its end');
    this.#piece = piece;
    this.#at = 0;
    this.#frameStart = 0;
  }

  /**
   * The next complete frame, or why there is none. A frame is a view of the piece it came in if it came whole.
   * After FRAME_MALFORMED or FRAME_TOO_LARGE nothing else comes.
   */
  next(): ScanResult {
    if (this.#broken !== null) return this.#broken;
    if (this.#headerHeld > 0 && !this.#finishHeader()) return this.#pause();
    return this.#scan();
  }

  #scan(): ScanResult {
    const piece = this.#piece;
    const end = piece.length;
    let at = this.#at;
    for (;;) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, end - at);
        this.#skip -= passed;
        at += passed;
        if (this.#skip > 0) return this.#pauseAt(at);
      }
      while (this.#left === 0) {
        if (this.#depth === 0) return this.#frameEnd(at);
        this.#depth -= 1;
        this.#left = this.#stack[this.#depth] ?? 0;
      }
      if (at >= end) return this.#pauseAt(at);
      const type = piece[at] ?? 0;
      const size = FIXED_SIZE[type] ?? 0;
      if (size !== 0) {
        this.#left -= 1;
        if (at + size <= end) at += size;
        else this.#skip = size;
        continue;
      }
      if (type === 0xc1) return this.#break(FRAME_MALFORMED);
      const headerSize = isContainer(type) ? containerHeaderSize(type) : payloadHeaderSize(type);
      if (at + headerSize > end) {
        this.#headerHeld = piece.copy(this.#header, 0, at, end);
        return this.#pauseAt(end);
      }
      this.#at = at + headerSize;
      if (!this.#open(piece, at, type)) return this.#broken ?? NEED_MORE;
      at = this.#at;
    }
  }

  /** Takes in a whole header; false if it broke the stream. `#at` is behind it. */
  #open(bytes: Buffer, at: number, type: number): boolean {
    this.#left -= 1;
    let needed = 0;
    if (isContainer(type)) {
      if (this.#depth === this.#depthMax) return this.#fail(FRAME_MALFORMED);
      if (this.#depth >= this.#deepest) this.#deepest = this.#depth + 1;
      needed = containerChildren(bytes, at, type);
      this.#announced += needed;
      if (needed > 0) {
        this.#stack[this.#depth] = this.#left;
        this.#depth += 1;
        this.#left = needed;
      }
    } else {
      needed = payloadSize(bytes, at, type);
      this.#skip = needed;
    }
    // Each value that is announced takes a byte at least.
    const frameBytes = this.#passed + this.#held.bytes + (this.#at - this.#frameStart) + needed;
    return frameBytes <= this.#frameBytesMax || this.#fail(FRAME_TOO_LARGE);
  }

  /** Completes a header that was cut. False while it is still incomplete, or if it broke the stream. */
  #finishHeader(): boolean {
    const type = this.#header[0] ?? 0;
    const size = isContainer(type) ? containerHeaderSize(type) : payloadHeaderSize(type);
    while (this.#headerHeld < size && this.#at < this.#piece.length) {
      this.#header[this.#headerHeld] = this.#piece[this.#at] ?? 0;
      this.#headerHeld += 1;
      this.#at += 1;
    }
    if (this.#headerHeld < size) return false;
    this.#headerHeld = 0;
    return this.#open(this.#header, 0, type);
  }

  #frameEnd(at: number): ScanResult {
    this.#left = 1;
    this.#at = at;
    const tail = this.#piece.subarray(this.#frameStart, at);
    const frameBytes = this.#passed + this.#held.bytes + tail.length;
    if (frameBytes > this.#frameBytesMax) return this.#break(FRAME_TOO_LARGE);
    this.#frameStart = at;
    if (frameBytes > this.#keepBytesMax) {
      this.#held.clear();
      this.#passed = 0;
      return FRAME_PASSED;
    }
    return this.#held.bytes === 0 ? tail : this.#held.join(tail);
  }

  #pauseAt(at: number): ScanResult {
    this.#at = at;
    return this.#pause();
  }

  /** The piece is used up. What it has of an unfinished frame is buffered. */
  #pause(): ScanResult {
    if (this.#broken !== null) return this.#broken;
    const start = this.#frameStart;
    const size = this.#piece.length - start;
    if (size > 0) {
      const frameBytes = this.#passed + this.#held.bytes + size;
      if (frameBytes + this.#skip > this.#frameBytesMax) return this.#break(FRAME_TOO_LARGE);
      if (frameBytes <= this.#keepBytesMax) this.#held.hold(this.#piece, start);
      else {
        this.#held.clear();
        this.#passed = frameBytes;
      }
    }
    this.#dropPiece();
    return NEED_MORE;
  }

  #fail(why: typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE): false {
    this.#break(why);
    return false;
  }

  #break(why: typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE): ScanResult {
    this.#broken = why;
    if (why === FRAME_MALFORMED) {
      this.#held.clear();
      this.#dropPiece();
    }
    return why;
  }

  #dropPiece(): void {
    this.#piece = NONE;
    this.#at = 0;
    this.#frameStart = 0;
  }
}
