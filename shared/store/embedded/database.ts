// The documents in SQLite, for one thread. Tables:
//
//   documents  one row a document: id, origin → origins, time (ns), sequence, ingested (ms), source (JSON as it came)
//   origins    the combinations of data stream, container, service and tag that documents come from (source-names.ts)
//   words      FTS5 index over message and attributes; holds no text of its own, rowid = documents.rowid
//              (SQLite's tables of letters are older than Unicode 9: words in scripts that came later are not found)
//
// Guarantees: what `write` returned is on the disk (WAL with synchronous=FULL: one fsync of the log a commit). Less
// would not do: the queue's offsets are committed, fsynced, after this, and a power cut must not take documents that
// the queue will not give again. A crash at any moment leaves whole bulk requests only. Readers in other processes see
// each commit at once.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { AgeMarks } from '#shared/sqlite/age-marks.ts';
import { type Presence, keepPrivate, watchDatabase } from '#shared/sqlite/database.ts';
import { type Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery } from '../store.ts';
import { indexedFields, type IndexedFields } from './indexed-fields.ts';
import { SourceNames, type SourceNamesOptions, withNamesAsAttributes } from './source-names.ts';
import { PageReader, type RowPage } from './page-reader.ts';

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

const SCHEMA_VERSION = 1;
const FILE = 'documents.sqlite';
/** Another process may be writing (`sluice setup`, a second indexer); ours are short. */
const BUSY_TIMEOUT_MS = 10_000;
/**
 * Pages of the log before it is worked into the file. Larger saves writing hot pages again and again; it bounds the
 * log's size.
 */
const CHECKPOINT_PAGES = 8000;

/**
 * What one step deletes at most, and one document more: all pages of a document are looked at, and no write is done
 * meanwhile.
 */
const EXPIRE_BYTES = 16 * 1024 * 1024;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS origins (
    rowid INTEGER PRIMARY KEY, stream TEXT NOT NULL, container_id TEXT NOT NULL, container_name TEXT NOT NULL,
    service TEXT NOT NULL, tag TEXT NOT NULL, UNIQUE (stream, container_id, container_name, service, tag)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS documents (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL, time INTEGER NOT NULL,
    sequence INTEGER NOT NULL, ingested INTEGER NOT NULL, source TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS documents_by_time ON documents (time, sequence);
  CREATE INDEX IF NOT EXISTS documents_by_origin ON documents (origin, time, sequence);
  CREATE INDEX IF NOT EXISTS documents_by_ingested ON documents (ingested);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    message, attributes, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co' tokenchars '_'"
  );
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export class DocumentDatabase {
  readonly #database: DatabaseSync;
  /** Null where it is open for reading only. */
  readonly #sourceNames: SourceNames | null;
  readonly #statements: ReturnType<typeof prepare> | null;
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
    this.#statements = options.readOnly ? null : prepare(this.#database);
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
        if (bytes > EXPIRE_BYTES) break;
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

  /** What was written to a file that has no name any more is gone when this process ends: the queue must keep it. */
  #requirePresence(): void {
    const presence = this.#presence();
    if (presence === 'there') return;
    const what = presence === 'gone' ? 'was deleted' : 'was replaced';
    throw new SluiceError(
      'store_unavailable',
      `Cannot use the embedded store: ${this.#file} (or its WAL) ${what} while it was used; put it back, or restart Sluice to begin a new one`,
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
    );
    if (Number(changes) === 0) return false;
    statements.insertWords.run(lastInsertRowid, fields.message, fields.attributes);
    return true;
  }

  #transaction(work: (statements: ReturnType<typeof prepare>) => void): void {
    const statements = this.#writable();
    guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        this.#sourceNames?.begin();
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

  #writable(): ReturnType<typeof prepare> {
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
        `${whose} brought ${namesMax} combinations of container, service and tag, as many as names.max_per_tenant lets it have. ` +
          'Events under further ones are kept with these names among their attributes, until documents under others have ended by age',
      );
    },
  };
}

function prepare(
  database: DatabaseSync,
): Record<
  'has' | 'insertDocument' | 'insertWords' | 'last' | 'expired' | 'deleteWords' | 'deleteDocument',
  StatementSync
> {
  const statements = {
    has: database.prepare('SELECT 1 FROM documents WHERE id = ?'),
    insertDocument: database.prepare(
      'INSERT INTO documents (id, origin, time, sequence, ingested, source) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    ),
    insertWords: database.prepare('INSERT INTO words (rowid, message, attributes) VALUES (?, ?, ?)'),
    last: database.prepare('SELECT max(rowid) AS last FROM documents'),
    expired: database.prepare(
      'SELECT rowid, origin, octet_length(source) AS bytes FROM documents WHERE rowid <= ? ORDER BY rowid LIMIT ?',
    ),
    deleteWords: database.prepare('DELETE FROM words WHERE rowid = ?'),
    deleteDocument: database.prepare('DELETE FROM documents WHERE rowid = ?'),
  };
  // FTS5 makes rows with huge ids of its own, and every `run` tells the last one made, whatever it was.
  for (const statement of Object.values(statements)) statement.setReadBigInts(true);
  return statements;
}

function openFile(options: DatabaseOptions): DatabaseSync {
  const file = join(options.folder, FILE);
  if (options.readOnly && !exists(file)) {
    throw new SluiceError(
      'store_unavailable',
      `Cannot read the embedded store: there is none at ${file}; is data.dir right, and has sluice run been started with it?`,
    );
  }
  try {
    if (!options.readOnly) {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      keepPrivate(file);
    }
    const database = new DatabaseSync(file, { readOnly: options.readOnly, timeout: BUSY_TIMEOUT_MS });
    checkVersion(database, file);
    if (!options.readOnly) makeTables(database);
    return database;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('data_dir_unusable', `Cannot open the embedded store at ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function makeTables(database: DatabaseSync): void {
  // Before the first table, else it has no effect.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.exec('PRAGMA cache_size = -32000');
  database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
}

function checkVersion(database: DatabaseSync, file: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > SCHEMA_VERSION) {
    throw new SluiceError(
      'data_dir_unusable',
      `Cannot open the embedded store at ${file}: a newer Sluice made it (version ${version})`,
    );
  }
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** What SQLite throws, as the store's errors. Whatever it is, the transaction is undone and may be tried again. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const code = typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
    const reason = code === SQLITE_FULL ? 'no space is left on its disk' : reasonOf(error);
    throw new SluiceError(
      code === SQLITE_BUSY ? 'store_overloaded' : 'store_unavailable',
      `Cannot use the embedded store: ${reason}`,
      { cause: error },
    );
  }
}
