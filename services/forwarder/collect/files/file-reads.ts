// What an open file has, and bytes of it. On a local file system the system knows at once what a file has; and what was
// written since the file was read to its end, a moment ago, is in memory. Asked for at once it takes some microseconds;
// by a thread of the pool, twenty times as much, which many files that grow by a few lines each would pay.
//
// Guarantees: nothing waits for a disk or a network but by a thread of the pool.

import { fstatSync, readSync, type Stats, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readAt } from './file-bytes.ts';
import { statusOf, withSafeSize } from './file-identity.ts';

/** The system writes to its disk what is so old, and may then give up the memory. */
const IN_MEMORY_MS = 20_000;
const AT_ONCE_BYTES = 64 * 1024;

export interface FileReadsOptions {
  /** No network is between this process and the folder. */
  readonly hasTrueTimes: boolean;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export class FileReads {
  readonly #handle: FileHandle;
  readonly #nowMs: () => number;
  readonly #isNear: boolean;
  #endedMs = Number.NEGATIVE_INFINITY;

  /** `opened`: what the system says of the descriptor. */
  constructor(handle: FileHandle, path: string, opened: Pick<Stats, 'dev'>, options: FileReadsOptions) {
    this.#handle = handle;
    this.#nowMs = options.nowMs;
    // A link may lead elsewhere.
    this.#isNear = options.hasTrueTimes && opened.dev === deviceOf(dirname(path));
  }

  /** All was read that the file has now. */
  ended(): void {
    this.#endedMs = this.#nowMs();
  }

  /** As `statusOf`. */
  status(path: string): Stats | Promise<Stats> {
    return this.#isLocal ? withSafeSize(fstatSync(this.#handle.fd), path) : statusOf(this.#handle, path);
  }

  /** Whether it has another size; false also where nobody knows without waiting. */
  hasOther(size: number): boolean {
    try {
      return this.#isLocal && fstatSync(this.#handle.fd).size !== size;
    } catch {
      return false;
    }
  }

  /** As `readAt`, of a file that has so many bytes. */
  read(buffer: Buffer, position: number, bytesMax: number, size: number): number | Promise<number> {
    const isNew = this.#nowMs() - this.#endedMs < IN_MEMORY_MS && size - position <= AT_ONCE_BYTES;
    if (!isNew || !this.#isLocal) return readAt(this.#handle, buffer, position, bytesMax);
    const wanted = Math.min(buffer.length, bytesMax);
    let at = 0;
    while (at < wanted) {
      const bytes = readSync(this.#handle.fd, buffer, at, wanted - at, position + at);
      if (bytes === 0) break;
      at += bytes;
    }
    return at;
  }

  /** One that is closed is asked as every other, which says why it cannot be. */
  get #isLocal(): boolean {
    return this.#isNear && this.#handle.fd >= 0;
  }
}

/** Null where nobody knows. */
function deviceOf(folder: string): number | null {
  try {
    return statSync(folder).dev;
  } catch {
    return null;
  }
}
