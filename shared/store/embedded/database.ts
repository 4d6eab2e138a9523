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
import { isDamaged } from '#shared/sqlite/database.ts';
import { type Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery, StoreSpace as StoreSpaceNow } from '../store.ts';
import { type Deleted, Deletions, type Shed } from './deletions.ts';
import { compact, type Compacted, type CompactStep } from './space/compaction.ts';
import { StoreSpace } from './space/store-space.ts';
import type { ErasedRows, EraseStart } from './erase-steps.ts';
import { FILE, guarded, openFile } from './tables/document-file.ts';
import type { Erasure } from './block-changes.ts';
import type { Kept } from './ended-blocks.ts';
import { type Documents, DocumentWrites, type WriteResult } from './document-writes.ts';
import type { MergeRange } from './tables/block-merge.ts';
import { DamagedEnd } from './tables/part-tables.ts';
import { requiredPresence } from './tables/required-presence.ts';
import { Inspection } from './inspect/inspection.ts';
import { PageReader } from './search/page-reader.ts';
import type { Counted, CountStart, OrderedRows, RowPage } from './search/row-page.ts';
import { namesOptions, SourceNames } from './source-names.ts';

export interface DatabaseOptions {
  /** Made if missing, unless read only. */
  readonly folder: string;
  readonly readOnly: boolean;
  readonly retentionMs: number;
  /** Combinations of names that a tenant may have; see source-names.ts. */
  readonly namesMax: number;
  /** Of its files together; undefined: without a bound. */
  readonly bytesMax?: number | undefined;
  /** Tells what an operator should know. */
  tell?(message: string): void;
}

/** Given back to the disk with each step of a conversion: about what it makes free. */
const CONVERTED_PAGES = 500;

interface Writing {
  readonly documents: DocumentWrites;
  readonly names: SourceNames;
  readonly time: PassedTime;
  readonly marks: AgeMarks;
  readonly space: StoreSpace;
  readonly deletions: Deletions;
}

export class DocumentDatabase {
  readonly #database: DatabaseSync;
  /** Null where it is open for reading only. */
  readonly #writing: Writing | null;
  readonly #reader: PageReader;
  readonly #requirePresence: () => void;
  readonly #file: string;
  readonly #tell: (message: string) => void;
  #inspection: Inspection | null = null;
  #areOldRowsDamaged = false;

  constructor(options: DatabaseOptions) {
    this.#database = openFile(options);
    this.#tell = (message) => options.tell?.(message);
    this.#reader = new PageReader(this.#database, this.#tell);
    this.#file = join(options.folder, FILE);
    this.#requirePresence = requiredPresence(this.#file);
    this.#writing = options.readOnly ? null : this.#openForWriting(options);
    if (this.#writing !== null) this.#reader.checkBlocks();
  }

  /** All of the documents, or none where it throws. */
  write(documents: Documents): WriteResult {
    const { documents: writes } = this.#writable();
    const result = this.#adding(() => {
      const prepared = writes.prepare(documents);
      using _columns = prepared.batch;
      return this.#transaction(() => writes.write(prepared));
    });
    this.#requirePresence();
    return result;
  }

  /** One merge of small blocks, if one is due. Returns whether it was: there may be more. */
  merge(): boolean {
    return this.#merge({ afterRow: this.#writable().marks.newest(), all: false });
  }

  /** The same before `expire`, which may set a mark: what is small by then is not merged any more. */
  mergeAll(now: Moment): boolean {
    const { documents, time, marks } = this.#writable();
    return marks.isDue(documents.lastRow(), time.at(now)) && this.#merge({ afterRow: marks.newest(), all: true });
  }

  /** The first of what the query finds: at most its `limit`, and `bytesMax` of more than one. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    return guarded(() => this.#reader.page(query, bytesMax));
  }

  /** A step of what ends by age. */
  expire(step: { readonly now: Moment; readonly limit: number }): Deleted {
    const { deletions } = this.#writable();
    this.#requirePresence();
    return deletions.expire(step);
  }

  /** By how much the store is larger than its bound; that is not asked before what is old is converted. */
  overBytes(): number {
    return this.#isConverting() ? -Infinity : this.#writable().space.overBytes();
  }

  shed(): Shed {
    const { deletions } = this.#writable();
    this.#requirePresence();
    return deletions.shed();
  }

  measure(): StoreSpaceNow {
    const { documents, space } = this.#writable();
    return guarded(() => space.measure(documents.ended.oldestMs()));
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
    this.#writable().space.giveBack(CONVERTED_PAGES);
    return isMore;
  }

  #isConverting(): boolean {
    return this.#writable().documents.hasOldRows && !this.#areOldRowsDamaged;
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
  #erased(erasure: Erasure, kept: Kept = 'nothing'): { readonly erased: number; readonly kept: number } {
    try {
      const erased = this.#adding(() => this.#transaction(() => this.#writable().documents.erase(erasure, kept)));
      return { erased, kept: kept === 'nothing' ? 0 : erased };
    } catch (error) {
      if (!isDamaged(error) || kept === 'parts and names') throw error;
      this.#tell(
        `Cannot overwrite what was erased of block ${erasure.block.id} of the embedded store: ${reasonOf(error)}`,
      );
      return this.#erased(erasure, kept === 'nothing' ? 'parts' : 'parts and names');
    }
  }

  compact(step: CompactStep): Compacted {
    const { marks, space, documents } = this.#writable();
    const lastRow = (): number => documents.lastRow();
    const [convert, merge] = [() => this.convert(), (range: MergeRange) => this.#merge(range)];
    return compact({ marks, space, lastRow, convert, merge, blocks: this.#database }, step);
  }

  /** For `sluice store`. */
  get inspection(): Inspection {
    return (this.#inspection ??= new Inspection(this.#database, this.#file));
  }

  /** For an export; see page-reader.ts. */
  inOrder(start: CountStart): OrderedRows {
    return guarded(() => this.#reader.inOrder(start));
  }

  /** Works the log of changes into the file: what was erased is in neither. Another reader may be in the way. */
  checkpoint(): void {
    if (this.#writable().space.checkpoint('TRUNCATE')) return;
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
    const documents = new DocumentWrites(this.#database, names, this.#tell);
    const time = new PassedTime(this.#database, this.#tell);
    const marks = new AgeMarks(this.#database, 'documents', options.retentionMs, () => documents.lastRow());
    const tell = this.#tell;
    const space = new StoreSpace(this.#database, { file: this.#file, bytesMax: options.bytesMax, tell });
    const deletions = new Deletions({
      documents,
      time,
      marks,
      space,
      transaction: (work) => this.#transaction(work),
      isConverting: () => this.#isConverting(),
      ofOldRows: (work) => this.#ofOldRows(0, work),
      overwrite: (on) => this.#database.exec(`PRAGMA secure_delete = ${on ? 'ON' : 'OFF'}`),
      tell,
    });
    return { documents, names, time, marks, space, deletions };
  }

  #merge(range: MergeRange): boolean {
    const { documents } = this.#writable();
    const blocks = guarded(() => documents.toMerge(range));
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
