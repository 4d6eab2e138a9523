// The documents in SQLite, for one thread; its tables are in document-file.ts.
//
// Guarantees: what `write` returned is on the disk (WAL with synchronous=FULL: one fsync of the log a commit). Less
// would not do: the queue's offsets are committed, fsynced, after this, and a power cut must not take documents that
// the queue will not give again. A crash at any moment leaves whole bulk requests only, each document once. Readers in
// other processes see each commit at once.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { AgeMarks } from '#shared/sqlite/age-marks.ts';
import { isDamaged, type Presence, watchDatabase } from '#shared/sqlite/database.ts';
import { type Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery } from '../store.ts';
import { FILE, guarded, openFile } from './tables/document-file.ts';
import { type Documents, DocumentWrites, type EndedBlock, type WriteResult } from './document-writes.ts';
import { DamagedEnd } from './tables/part-tables.ts';
import { type Counted, type CountStart, PageReader } from './search/page-reader.ts';
import type { RowPage } from './search/row-page.ts';
import { namesOptions, SourceNames } from './source-names.ts';

export interface DatabaseOptions {
  /** Made if missing, unless read only. */
  readonly folder: string;
  readonly readOnly: boolean;
  readonly retentionMs: number;
  /** Combinations of names that a tenant may have; see source-names.ts. */
  readonly namesMax: number;
  /** Tells what an operator should know. */
  tell?(message: string): void;
}

/** Where an erasure goes on: behind this block. */
export interface EraseCursor {
  readonly block: number;
  /** Of the last document that was there when it began: what comes meanwhile is not followed. */
  readonly row: number;
}

export interface EraseStart {
  readonly query: StoreQuery;
  /** Null at the beginning. */
  readonly after: EraseCursor | null;
}

export interface ErasedRows {
  readonly erased: number;
  /** Documents that may be meant and cannot be read: they stay. */
  readonly unreadable: number;
  /** Where the next step goes on; null where nothing is left after this. */
  readonly next: EraseCursor | null;
}

/** Given back to the disk with each step of a conversion: about what it makes free. */
const CONVERTED_PAGES = 500;
const EXPIRED_PAGES = 2000;

/** Of the file, what may be free without being given back: one in so many pages. */
const FREE_SHARE = 4;

interface Writing {
  readonly documents: DocumentWrites;
  readonly names: SourceNames;
  readonly time: PassedTime;
  readonly marks: AgeMarks;
}

export class DocumentDatabase {
  readonly #database: DatabaseSync;
  /** Null where it is open for reading only. */
  readonly #writing: Writing | null;
  readonly #reader: PageReader;
  readonly #presence: () => Presence;
  readonly #file: string;
  readonly #tell: (message: string) => void;
  #toldOfSpace = false;

