// The file of the documents: its tables, and how it is opened and spoken to. Tables:
//
//   documents  one row a document: id, origin → origins, time (ns), sequence, ingested (ms), source (JSON as it
//              came), created (ns): when it arrived, where `time` is the line's own
//   origins    the combinations of data stream, container, service, pod and tag of documents (source-names.ts)
//   words      FTS5 index over message and attributes; holds no text of its own, rowid = documents.rowid
//              (SQLite's tables of letters are older than Unicode 9: words in scripts that came later are not found)

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { keepPrivate } from '#shared/sqlite/database.ts';

/** 2: documents.created. 3: origins.pod. */
const SCHEMA_VERSION = 3;
export const FILE = 'documents.sqlite';
/** Another process may be writing (`sluice setup`, a second indexer); ours are short. */
const BUSY_TIMEOUT_MS = 10_000;
/**
 * Pages of the log before it is worked into the file. Larger saves writing hot pages again and again; it bounds the
 * log's size.
 */
const CHECKPOINT_PAGES = 8000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS origins (
    rowid INTEGER PRIMARY KEY, stream TEXT NOT NULL, container_id TEXT NOT NULL, container_name TEXT NOT NULL,
    service TEXT NOT NULL, pod TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL,
    tenant TEXT NOT NULL DEFAULT '',
    UNIQUE (stream, container_id, container_name, service, pod, tag)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS documents (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL, time INTEGER NOT NULL,
    sequence INTEGER NOT NULL, ingested INTEGER NOT NULL, source TEXT NOT NULL, created INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS documents_by_time ON documents (time, sequence);
  CREATE INDEX IF NOT EXISTS documents_by_origin ON documents (origin, time, sequence);
  CREATE INDEX IF NOT EXISTS documents_by_arrival ON documents (origin, sequence, time);
  CREATE INDEX IF NOT EXISTS documents_by_ingested ON documents (ingested);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    message, attributes, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co' tokenchars '_'"
  );
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

type StatementName =
  'has' | 'hasRow' | 'insertDocument' | 'insertWords' | 'last' | 'expired' | 'deleteWords' | 'deleteDocument';

export type DocumentStatements = Readonly<Record<StatementName, StatementSync>>;

export function prepareStatements(database: DatabaseSync): DocumentStatements {
  const statements = {
    has: database.prepare('SELECT 1 FROM documents WHERE id = ?'),
    hasRow: database.prepare('SELECT 1 FROM documents WHERE id = ? AND rowid = ?'),
    insertDocument: database.prepare(
      'INSERT INTO documents (id, origin, time, sequence, ingested, source, created) VALUES (?, ?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT (id) DO NOTHING',
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

/** `folder` is made if missing, unless read only. Rejects a file of a later version. */
export function openFile(options: { readonly folder: string; readonly readOnly: boolean }): DatabaseSync {
  const file = join(options.folder, FILE);
  if (options.readOnly && !exists(file)) {
    throw new SluiceError(
      'store_unavailable',
      `Cannot read the embedded store: there is none at ${file}; is data.dir right, and has sluice run been started ` +
        'with it?',
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
  database.exec('BEGIN IMMEDIATE');
  const version = versionOf(database);
  if (version === 1) database.exec('ALTER TABLE documents ADD COLUMN created INTEGER');
  const isBeforePods = version === 1 || version === 2;
  if (isBeforePods) database.exec('ALTER TABLE origins RENAME TO origins_before');
  database.exec(SCHEMA);
  if (isBeforePods) copyOrigins(database);
  database.exec('COMMIT');
}

/** Into the new table, with the row numbers that documents have: a column of a key cannot be added. */
function copyOrigins(database: DatabaseSync): void {
  // The first version knew no tenants: what it has counts as of none.
  const column = database.prepare("SELECT 1 FROM pragma_table_info('origins_before') WHERE name = 'tenant'");
  const tenant = column.get() === undefined ? "''" : 'tenant';
  database.exec(`
    INSERT INTO origins (rowid, stream, container_id, container_name, service, pod, tag, tenant)
      SELECT rowid, stream, container_id, container_name, service, '', tag, ${tenant} FROM origins_before;
    DROP TABLE origins_before;
  `);
}

/** 0: nothing was made yet. */
export function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

function checkVersion(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
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
export function guarded<T>(work: () => T): T {
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
