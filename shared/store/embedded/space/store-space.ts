// How much of the disk the store takes, against its bound, and what it gives back.
//
//   pages in use   documents, their names, and all tables: what the bound is about
//   free pages     of deleted documents: used again before the file grows
//   WAL            what is not worked into the file yet; a part of the bound is kept for it
//
// A reader that holds on to an old state keeps the WAL from being used anew. No deletion would make it smaller, so it
// is told and not counted: documents are never deleted for it. Nor are they for pages that no deletion gives back.

import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { reasonOf } from '#shared/errors.ts';
import { isDamaged } from '#shared/sqlite/database.ts';
import type { StoreSpace as Measured } from '../../store.ts';
import { guarded } from '../tables/document-file.ts';

/** Where deletion of the oldest ends, so that it is not begun again for the next document. */
const LOW_SHARE = 0.95;
/** Of the bound, what documents may have in any case, beside what no deletion gives back. */
const KEPT_SHARE = 1 / 2;
/** Of the bound for the WAL, and at most; it is worked into the file when it has that. */
const WAL_SHARE = 1 / 8;
const WAL_BYTES_MAX = 32 * 1024 * 1024;
/** Of one page in the WAL. */
const FRAME_BYTES = 24;
/** Of the file, what may be free without being given back: one in so many pages. */
const FREE_SHARE = 4;
/** A WAL of so much is held by a reader: bulk requests make it no larger. */
const HELD_WAL_BYTES = 128 * 1024 * 1024;

export interface SpaceOptions {
  readonly file: string;
  /** Of the file and the WAL; undefined: without a bound. */
  readonly bytesMax: number | undefined;
  tell(message: string): void;
}

export class StoreSpace {
  readonly #database: DatabaseSync;
  readonly #options: SpaceOptions;
  readonly #pageBytes: number;
  readonly #pageCount: StatementSync;
  readonly #freePages: StatementSync;
  readonly #walShare: number;
  /** Of pages in use: what no deletion gives back (stuck-space.ts). */
  stuckBytes = 0;
  #toldOfDamage = false;
  #toldOfWal = false;

  constructor(database: DatabaseSync, options: SpaceOptions) {
    this.#database = database;
    this.#options = options;
    this.#pageBytes = numberOf(database.prepare('PRAGMA page_size'));
    this.#pageCount = database.prepare('PRAGMA page_count');
    this.#freePages = database.prepare('PRAGMA freelist_count');
    this.#walShare = Math.min(WAL_BYTES_MAX, (options.bytesMax ?? Infinity) * WAL_SHARE);
    // The larger one is for a store without a bound, too (document-file.ts).
    if (this.#walShare < WAL_BYTES_MAX)
      database.exec(
        `PRAGMA wal_autocheckpoint = ${Math.max(1, Math.floor(this.#walShare / (this.#pageBytes + FRAME_BYTES)))}`,
      );
    if (options.bytesMax !== undefined) database.exec(`PRAGMA journal_size_limit = ${Math.floor(this.#walShare)}`);
  }

  /** Of pages in use. */
  usedBytes(): number {
    return (numberOf(this.#pageCount) - numberOf(this.#freePages)) * this.#pageBytes;
  }

  /** Of deleted documents. */
  freePages(): number {
    return numberOf(this.#freePages);
  }

  /** By how much it is beyond its bound; below zero: short of it. */
  overBytes(): number {
    return this.usedBytes() - this.#usedBytesMax();
  }

  /** By how much it is larger than where deletion of the oldest ends. */
  overLowBytes(): number {
    return Math.max(0, this.usedBytes() - this.#usedBytesMax() * LOW_SHARE);
  }

  /** Whether it is larger for what no deletion gives back. */
  isStuckBeyond(): boolean {
    return this.#usedBytesMax() > (this.#options.bytesMax ?? Infinity) - this.#walShare;
  }

  measure(oldestMs: number | null): Measured {
    const { file, bytesMax } = this.#options;
    const walBytes = sizeOf(`${file}-wal`);
    const isHeld = walBytes > HELD_WAL_BYTES;
    if (isHeld && !this.#toldOfWal)
      this.#options.tell(
        `The WAL of the embedded store has ${walBytes} bytes (${file}-wal): a process has been reading an old ` +
          'state of it for long, and keeps it from being used anew; end that process',
      );
    this.#toldOfWal = isHeld;
    return {
      usedBytes: this.usedBytes(),
      freeBytes: numberOf(this.#freePages) * this.#pageBytes,
      walBytes,
      bytesMax: bytesMax ?? null,
      oldestMs,
    };
  }

  /** Whether more is free than the next documents are likely to need. */
  hasMuchFree(): boolean {
    return numberOf(this.#freePages) * FREE_SHARE > numberOf(this.#pageCount);
  }

  /** A damaged page cannot be moved: what is free is used again all the same. Returns whether the file is smaller. */
  giveBack(pages: number): boolean {
    const before = numberOf(this.#pageCount);
    try {
      guarded(() => this.#database.exec(`PRAGMA incremental_vacuum(${pages})`));
    } catch (error) {
      if (!isDamaged(error)) throw error;
      if (!this.#toldOfDamage) this.#options.tell(`Cannot give back space of the embedded store: ${reasonOf(error)}`);
      this.#toldOfDamage = true;
    }
    return numberOf(this.#pageCount) < before;
  }

  /** The same for what lies beyond the bound: at most so many pages. Returns whether there is more. */
  giveBackBeyond(pagesMax: number): boolean {
    const over = numberOf(this.#pageCount) - Math.floor(this.#usedBytesMax() / this.#pageBytes);
    const pages = Math.min(over, numberOf(this.#freePages), pagesMax);
    if (pages <= 0) return false;
    const isSmaller = this.giveBack(pages);
    if (isSmaller && pages < pagesMax) this.checkpoint('PASSIVE');
    return isSmaller && pages === pagesMax;
  }

  /** The file is as small as its pages in use when the WAL is worked into it. Returns whether all of it was. */
  checkpoint(mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'): boolean {
    const { busy } = guarded(() => this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`).get()) ?? {};
    return busy === 0;
  }

  #usedBytesMax(): number {
    const { bytesMax } = this.#options;
    if (bytesMax === undefined) return Infinity;
    const bound = bytesMax - this.#walShare;
    return Math.max(bound, this.stuckBytes + bound * KEPT_SHARE);
  }
}

function numberOf(statement: StatementSync): number {
  return Number(Object.values(statement.get() ?? {})[0]);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
