// One frame that is too large to be held while it comes: it goes raw to a file, since what it is called stands at its
// end. Where no file can be written, it is held in memory as long as it is one that may be.
//
// Guarantees: whoever only says that it has much to send has no file: one is opened when more has come than is held,
// once; what came small costs no more than about twice its bytes.

import type { FileHandle } from 'node:fs/promises';
import { reasonOf } from '#shared/errors.ts';
import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import type { SliceSource } from '#shared/record/unpack-slices.ts';
import { free, readFully, writeFully } from './file-bytes.ts';
import type { FrameFiles } from './frame-files.ts';

const READ_BYTES = 64 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** What may wait to be written before the connection is read no further. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

/** The bytes of one frame, on disk or, where that fails, in memory. */
export class FrameFile {
  readonly #files: FrameFiles;
  readonly #network: string;
  #place: Disposable | null = null;
  #file: FileHandle | null = null;
  /** Of the file. */
  #takenBytes = 0;
  #writtenBytes = 0;
  #unwritten: Buffer[] = [];
  #unwrittenBytes = 0;
  #writing: Promise<void> | null = null;
  /** Before there is a file, or in place of it. */
  #held: BufferedPieces | null = new BufferedPieces();
  /** Why there is no file; null before one was tried. */
  #unfiledWhy: string | null = null;
  #isEnded = false;
  /** All bytes of the frame so far. */
  size = 0;
  /** Why it cannot be kept; null while it is. */
  failure: string | null = null;

  /** `network`: whose share of the files it takes. */
  constructor(files: FrameFiles, network: string) {
    this.#files = files;
    this.#network = network;
  }

  /** What is in memory. */
  get heldBytes(): number {
    return this.#held ? this.size : this.#unwrittenBytes;
  }

  /** `piece` is given away: a large one is empty once it is written. */
  write(piece: Buffer): void {
    if (this.failure !== null || this.#isEnded || piece.length === 0) return;
    this.size += piece.length;
    if (this.#held) return this.#hold(this.#held, piece);
    this.#unwritten.push(piece);
    this.#unwrittenBytes += piece.length;
    this.#writing ??= this.#writeAll();
  }

  /** What to wait for before more is written; null: nothing. Never rejects. */
  backlog(): Promise<void> | null {
    return this.#unwrittenBytes > UNWRITTEN_BYTES_MAX ? this.#writing : null;
  }

  /** Resolves when all of it is written, or `failure` says why it is not. */
  async written(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** The bytes, where they are in memory; null where they are in a file. */
  inMemory(): Buffer | null {
    if (!this.#held) return null;
    const whole = Buffer.concat(this.#held.take());
    this.#held.hold(whole, 0);
    return whole;
  }

  /** Bytes `start` to `end` of what is written. */
  async read(start: number, end: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    await this.#readInto(bytes, start);
    return bytes;
  }

  source(start: number, end: number): SliceSource {
    const readInto = (bytes: Buffer, at: number): Promise<void> => this.#readInto(bytes, at);
    return {
      size: end - start,
      async *slices() {
        // One for all slices: left to the garbage collector, tens of megabytes of them would lie about.
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - start));
        for (let at = start; at < end; at += READ_BYTES) {
          const slice = buffer.subarray(0, Math.min(READ_BYTES, end - at));
          await readInto(slice, at);
          yield slice;
        }
      },
    };
  }

  /** The bytes are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.written();
    this.#held = null;
    await this.#close();
  }

  async #readInto(bytes: Buffer, position: number): Promise<void> {
    if (!this.#file) throw new Error('the file of the frame is closed');
    await readFully(this.#file, bytes, position);
  }

  async #writeAll(): Promise<void> {
    try {
      this.#place ??= this.#files.enter(this.#network);
      this.#file ??= await this.#files.open();
      while (this.#unwritten.length > 0 && !this.#isEnded) await this.#writeSome(this.#file);
    } catch (error) {
      await this.#fallBack(reasonOf(error));
    } finally {
      if (this.#isEnded || this.failure !== null) this.#forget();
      this.#writing = null;
    }
  }

  async #writeSome(file: FileHandle): Promise<void> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (const piece of this.#unwritten) {
      if (bytes > 0 && bytes + piece.length > WRITE_BYTES) break;
      pieces.push(piece);
      bytes += piece.length;
    }
    this.#files.take(this.#network, bytes);
    this.#takenBytes += bytes;
    await writeFully(file, pieces, this.#writtenBytes);
    this.#writtenBytes += bytes;
    this.#unwritten.splice(0, pieces.length);
    this.#unwrittenBytes -= bytes;
    for (const piece of pieces) free(piece);
  }

  /** What is written comes back, where all of it may be held. */
  async #fallBack(why: string): Promise<void> {
    try {
      const written = Buffer.allocUnsafeSlow(this.#mayBeHeld ? this.#writtenBytes : 0);
      if (this.#file && this.#mayBeHeld) await readFully(this.#file, written, 0);
      await this.#close();
      if (!this.#mayBeHeld) {
        this.failure = why;
        return;
      }
      this.#unfiledWhy = why;
      this.#held = new BufferedPieces();
      for (const piece of [written, ...this.#unwritten]) this.#held.hold(piece, 0);
      this.#unwritten = [];
      this.#unwrittenBytes = 0;
    } catch (error) {
      this.failure = `${why}; ${reasonOf(error)}`;
    }
  }

  /** The disk that it took is free again. */
  async #close(): Promise<void> {
    const file = this.#file;
    const bytes = this.#takenBytes;
    const place = this.#place;
    this.#file = null;
    this.#takenBytes = 0;
    this.#place = null;
    try {
      await file?.close();
    } finally {
      place?.[Symbol.dispose]();
      this.#files.give(this.#network, bytes);
    }
  }

  get #mayBeHeld(): boolean {
    return this.size <= this.#files.options.heldBytesMax;
  }

  #hold(held: BufferedPieces, piece: Buffer): void {
    held.hold(piece, 0);
    if (this.#unfiledWhy !== null) {
      if (this.#mayBeHeld) return;
      this.failure = this.#unfiledWhy;
      this.#forget();
    } else if (this.size > this.#files.memoryBytesMax) {
      this.#unwritten = held.take();
      this.#unwrittenBytes = this.size;
      this.#held = null;
      this.#writing = this.#writeAll();
    }
  }

  #forget(): void {
    this.#held = null;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
  }
}
