// The Forward protocol's JSON mode: a connection whose first byte is `{` or `[` carries JSON texts, one after another,
// with white space between them or without: ["tag", time, record, option?] or ["tag", [[time, record], …], option?]. A
// text becomes the msgpack frame that says the same; from there on, all goes as in msgpack.
//
// Guarantees: pure, never throws; no byte is looked at twice before its text is whole; a text past the limit, which is
// 512 KiB or less, is refused before its bytes are held.

import assert from 'node:assert/strict';
import { FRAME_MALFORMED, FRAME_TOO_LARGE, NEED_MORE, type ScanResult } from '#shared/msgpack/frame-scanner.ts';
import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import type { ForwardRefusal } from './forward-frame.ts';
import { jsonToMsgpack } from '#shared/json/json-to-msgpack.ts';
import { JSON_DEPTH_MAX } from '#shared/json/json-value.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NONE = Buffer.alloc(0);

/**
 * A text is converted in one go. Of numbers with exponents, the costliest, so many bytes take the event loop less than
 * 20 ms. Loggers that speak JSON send a message a text, of a few KiB.
 */
const TEXT_BYTES_MAX = 512 * 1024;

/** 1 for bytes that open a container, 2 for those that close one, 3 for a quote. */
const ROLE = new Uint8Array(256);
ROLE[0x5b] = ROLE[0x7b] = 1;
ROLE[0x5d] = ROLE[0x7d] = 2;
ROLE[QUOTE] = 3;

/** Whether a connection that begins with this byte speaks JSON. */
export function isJsonMode(firstByte: number): boolean {
  return ROLE[firstByte] === 1;
}

/** The msgpack frame that corresponds to `text`, or why there is none. */
export function jsonFrame(text: Buffer): Buffer | ForwardRefusal {
  const frame = jsonToMsgpack(text);
  if (Buffer.isBuffer(frame)) return frame;
  return { kind: 'malformed', why: `its JSON is wrong at byte ${frame.at}: ${frame.why}`, tag: null, chunk: null };
}

/** Cuts a stream into JSON arrays and objects, as FrameScanner does into msgpack values. */
export class JsonScanner {
  readonly #textBytesMax: number;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #piece: Buffer = NONE;
  #at = 0;
  /** Where the unfinished text begins in the present piece. */
  #textStart = 0;
  readonly #held = new BufferedPieces();
  #broken: typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE | null = null;

  constructor(options: { readonly frameBytesMax: number }) {
    this.#textBytesMax = Math.min(options.frameBytesMax, TEXT_BYTES_MAX);
  }

  /** Bytes that are held: of the unfinished text, and the piece that is not read to its end. */
  get heldBytes(): number {
    return this.#held.bytes + this.#piece.length;
  }

  /** Adds the next piece of the stream. All texts of the piece before must be out: `next` said NEED_MORE. */
  push(piece: Buffer): void {
    if (this.#broken !== null) return;
    assert(this.#at === this.#piece.length, 'the piece before was not read to its end');
    this.#piece = piece;
    this.#at = 0;
    this.#textStart = 0;
  }

  /** The next whole text, or why there is none. After FRAME_MALFORMED or FRAME_TOO_LARGE nothing else comes. */
  next(): ScanResult {
    if (this.#broken !== null) return this.#broken;
    if (this.#depth === 0 && !this.#startMessage()) return this.#broken ?? this.#pause();
    const piece = this.#piece;
    for (;;) {
      if (this.#inString) this.#passString();
      if (this.#at >= piece.length) return this.#pause();
      const role = ROLE[piece[this.#at] ?? 0] ?? 0;
      this.#at += 1;
      if (role === 0) continue;
      if (role === 3) this.#inString = true;
      else if (role === 1) this.#depth += 1;
      else this.#depth -= 1;
      if (this.#depth > JSON_DEPTH_MAX) return this.#break(FRAME_MALFORMED);
      if (this.#depth === 0) return this.#textEnd();
    }
  }

  /** Passes over the white space before a text; false where none begins. */
  #startMessage(): boolean {
    const piece = this.#piece;
    let at = this.#at;
    while (at < piece.length && isSpace(piece[at] ?? 0)) at += 1;
    this.#at = at;
    this.#textStart = at;
    if (at === piece.length) return false;
    if (ROLE[piece[at] ?? 0] === 1) return true;
    this.#break(FRAME_MALFORMED);
    return false;
  }

  #passString(): void {
    const piece = this.#piece;
    let at = this.#at;
    while (at < piece.length) {
      const byte = piece[at] ?? 0;
      at += 1;
      if (this.#escaped) {
        this.#escaped = false;
      } else if (byte === BACKSLASH) {
        this.#escaped = true;
      } else if (byte === QUOTE) {
        this.#inString = false;
        break;
      }
    }
    this.#at = at;
  }

  #textEnd(): ScanResult {
    const tail = this.#piece.subarray(this.#textStart, this.#at);
    this.#textStart = this.#at;
    if (this.#held.bytes + tail.length > this.#textBytesMax) return this.#break(FRAME_TOO_LARGE);
    return this.#held.bytes === 0 ? tail : this.#held.join(tail);
  }

  #pause(): ScanResult {
    const size = this.#piece.length - this.#textStart;
    if (size > 0) {
      if (this.#held.bytes + size > this.#textBytesMax) return this.#break(FRAME_TOO_LARGE);
      this.#held.hold(this.#piece, this.#textStart);
    }
    this.#piece = NONE;
    this.#at = 0;
    this.#textStart = 0;
    return NEED_MORE;
  }

  #break(why: typeof FRAME_MALFORMED | typeof FRAME_TOO_LARGE): ScanResult {
    this.#broken = why;
    this.#held.clear();
    this.#piece = NONE;
    this.#at = 0;
    this.#textStart = 0;
    return why;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
