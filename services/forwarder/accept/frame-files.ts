// Frames that are too large to be held while they come: each goes raw to a file, since what it is called stands at its end. All files
// together are bounded. Where a file cannot be written, a frame is held in memory as long as it is one that may be.
//
// Guarantees: a file has no name from the moment it is open, so it is gone with its connection or with the process; what a kill left
// between the two is removed at the next start; only its owner may read it (0600).

import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '#shared/errors.ts';
import type { SliceSource } from '#shared/record/unpack-slices.ts';

export interface FrameFilesOptions {
  readonly folder: string;
  /** Of all files together; 0: there are none. */
  readonly bytesMax: number;
  /** A frame of so many bytes may be held in memory. */
  readonly heldBytesMax: number;
}

const READ_BYTES = 64 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** Of smaller pieces somebody may still hold a part: an element of the frame that is looked at has a quarter of this at most. */
const FREED_BYTES_MIN = 16 * 1024;
/** What may wait to be written before the connection is read no further. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

export class FrameFiles {
  readonly options: FrameFilesOptions;
  /** Of all files. */
  bytes = 0;

  constructor(options: FrameFilesOptions) {
    this.options = options;
    for (const name of leftovers(options.folder)) rmSync(join(options.folder, name), { force: true });
  }

  get isOff(): boolean {
    return this.options.bytesMax === 0;
  }

  begin(): FrameFile {
    return new FrameFile(this);
  }

  /** False where all files together would have more than they may. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.options.bytesMax) return false;
    this.bytes += bytes;
    return true;
  }

  async open(): Promise<FileHandle> {
    const { folder } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${randomUUID()}.frame`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }
}

/** Another process of the same folder may be between opening and unlinking; it does not mind. */
function leftovers(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.frame'));
  } catch {
    // There is none, or none that can be read: then there is nothing to remove.
    return [];
  }
}

/** The bytes of one frame, on disk or, where that fails, in memory. */
export class FrameFile {
  readonly #files: FrameFiles;
  #file: FileHandle | null = null;
  /** Of the file. */
  #takenBytes = 0;
  #writtenBytes = 0;
  #unwritten: Buffer[] = [];
  #unwrittenBytes = 0;
  #writing: Promise<void> | null = null;
  /** In place of the file. */
  #held: Buffer[] | null = null;
  #isEnded = false;
  /** All bytes of the frame so far. */
  size = 0;
  /** Why it cannot be kept; null while it is. */
  failure: string | null = null;

  constructor(files: FrameFiles) {
    this.#files = files;
  }

  /** What is in memory. */
  get heldBytes(): number {
    return this.#held ? this.size : this.#unwrittenBytes;
  }

  /** `piece` is given away: a large one is empty once it is written. */
  write(piece: Buffer): void {
    if (this.failure !== null || this.#isEnded || piece.length === 0) return;
    this.size += piece.length;
    if (this.#held) return this.#hold(piece);
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
    return this.#held && Buffer.concat(this.#held);
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
    if (this.#held) Buffer.concat(this.#held).copy(bytes, 0, position, position + bytes.length);
    else if (this.#file) await readFully(this.#file, bytes, position);
    else throw new Error('the file of the frame is closed');
  }

  async #writeAll(): Promise<void> {
    try {
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
    if (!this.#files.take(bytes)) {
      throw new Error(`all frames in files would be larger than ${this.#files.options.bytesMax} bytes`);
    }
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
      this.#held = [written, ...this.#unwritten];
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
    this.#file = null;
    this.#takenBytes = 0;
    try {
      await file?.close();
    } finally {
      this.#files.bytes -= bytes;
    }
  }

  get #mayBeHeld(): boolean {
    return this.size <= this.#files.options.heldBytesMax;
  }

  #hold(piece: Buffer): void {
    if (this.#mayBeHeld) this.#held?.push(piece);
    else {
      this.failure = 'no file can be written for it';
      this.#forget();
    }
  }

  #forget(): void {
    this.#held = null;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
  }
}

async function writeFully(file: FileHandle, pieces: readonly Buffer[], position: number): Promise<void> {
  let at = position;
  for (let left = pieces; left.length > 0;) {
    const { bytesWritten } = await file.writev(left, at);
    at += bytesWritten;
    left = behind(left, bytesWritten);
  }
}

/** What the pieces have from so many bytes on. */
function behind(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let passed = 0;
  for (const [i, piece] of pieces.entries()) {
    if (passed + piece.length > bytes) return [piece.subarray(bytes - passed), ...pieces.slice(i + 1)];
    passed += piece.length;
  }
  return [];
}

/** What a socket has read. Left to the garbage collector, tens of megabytes of these would lie about. */
function free({ buffer, length }: Buffer): void {
  const isAll = length === buffer.byteLength && length >= FREED_BYTES_MIN;
  if (isAll && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

async function readFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) throw new Error('the file of the frame has become shorter');
    at += bytesRead;
  }
}
