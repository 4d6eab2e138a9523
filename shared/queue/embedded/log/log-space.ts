// How much space the log's file and WAL use, and whether more fits. Gives free pages back to the file system. Where
// nothing fits, sqlite-log.ts removes what all groups have read, or refuses: who appends hears `queue_full`.
//
// Dead letters lie in the same file, and have a limit of their own (dead-letter-budget.ts): they are not counted here.
//
// Pages that were freed are used again before the file grows. What is written stands in the WAL first and in the file
// after a checkpoint, so it counts twice until then; a checkpoint that empties the WAL is tried before anything is
// refused.
//
// A device is never filled to the last byte: a WAL that finds no room for its checkpoint could not be emptied any more,
// and then not even records be removed.

import { statfsSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

// The WAL has a part of the limit to itself, so that the file never grows so large that nothing could be written any
// more, not even what removes records.
const WAL_SHARE = 0.25;
const WAL_BYTES_MAX = 16 * 1024 * 1024;

// The part of the WAL's room that records may not take: offsets can always be committed, and records removed.
const RESERVE_BYTES = 1024 * 1024;

export const NO_SPACE = 'no space is left on the device';

// Tables, overflow chains and the WAL's frame headers add to the bytes of records.
const OVERHEAD = 1.03;
const OVERHEAD_BYTES = 64 * 1024;

// A file that has served is kept for the next records; what is free beyond this share and size is given back in steps.
const FREE_SHARE_KEPT = 0.25;
const FREE_KEPT_BYTES = 4 * 1024 * 1024;
const GIVE_BACK_PAGES = 256;

export interface LogSpaceOptions {
  /** Where the file is. */
  readonly folder: string;
  readonly walBytes: () => number;
  readonly bytesMax: number;
}

export class LogSpace {
  readonly #database: DatabaseSync;
  readonly #folder: string;
  readonly #walBytes: () => number;
  readonly #bytesMax: number;
  readonly #fileBytesMax: number;
  readonly #walBytesMax: number;
  readonly #pageCount: StatementSync;
  readonly #freePages: StatementSync;
  readonly #pageBytes: number;

  constructor(database: DatabaseSync, { folder, walBytes, bytesMax }: LogSpaceOptions) {
    this.#database = database;
    this.#folder = folder;
    this.#walBytes = walBytes;
    this.#bytesMax = bytesMax;
    this.#walBytesMax = walBytesMaxOf(bytesMax);
    this.#fileBytesMax = bytesMax - this.#walBytesMax;
    this.#pageCount = database.prepare('PRAGMA page_count');
    this.#freePages = database.prepare('PRAGMA freelist_count');
    this.#pageBytes = Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
  }

  get bytesStored(): number {
    return this.#fileBytes() + this.#walBytes();
  }

  /**
   * Why records of so many bytes would be too much for the limit; null where they would not. `besides`: what has a
   * limit of its own.
   */
  overLimit(bytes: number, besides: number): string | null {
    const used = this.#fileBytes() - this.#freeBytes() - besides;
    return used + neededFor(bytes) > this.#fileBytesMax ? this.#limitReached() : null;
  }

  /** Why so many bytes cannot be written now, whatever the limit; null where they can. */
  unwritable(bytes: number): string | null {
    const needed = neededFor(bytes);
    const walBytesAllowed = this.#walBytesMax - RESERVE_BYTES - needed;
    if (this.#walBytes() <= walBytesAllowed && this.#fitsOnDevice(needed)) return null;
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    if (this.#walBytes() > walBytesAllowed) return this.#limitReached();
    return this.#fitsOnDevice(needed) ? null : NO_SPACE;
  }

  /** Gives some free pages back, if there are many. Returns whether there are more. */
  giveBack(): boolean {
    const free = this.#freeBytes();
    const spare = free - Math.max(FREE_KEPT_BYTES, this.#fileBytes() * FREE_SHARE_KEPT);
    if (spare <= 0) return false;
    const pages = Math.min(GIVE_BACK_PAGES, Math.ceil(spare / this.#pageBytes));
    this.#database.exec(`PRAGMA incremental_vacuum(${pages})`);
    return spare > pages * this.#pageBytes;
  }

  #limitReached(): string {
    return `${this.#bytesMax} bytes are held that were not all consumed`;
  }

  /** In the WAL, and then all that is in the WAL in the file, with something to spare. */
  #fitsOnDevice(needed: number): boolean {
    const { bavail, bsize } = statfsSync(this.#folder);
    const growth = Math.max(0, this.#walBytes() + needed - this.#freeBytes());
    return bavail * bsize >= needed + growth + RESERVE_BYTES;
  }

  #fileBytes(): number {
    return Number(this.#pageCount.get()?.['page_count']) * this.#pageBytes;
  }

  #freeBytes(): number {
    return Number(this.#freePages.get()?.['freelist_count']) * this.#pageBytes;
  }
}

function neededFor(bytes: number): number {
  return bytes * OVERHEAD + OVERHEAD_BYTES;
}

/** The most bytes of records that one transaction can hold under the limit of the whole. */
export function transactionBytesMaxOf(bytesMax: number): number {
  return Math.floor((walBytesMaxOf(bytesMax) - RESERVE_BYTES - OVERHEAD_BYTES) / OVERHEAD);
}

function walBytesMaxOf(bytesMax: number): number {
  return Math.min(WAL_BYTES_MAX, bytesMax * WAL_SHARE);
}