  constructor(options: DatabaseOptions) {
    this.#database = openFile(options);
    this.#tell = (message) => options.tell?.(message);
    this.#reader = new PageReader(this.#database, this.#tell);
    this.#file = join(options.folder, FILE);
    this.#presence = watchDatabase(this.#file);
    this.#writing = options.readOnly ? null : this.#openForWriting(options);
    if (this.#writing !== null) this.#reader.checkBlocks();
  }

  /** All of the documents, or none where it throws. */
  write(documents: Documents): WriteResult {
    const { documents: writes } = this.#writable();
    const result = this.#adding(() => {
      const prepared = writes.prepare(documents);
      return this.#transaction(() => writes.write(prepared));
    });
    this.#requirePresence();
    return result;
  }

  /** One merge of small blocks, if one is due. Returns whether it was: there may be more. */
  merge(): boolean {
    return this.#merge(this.#writable().marks.newest(), false);
  }

  /** The same before `expire`, which may set a mark: what is small by then is not merged any more. */
  mergeAll(now: Moment): boolean {
    const { documents, time, marks } = this.#writable();
    return marks.isDue(documents.lastRow(), time.at(now)) && this.#merge(marks.newest(), true);
  }

  /** The first of what the query finds: at most its `limit`, and `bytesMax` of more than one. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    return guarded(() => this.#reader.page(query, bytesMax));
  }

  /**
   * Deletes blocks whose documents were all written longer ago than the retention, by the time that has passed since
   * (see passed-time.ts): about `limit` documents, fewer where they are large; returns how many. Gives some of the
   * space back.
   */
  expire({ now, limit }: { readonly now: Moment; readonly limit: number }): number {
    if (this.#writing === null) return 0;
    const { documents, time, marks } = this.#writing;
    this.#requirePresence();
    const passedMs = time.at(now);
    const last = documents.lastRow();
    const isDue = marks.isDue(last, passedMs);
    // What ends by age was not erased: nothing has to be overwritten.
    this.#database.exec('PRAGMA secure_delete = OFF');
    try {
      const rows = this.#transaction(() => {
        if (isDue) marks.note(last, passedMs);
        if (time.isToBeKept) time.keep();
        return documents.expireOldRows(marks.expired(passedMs), limit);
      });
      const deleted = rows + this.#remove(guarded(() => documents.ended(marks.expired(passedMs), limit - rows)));
      if (deleted > 0 || this.#hasMuchFree()) this.#giveBack(EXPIRED_PAGES);
      return deleted;
    } finally {
      this.#database.exec('PRAGMA secure_delete = ON');
    }
  }

  /** Returns how many documents they had. What cannot be deleted for a damaged page costs itself only. */
  #remove(ended: readonly EndedBlock[]): number {
    const { documents } = this.#writable();
    if (ended.length === 0) return 0;
    try {
      this.#transaction(() => {
        for (const block of ended) documents.remove(block, { keepParts: false });
      });
    } catch (error) {
      if (!isDamaged(error)) throw error;
      const [only] = ended;
      if (ended.length > 1 || only === undefined) return ended.reduce((sum, block) => sum + this.#remove([block]), 0);
      this.#transaction(() => documents.remove(only, { keepParts: true }));
      this.#tell(`Cannot give back the space of block ${only.id} of the embedded store: ${reasonOf(error)}`);
    }
    return ended.reduce((sum, block) => sum + block.documents, 0);
  }

  /** A damaged page cannot be moved: what is free is used again all the same. */
  #giveBack(pages: number): void {
    try {
      guarded(() => this.#database.exec(`PRAGMA incremental_vacuum(${pages})`));
    } catch (error) {
      if (!isDamaged(error)) throw error;
      if (!this.#toldOfSpace) this.#tell(`Cannot give back space of the embedded store: ${reasonOf(error)}`);
      this.#toldOfSpace = true;
    }
  }

  #hasMuchFree(): boolean {
    const numberOf = (pragma: string): number => Number(this.#database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
    return numberOf('freelist_count') * FREE_SHARE > numberOf('page_count');
  }

  /** How many documents there are of the query: a part of them. */
  count(start: CountStart): Counted {
    return guarded(() => this.#reader.count(start));
  }

  /** Turns some rows of an older store into a block. Returns whether there are more. */
  convert(): boolean {
    const { documents, marks } = this.#writable();
    if (!documents.hasOldRows) return false;
    this.#requirePresence();
    const isMore = this.#adding(() => this.#transaction(() => documents.convert((row) => marks.at(row))));
    this.#giveBack(CONVERTED_PAGES);
    return isMore;
  }

  /**
   * Deletes the documents of the query from the next block after the cursor that has any, and overwrites what they took
   * in the file. They are looked for before: whoever writes waits only for what is deleted.
   */
  erase({ query, after }: EraseStart): ErasedRows {
    const { documents } = this.#writable();
    this.#requirePresence();
    const cursor = after ?? { block: 0, row: documents.lastRow() };
    if (this.convert()) return { erased: 0, unreadable: 0, next: cursor };
    const { block, lastId, unreadable } = guarded(() => this.#reader.nextHolding(query, cursor.block, cursor.row));
    const next = { ...cursor, block: lastId };
    if (block === null) return { erased: 0, unreadable, next: lastId < 0 ? null : next };
    const erasure = documents.readToErase(block, this.#reader.meantIn(query, block, cursor.row));
    if (erasure === null) return { erased: 0, unreadable: unreadable + block.documents, next };
    return { erased: this.#adding(() => this.#transaction(() => documents.erase(erasure))), unreadable, next };
  }

  /** Works the log of changes into the file: what was erased is in neither. Another reader may be in the way. */
  checkpoint(): void {
    guarded(() => this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  }

  close(): void {
    this.#database.close();
  }

  #openForWriting(options: DatabaseOptions): Writing {
    const names = new SourceNames(this.#database, namesOptions(options));
    return {
      documents: new DocumentWrites(this.#database, names, this.#tell),
      names,
      time: new PassedTime(this.#database, this.#tell),
      marks: new AgeMarks(this.#database, 'documents', options.retentionMs),
    };
  }

  #merge(afterRow: number, all: boolean): boolean {
    const { documents } = this.#writable();
    const blocks = guarded(() => documents.toMerge(afterRow, all));
    if (blocks === null) return false;
    this.#requirePresence();
    const merge = guarded(() => documents.readToMerge(blocks));
    // Those that are damaged are not asked for again.
    if (merge === null) return true;
    try {
      this.#adding(() => this.#transaction(() => documents.merge(merge)));
    } catch (error) {
      if (!isDamaged(error)) throw error;
      documents.spare(blocks);
      this.#tell(`Cannot merge some blocks of the embedded store: ${reasonOf(error)}; they stay as they are`);
    }
    return true;
  }

  /** What was written to a file that has no name any more is gone when this process ends: the queue must keep it. */
  #requirePresence(): void {
    const presence = this.#presence();
    if (presence === 'there') return;
    const what = presence === 'gone' ? 'was deleted' : 'was replaced';
    throw new SluiceError(
      'store_unavailable',
      `Cannot use the embedded store: ${this.#file} (or its WAL) ${what} while it was used; put it back, or restart ` +
        'Sluice to begin a new one',
    );
  }

  /** Tries again with a new table of parts where nothing can be added to the old one: it is damaged. */
  #adding<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof SluiceError) || !(error.cause instanceof DamagedEnd)) throw error;
      this.#transaction(() => this.#writable().documents.beginParts());
      this.#tell(`A part of the embedded store is damaged (${error.cause.message}); what comes is kept apart from it`);
      return work();
    }
  }

  #transaction<T>(work: () => T): T {
    const { names } = this.#writable();
    return guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        names.startTransaction();
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        // What it made is gone with it.
        names.forget();
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #writable(): Writing {
    if (this.#writing === null)
      throw new SluiceError('store_refused', 'Cannot write to the store: it is open for reading only');
    return this.#writing;
  }
}
