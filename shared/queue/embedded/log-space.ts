// How much room the log's file and WAL take, whether more fits, and giving free pages back to the file system.
//
// Pages that were freed are used again before the file grows. What is written stands in the WAL first and in the file after
// a checkpoint, so it counts twice until then; a checkpoint that empties the WAL is tried before anything is refused.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

// Room that records may never take, so that offsets can always be committed and removals have a WAL to write to.
const RESERVE_BYTES = 1024 * 1024;

// Tables, overflow chains and the WAL's frame headers add to the bytes of records.
const OVERHEAD = 1.03;
const OVERHEAD_BYTES = 64 * 1024;

// A file that has served is kept for the next records; what is free beyond this share and size is given back in steps.
const FREE_SHARE_KEPT = 0.25;
const FREE_KEPT_BYTES = 4 * 1024 * 1024;
const GIVE_BACK_PAGES = 256;

export class LogSpace {
  readonly #database: DatabaseSync;
  readonly #walBytes: () => number;
  readonly #bytesMax: number;
  readonly #pageCount: StatementSync;
  readonly #freePages: StatementSync;
  readonly #pageBytes: number;

  constructor(database: DatabaseSync, walBytes: () => number, bytesMax: number) {
    this.#database = database;
    this.#walBytes = walBytes;
    this.#bytesMax = bytesMax;
    this.#pageCount = database.prepare('PRAGMA page_count');
    this.#freePages = database.prepare('PRAGMA freelist_count');
    this.#pageBytes = Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
  }

  get bytesHeld(): number {
    return this.#fileBytes() + this.#walBytes();
  }

  /** Whether records of so many bytes can be added without passing the limit. */
  fits(bytes: number): boolean {
    const needed = bytes * OVERHEAD + OVERHEAD_BYTES;
    const file = this.#fileBytes();
    const grown = Math.max(file, file - this.#freeBytes() + needed);
    const room = this.#bytesMax - RESERVE_BYTES - grown - needed;
    if (room >= this.#walBytes()) return true;
    if (room < 0) return false;
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return room >= this.#walBytes();
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

  #fileBytes(): number {
    return Number(this.#pageCount.get()?.['page_count']) * this.#pageBytes;
  }

  #freeBytes(): number {
    return Number(this.#freePages.get()?.['freelist_count']) * this.#pageBytes;
  }
}
