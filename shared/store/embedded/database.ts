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
import type { ErasedRows, EraseStart } from './erase-steps.ts';
import { FILE, guarded, openFile } from './tables/document-file.ts';
import type { EndedBlock, Erasure } from './block-changes.ts';
import { type Documents, DocumentWrites, type WriteResult } from './document-writes.ts';
import { FreeSpace } from './tables/free-space.ts';
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

/** Given back to the disk with each step of a conversion: about what it makes free. */
const CONVERTED_PAGES = 500;
const EXPIRED_PAGES = 2000;

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
  readonly #space: FreeSpace;
  #areOldRowsDamaged = false;

  constructor(options: DatabaseOptions) {
    this.#database = openFile(options);
    this.#tell = (message) => options.tell?.(message);
    this.#space = new FreeSpace(this.#database, this.#tell);
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
      this.#transaction(() => {
        if (isDue) marks.note(last, passedMs);
        if (time.isToBeKept) time.keep();
      });
      const rows = !documents.hasOldRows
        ? 0
        : this.#ofOldRows(0, () => this.#transaction(() => documents.expireOldRows(marks.expired(passedMs), limit)));
      const deleted = rows + this.#remove(guarded(() => documents.ended(marks.expired(passedMs), limit - rows)));
      if (deleted > 0 || this.#space.isMuch()) this.#space.giveBack(EXPIRED_PAGES);
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
      return this.#transaction(() =>
        ended.reduce((sum, block) => sum + documents.remove(block, { keepParts: false }), 0),
      );
    } catch (error) {
      if (!isDamaged(error)) throw error;
      const [only] = ended;
      if (ended.length > 1 || only === undefined) return ended.reduce((sum, block) => sum + this.#remove([block]), 0);
      const removed = this.#transaction(() => documents.remove(only, { keepParts: true }));
      this.#tell(`Cannot give back the space of block ${only.id} of the embedded store: ${reasonOf(error)}`);
      return removed;
    }
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
    const isMore = this.#ofOldRows(false, () =>
      this.#adding(() => this.#transaction(() => documents.convert((row) => marks.at(row)))),
    );
    this.#space.giveBack(CONVERTED_PAGES);
    return isMore;
  }

  /** Rows of an older store that a damaged page keeps from being converted stay as they are, and stop nothing else. */
  #ofOldRows<T>(nothing: T, work: () => T): T {
    if (this.#areOldRowsDamaged) return nothing;
    try {
      return work();
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#areOldRowsDamaged = true;
      this.#tell(
        `Cannot convert documents of an earlier version: ${reasonOf(error)}; those that are left stay as they are`,
      );
      return nothing;
    }
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
    const { erased, kept } = this.#erased(erasure);
    return { erased, unreadable: unreadable + kept, next };
  }

  /** `kept`: of those, documents that are found no more, and whose bytes a damaged page keeps in the file. */
  #erased(erasure: Erasure): { readonly erased: number; readonly kept: number } {
    const { documents } = this.#writable();
    const erased = (keepParts: boolean): number =>
      this.#adding(() => this.#transaction(() => documents.erase(erasure, { keepParts })));
    try {
      return { erased: erased(false), kept: 0 };
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#tell(
        `Cannot overwrite what was erased of block ${erasure.block.id} of the embedded store: ${reasonOf(error)}`,
      );
      const kept = erased(true);
      return { erased: kept, kept };
    }
  }

  /** Works the log of changes into the file: what was erased is in neither. Another reader may be in the way. */
  checkpoint(): void {
    const { busy } = guarded(() => this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()) ?? {};
    if (busy === 0) return;
    throw new SluiceError(
      'store_overloaded',
      'Cannot work the changes of the embedded store into its file: another process reads it; try again when that ends',
    );
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
