// The documents in SQLite, for one thread; its tables are in document-file.ts.
//
// Guarantees: what `write` returned is on the disk (WAL with synchronous=FULL: one fsync of the log a commit). Less
// would not do: the queue's offsets are committed, fsynced, after this, and a power cut must not take documents that
// the queue will not give again. A crash at any moment leaves whole bulk requests only. Readers in other processes see
// each commit at once.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '#shared/errors.ts';
import { AgeMarks } from '#shared/sqlite/age-marks.ts';
import { type Presence, watchDatabase } from '#shared/sqlite/database.ts';
import { type Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery } from '../store.ts';
import { type DocumentStatements, FILE, guarded, openFile, prepareStatements } from './document-file.ts';
import { indexedFields, type IndexedFields } from './indexed-fields.ts';
import { PageReader, type RowPage } from './page-reader.ts';
import type { EraseCursor } from './query.ts';
import { withNamesAsAttributes } from './names-as-attributes.ts';
import { SourceNames, type SourceNamesOptions } from './source-names.ts';

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

export interface Documents {
  /** JSON of all documents, one after another, with anything between. */
  readonly body: Uint8Array;
  readonly ids: readonly string[];
  /** Start and end of each document in the body. */
  readonly bounds: Uint32Array;
  /** Data stream of each document, as an index into `streamNames`. */
  readonly streams: Uint16Array;
  readonly streamNames: readonly string[];
}

export interface WriteResult {
  /** 201, 409 (the id is there), or 400 with a reason in `refused`. */
  readonly statuses: Uint16Array;
  readonly refused: readonly { readonly item: number; readonly reason: string }[];
  /** Documents whose names are among their attributes, for their tenant has as many as it may. */
  readonly unnamed: number;
}

export interface EraseStart {
  readonly query: StoreQuery;
  /** Null at the beginning. */
  readonly after: EraseCursor | null;
}

export interface ErasedRows {
  readonly erased: number;
  /** Where the next step goes on; null where nothing is left after this. */
  readonly next: EraseCursor | null;
}

/**
 * What one step deletes at most, and one document more: all pages of a document are looked at, and no write is done
 * meanwhile.
 */
const STEP_BYTES = 16 * 1024 * 1024;

export class DocumentDatabase {
  readonly #database: DatabaseSync;
  /** Null where it is open for reading only. */
  readonly #sourceNames: SourceNames | null;
  readonly #statements: DocumentStatements | null;
  /** Null where it is open for reading only. */
  readonly #age: { readonly time: PassedTime; readonly marks: AgeMarks } | null;
  readonly #reader: PageReader;
  readonly #presence: () => Presence;
  readonly #file: string;

  constructor(options: DatabaseOptions) {
    this.#database = openFile(options);
    this.#reader = new PageReader(this.#database);
    this.#file = join(options.folder, FILE);
    this.#presence = watchDatabase(this.#file);
    this.#statements = options.readOnly ? null : prepareStatements(this.#database);
    this.#sourceNames = options.readOnly ? null : new SourceNames(this.#database, sourceNamesOptions(options));
    this.#age = options.readOnly
      ? null
      : {
          time: new PassedTime(this.#database, (message) => options.tell?.(message)),
          marks: new AgeMarks(this.#database, 'documents', options.retentionMs),
        };
  }

  /** All of the documents, or none where it throws. */
  write(documents: Documents): WriteResult {
    const statuses = new Uint16Array(documents.ids.length);
    const refused: { item: number; reason: string }[] = [];
    let unnamed = 0;
    const body = Buffer.from(documents.body.buffer, documents.body.byteOffset, documents.body.byteLength);
    this.#transaction((statements) => {
      unnamed = 0;
      for (const [item, id] of documents.ids.entries()) {
        const source = body.toString('utf8', documents.bounds[item * 2], documents.bounds[item * 2 + 1]);
        const fields = indexedFields(source);
        if (typeof fields === 'string') {
          statuses[item] = 400;
          refused.push({ item, reason: fields });
        } else {
          const stream = documents.streamNames[documents.streams[item] ?? 0] ?? '';
          const origins = this.#writableSourceNames();
          const found = origins.find(stream, fields);
          // A repeat under other names must not make a row that is removed at once: anybody can send thousands of them.
          if (found === null && statements.has.get(id) !== undefined) {
            statuses[item] = 409;
            continue;
          }
          const origin = found ?? origins.make(stream, fields);
          if (origin === null) unnamed += 1;
          const isNew =
            origin === null ? this.#insertUnnamed(id, stream, source) : this.#insert(id, origin, fields, source);
          statuses[item] = isNew ? 201 : 409;
        }
      }
    });
    this.#requirePresence();
    return { statuses, refused, unnamed };
  }

