// The thread of the checkpoints: opens their database, gives all of it at the start, and writes what has changed, one
// transaction at a time, synced. Started by `startWorker('checkpoint-thread', …)`; nothing else may import it, but
// for its types.
//
// Checkpoints only save reading, except for one thing: the numbers of generations, which no two files of a name may
// share. So a number is written before the first line of its file goes to the queue.

import { join } from 'node:path';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { isDamaged, lockFolder, makeFolder, openDatabase, setAside } from '#shared/sqlite/database.ts';
import { serveWorker } from '#shared/sqlite/worker-thread.ts';

export interface SourceRow {
  readonly path: string;
  /** Of the next file with this name. */
  readonly nextGeneration: number;
  /** When the source was first seen, ms since the epoch. */
  readonly firstMs: number;
  /** What is said of it beside its path. */
  readonly facts: string;
}

export interface GenerationRow {
  readonly source: string;
  readonly number: number;
  /** Of the file that has its bytes; empty where none is known any more. */
  readonly identity: string;
  /** Lines before it are held by the queue. */
  readonly offset: number;
  /** The chain of names, and CRC-32 of the bytes, at the offset. */
  readonly chain: Uint8Array;
  readonly crc32: number;
  /** Lines of which parts are before the offset; empty for none. */
  readonly open: string;
  /** A hash of the bytes just before the offset. */
  readonly tail: string;
  /** `length:hash` of the first bytes; at offset 0, of the first lines that were given. Empty for none. */
  readonly head: string;
  /** The largest size that the file was seen to have; of a compressed one, of what it unpacks to. */
  readonly size: number;
  /** To where a last line without an end is held by the queue; 0 for none. */
  readonly unfinishedEnd: number;
  /** When the file was last written, as of `size`, ms since the epoch; 0 where that is not known. */
  readonly writtenMs: number;
  /** Lines before it are not wanted; negative: lines before its opposite were passed over. */
  readonly skipEnd: number;
}

/** A file that holds nothing that was not read. */
interface ExaminedRow {
  readonly identity: string;
  readonly size: number;
}

export interface CheckpointRows {
  readonly sources: readonly SourceRow[];
  readonly generations: readonly GenerationRow[];
  readonly examined: readonly ExaminedRow[];
}

export interface CheckpointChanges extends CheckpointRows {
  readonly removedGenerations: readonly Pick<GenerationRow, 'source' | 'number'>[];
  readonly removedExamined: readonly string[];
}

export interface CheckpointMethods {
  /** `setAside`: where a damaged database lies now, if there was one. */
  load(argument: null): CheckpointRows & { readonly setAside: string | null };
  save(changes: CheckpointChanges): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS source (path TEXT PRIMARY KEY, next INTEGER NOT NULL, first_ms INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS generation (
    source TEXT NOT NULL, number INTEGER NOT NULL, identity TEXT NOT NULL, offset INTEGER NOT NULL, chain BLOB NOT NULL,
    crc32 INTEGER NOT NULL, tail TEXT NOT NULL, head TEXT NOT NULL, size INTEGER NOT NULL,
    unfinished_end INTEGER NOT NULL, written_ms REAL NOT NULL, skip_end INTEGER NOT NULL, PRIMARY KEY (source, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS examined (identity TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

serveWorker<{ readonly folder: string }, CheckpointMethods>(({ folder }) => {
  makeFolder(folder);
  const lock = lockFolder(folder);
  const file = join(folder, 'files.sqlite');
  let aside: string | null = null;
  let database: DatabaseSync;
  try {
    database = open(file);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    aside = setAside(file, new Date());
    database = open(file);
  }
  return {
    methods: {
      load: () => ({ ...rowsOf(database), setAside: aside }),
      save: (changes) => save(database, changes),
    },
    close() {
      database.close();
      lock[Symbol.dispose]();
    },
  };
});

function open(file: string): DatabaseSync {
  return openDatabase(file, { readOnly: false, timeoutMs: 1000 }, (database) => {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec(SCHEMA);
    addColumn(database, 'source', 'facts');
    addColumn(database, 'generation', 'open');
    const problem = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (problem !== 'ok') throw Object.assign(new Error(String(problem)), { errcode: SQLITE_CORRUPT });
  });
}

/** What an older Sluice has saved has no such column. */
function addColumn(database: DatabaseSync, table: string, name: string): void {
  const columns = database.prepare(`PRAGMA table_info(${table})`).all();
  if (columns.some((column) => column['name'] === name)) return;
  database.exec(`ALTER TABLE ${table} ADD COLUMN ${name} TEXT NOT NULL DEFAULT ''`);
}

const SQLITE_CORRUPT = 11;

function rowsOf(database: DatabaseSync): CheckpointRows {
  const all = (table: string): Record<string, SQLOutputValue>[] => database.prepare(`SELECT * FROM ${table}`).all();
  return {
    sources: all('source').map((row) => ({
      path: String(row['path']),
      nextGeneration: Number(row['next']),
      firstMs: Number(row['first_ms']),
      facts: String(row['facts']),
    })),
    generations: all('generation').map((row) => ({
      source: String(row['source']),
      number: Number(row['number']),
      identity: String(row['identity']),
      offset: Number(row['offset']),
      chain: row['chain'] as Uint8Array,
      crc32: Number(row['crc32']),
      tail: String(row['tail']),
      head: String(row['head']),
      size: Number(row['size']),
      unfinishedEnd: Number(row['unfinished_end']),
      writtenMs: Number(row['written_ms']),
      skipEnd: Number(row['skip_end']),
      open: String(row['open']),
    })),
    examined: all('examined').map((row) => ({ identity: String(row['identity']), size: Number(row['size']) })),
  };
}

function save(database: DatabaseSync, changes: CheckpointChanges): void {
  const putSource = database.prepare('INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)');
  const putGeneration = database.prepare(
    'INSERT OR REPLACE INTO generation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const putExamined = database.prepare('INSERT OR REPLACE INTO examined VALUES (?, ?)');
  const removeGeneration = database.prepare('DELETE FROM generation WHERE source = ? AND number = ?');
  const removeExamined = database.prepare('DELETE FROM examined WHERE identity = ?');
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const one of changes.sources) putSource.run(one.path, one.nextGeneration, one.firstMs, one.facts);
    for (const one of changes.generations) {
      const { source, number, identity, offset, chain, crc32, tail, head, size } = one;
      const { unfinishedEnd, writtenMs, skipEnd, open: openLines } = one;
      const known = [source, number, identity, offset, chain, crc32, tail, head, size] as const;
      putGeneration.run(...known, unfinishedEnd, writtenMs, skipEnd, openLines);
    }
    for (const { identity, size } of changes.examined) putExamined.run(identity, size);
    for (const { source, number } of changes.removedGenerations) removeGeneration.run(source, number);
    for (const identity of changes.removedExamined) removeExamined.run(identity);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
