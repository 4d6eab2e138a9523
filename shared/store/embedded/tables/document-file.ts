// The file of the documents: its tables, and how it is opened and spoken to. Tables:
//
//   blocks, parts     documents, some thousand in a block (block-file.ts)
//   names             which names are taken (document-names.ts)
//   origins           the combinations of data stream, container, service, pod and tag that documents come from, and
//                     how many there are of each (source-names.ts)
//   counters          `row`: the number that was given to the last document; `names_left`: names of documents that went
//                     without them, for a block was damaged
//   documents, words  before version 4: a row and a full-text posting for each document (old-rows.ts). A program of
//                     before may have them open while this one makes blocks of them: `documents` gets another name, so
//                     that it writes no more, and says so

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { isDamaged, isFull, keepPrivate } from '#shared/sqlite/database.ts';
import { hasTable, KEPT_TABLE, OLD_TABLE } from './old-tables.ts';
import { BLOCK_TABLES } from './block-file.ts';
import { SMALL_BLOCKS_INDEX } from './block-merge.ts';
import { keepReserve, withReserve } from './disk-reserve.ts';
import { NAMES_TABLE } from './document-names.ts';

/** 2: documents.created. 3: origins.pod. 4: blocks in place of documents and words. */
const SCHEMA_VERSION = 4;
/** The first versions with pods among the names, and with blocks. */
export const PODS_VERSION = 3;
export const BLOCKS_VERSION = 4;
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
    service TEXT NOT NULL, pod TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT '',
    documents INTEGER NOT NULL DEFAULT 0, UNIQUE (stream, container_id, container_name, service, pod, tag)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO counters VALUES ('row', 0);
  ${BLOCK_TABLES}
  ${SMALL_BLOCKS_INDEX}
  ${NAMES_TABLE}
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export interface FileOptions {
  readonly folder: string;
  readonly readOnly: boolean;
  tell?(message: string): void;
}

/** `folder` is made if missing, unless read only. Rejects a file of a later version. */
export function openFile(options: FileOptions): DatabaseSync {
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
    const database = withReserve(options.folder, () => opened(file, options));
    if (!options.readOnly) keepReserve(options.folder);
    return database;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const reason = isDamaged(error) ? damageText(file, error) : reasonOf(error);
    const told = isFull(error) ? 'no space is left on its disk; free some' : reason;
    throw new SluiceError('data_dir_unusable', `Cannot open the embedded store at ${file}: ${told}`, {
      cause: error,
    });
  }
}

/** Nothing is moved away by itself: a part of it may be readable, and nobody else has its documents. */
function damageText(file: string, error: unknown): string {
  return (
    `it is damaged (${reasonOf(error)}). "sluice store export" may still read some of it. ` +
    `To begin a new store, stop Sluice, and move ${file}, ${FILE}-wal and ${FILE}-shm to another folder`
  );
}

function opened(file: string, { readOnly, tell }: FileOptions): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly, timeout: BUSY_TIMEOUT_MS });
  try {
    checkVersion(database, file);
    // The version stands in the header; what else is on its page is read with the list of tables.
    database.prepare('SELECT 1 FROM sqlite_schema').get();
    if (readOnly) return database;
    setUp(database);
    try {
      makeTables(database);
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      // They are there already.
      if (!isFull(error) || versionOf(database) !== SCHEMA_VERSION || hasTable(database, OLD_TABLE)) throw error;
      tell?.(
        'No space is left on the disk of the embedded store: it can be read, and takes documents when there is some',
      );
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function setUp(database: DatabaseSync): void {
  // Before the first table, else it has no effect; but it is written each time.
  if (versionOf(database) === 0) database.exec('PRAGMA auto_vacuum = INCREMENTAL');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  // Blocks are written once, and names and lists are changed at their ends: no more was ever quicker.
  database.exec('PRAGMA cache_size = -8000');
  database.exec('PRAGMA secure_delete = ON');
}

function makeTables(database: DatabaseSync): void {
  try {
    makeOrUpgrade(database, countOldRows);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    // The store is opened all the same.
    if (database.isTransaction) database.exec('ROLLBACK');
    makeOrUpgrade(database, () => UNCOUNTED);
  }
}

/** `count` is called when no other program can write any more. */
function makeOrUpgrade(database: DatabaseSync, count: (database: DatabaseSync) => OldCounts): void {
  database.exec('BEGIN IMMEDIATE');
  const version = versionOf(database);
  const isOld = version > 0 && version < BLOCKS_VERSION;
  const counted = isOld ? count(database) : UNCOUNTED;
  if (isOld) database.exec('ALTER TABLE origins RENAME TO origins_before');
  if (hasTable(database, OLD_TABLE)) {
    database.exec(`ALTER TABLE ${OLD_TABLE} RENAME TO ${KEPT_TABLE}`);
    // It had its name for a while beside blocks, and a program of before wrote rows that were never counted.
    if (!isOld) database.exec(`UPDATE origins SET documents = documents + ${MANY}`);
  }
  database.exec(SCHEMA);
  if (version < BLOCKS_VERSION) database.exec("INSERT INTO counters VALUES ('names_left', 0)");
  if (isOld) copyOrigins(database, counted);
  database.exec('COMMIT');
}

interface OldCounts {
  /** Documents of each origin, as JSON; null: that is not known, and all of them are kept. */
  readonly documents: string | null;
  readonly lastRow: number;
}

/** More than a store has. */
const MANY = 2 ** 40;
const UNCOUNTED: OldCounts = { documents: null, lastRow: MANY };

function countOldRows(database: DatabaseSync): OldCounts {
  const counted = database.prepare('SELECT origin, count(*) AS n FROM documents GROUP BY origin').all();
  const documents = Object.fromEntries(counted.map(({ origin, n }) => [String(origin), Number(n)]));
  const last = database.prepare('SELECT max(rowid) AS last FROM documents').get()?.['last'];
  return { documents: JSON.stringify(documents), lastRow: Number(last ?? 0) };
}

/**
 * Into the new table, with the row numbers that documents have: a column of a key cannot be added. The documents stay
 * as they are; database.ts turns them into blocks.
 */
function copyOrigins(database: DatabaseSync, { documents, lastRow }: OldCounts): void {
  const columns = new Set(
    database
      .prepare("SELECT name FROM pragma_table_info('origins_before')")
      .all()
      .map(({ name }) => name),
  );
  const textOf = (column: string): string => (columns.has(column) ? `o.${column}` : "''");
  const copy = database.prepare(`
    INSERT INTO origins (rowid, stream, container_id, container_name, service, pod, tag, tenant, documents)
      SELECT o.rowid, o.stream, o.container_id, o.container_name, o.service, ${textOf('pod')}, o.tag,
        ${textOf('tenant')},
        CASE WHEN ?1 IS NULL THEN ${MANY} ELSE coalesce(json_extract(?1, '$."' || o.rowid || '"'), 0) END
      FROM origins_before o
  `);
  copy.run(documents);
  database.exec('DROP TABLE origins_before');
  database.prepare("UPDATE counters SET value = ? WHERE name = 'row'").run(lastRow);
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