  /** The first of what the query finds: at most its `limit`, and `bytesMax` of more than one. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    return guarded(() => this.#reader.page(query, bytesMax));
  }

  /**
   * Deletes up to `limit` documents that were written longer ago than the retention, by the time that has passed since
   * (see passed-time.ts), fewer where they are large; returns how many. Never the last one, so that row numbers only
   * grow. Gives some of the space back.
   */
  expire({ now, limit }: { readonly now: Moment; readonly limit: number }): number {
    const age = this.#age;
    if (age === null) return 0;
    this.#requirePresence();
    const passedMs = age.time.at(now);
    let deleted = 0;
    this.#transaction((statements) => {
      let bytes = 0;
      const last = Number(statements.last.get()?.['last'] ?? -1);
      if (age.marks.isDue(last, passedMs)) age.marks.note(last, passedMs);
      if (age.time.isToBeKept) age.time.keep();
      const origins = new Set<number>();
      for (const row of statements.expired.all(Math.min(age.marks.expired(passedMs), last - 1), limit)) {
        if (bytes > STEP_BYTES) break;
        bytes += Number(row['bytes']);
        const rowid = row['rowid'] ?? null;
        origins.add(Number(row['origin']));
        statements.deleteWords.run(rowid);
        statements.deleteDocument.run(rowid);
        deleted += 1;
      }
      this.#writableSourceNames().removeUnused(origins);
    });
    if (deleted > 0) guarded(() => this.#database.exec('PRAGMA incremental_vacuum(2000)'));
    return deleted;
  }

  /** How many documents there are of the query. */
  count(query: StoreQuery): number {
    return guarded(() => this.#reader.count(query));
  }

  /**
   * Deletes the next documents of the query after the cursor, at most its `limit`, fewer where they are large, and
   * overwrites what they took in the file. They are looked for before: whoever writes waits only for what is deleted.
   */
  erase({ query, after }: EraseStart): ErasedRows {
    const age = this.#age;
    if (age === null) return readOnly();
    this.#requirePresence();
    const doomed = guarded(() => this.#reader.doomed(query, after));
    let next = after;
    let erased = 0;
    this.#database.exec('PRAGMA secure_delete = ON');
    this.#transaction((statements) => {
      next = after;
      erased = 0;
      let bytes = 0;
      const origins = new Set<number>();
      for (const { rowid, id, origin, bytes: size, time, sequence } of doomed) {
        if (bytes > STEP_BYTES) break;
        next = { time, sequence, rowid };
        // Meanwhile its row may be another's.
        if (statements.hasRow.get(id, rowid) === undefined) continue;
        bytes += size;
        origins.add(origin);
        statements.deleteWords.run(rowid);
        statements.deleteDocument.run(rowid);
        erased += 1;
      }
      this.#writableSourceNames().removeUnused(origins);
      age.marks.lowerTo(Number(statements.last.get()?.['last'] ?? -1));
    });
    return { erased, next: doomed.length === 0 ? null : next };
  }

  /** Works the log of changes into the file: what was erased is in neither. Another reader may be in the way. */
  checkpoint(): void {
    guarded(() => this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
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

  close(): void {
    this.#database.close();
  }

  #insertUnnamed(id: string, stream: string, json: string): boolean {
    const source = withNamesAsAttributes(json);
    const fields = indexedFields(source);
    if (typeof fields === 'string') throw new Error('a document without names is one still');
    return this.#insert(id, this.#writableSourceNames().rowWithoutNames(stream), fields, source);
  }

  #insert(id: string, origin: number, fields: IndexedFields, source: string): boolean {
    const statements = this.#writable();
    const { changes, lastInsertRowid } = statements.insertDocument.run(
      id,
      origin,
      fields.time,
      fields.sequence,
      fields.ingestedMs,
      source,
      fields.created,
    );
    if (Number(changes) === 0) return false;
    statements.insertWords.run(lastInsertRowid, fields.message, fields.attributes);
    return true;
  }

  #transaction(work: (statements: DocumentStatements) => void): void {
    const statements = this.#writable();
    guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        this.#sourceNames?.startTransaction();
        work(statements);
        this.#database.exec('COMMIT');
      } catch (error) {
        // What it made is gone with it.
        this.#sourceNames?.forget();
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #writable(): DocumentStatements {
    return this.#statements ?? readOnly();
  }

  #writableSourceNames(): SourceNames {
    return this.#sourceNames ?? readOnly();
  }
}

function readOnly(): never {
  throw new SluiceError('store_refused', 'Cannot write to the store: it is open for reading only');
}

function sourceNamesOptions({ namesMax, tell }: DatabaseOptions): SourceNamesOptions {
  return {
    namesMax,
    full(tenant) {
      const whose = tenant === '' ? 'Senders of no tenant have' : `The tenant ${JSON.stringify(tenant)} has`;
      tell?.(
        `${whose} brought ${namesMax} combinations of container, service, pod and tag, as many as ` +
          'names.max_per_tenant lets it have. Events under further ones are kept with these names among their ' +
          'attributes, until documents under others have ended by age',
      );
    },
  };
}
