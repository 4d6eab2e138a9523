// The tables of the checkpoints, and what their rows say. They are read in pages, of some sources each with all of
// their generations: so neither side ever holds more than a page beside what it keeps.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { GENERATIONS, putAddedOfSources, putOpenLines, SOURCES } from './added-tables.ts';

export interface SourceRow {
  readonly path: string;
  /** Of the next file with this name. */
  readonly nextGeneration: number;
  /** When the source was first seen, ms since the epoch. */
  readonly firstMs: number;
  /** Since when it has no file, ms since the epoch; 0 while it has one, or where that is not known. */
  readonly goneMs: number;
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
  /** Lines of which parts are before the offset; empty for none. */
  readonly open: string;
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

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS source (path TEXT PRIMARY KEY, next INTEGER NOT NULL, first_ms INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS generation (
    source TEXT NOT NULL, number INTEGER NOT NULL, identity TEXT NOT NULL, offset INTEGER NOT NULL, chain BLOB NOT NULL,
    crc32 INTEGER NOT NULL, tail TEXT NOT NULL, head TEXT NOT NULL, size INTEGER NOT NULL,
    unfinished_end INTEGER NOT NULL, written_ms REAL NOT NULL, skip_end INTEGER NOT NULL, PRIMARY KEY (source, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS examined (identity TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS forgotten (one INTEGER PRIMARY KEY CHECK (one = 1), first_number INTEGER NOT NULL) STRICT;
`;

export function prepareSchema(database: DatabaseSync): void {
  database.exec(SCHEMA);
}

/** A source has at most some sixty generations. */
const PAGE_SOURCES = 500;
const PAGE_EXAMINED = 10_000;

/** First the sources, then the files that were examined. `after`: where the page before has ended. */
export function pageAfter(
  database: DatabaseSync,
  after: string | null,
): CheckpointRows & { readonly next: string | null } {
  const [table, key] = after === null ? ['s', ''] : [after.slice(0, 1), after.slice(1)];
  if (table === 'e') {
    const rows = database
      .prepare('SELECT * FROM examined WHERE identity > ? ORDER BY identity LIMIT ?')
      .all(key, PAGE_EXAMINED);
    const examined = rows.map((row) => ({ identity: String(row['identity']), size: Number(row['size']) }));
    const next = examined.length < PAGE_EXAMINED ? null : `e${examined.at(-1)?.identity ?? ''}`;
    return { sources: [], generations: [], examined, next };
  }
  const sources = database
    .prepare(`SELECT * FROM ${SOURCES} WHERE path > ? ORDER BY path LIMIT ?`)
    .all(key, PAGE_SOURCES)
    .map(sourceOf);
  const last = sources.at(-1)?.path ?? '';
  const generations = database
    .prepare(`SELECT * FROM ${GENERATIONS} WHERE source > ? AND source <= ?`)
    .all(key, last)
    .map(generationOf);
  return { sources, generations, examined: [], next: sources.length < PAGE_SOURCES ? 'e' : `s${last}` };
}

const PUT_GENERATION = `
  INSERT OR REPLACE INTO generation (
    source, number, identity, offset, chain, crc32, tail, head, size, unfinished_end, written_ms, skip_end
  ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
`;

/** In a transaction. */
export function putSources(database: DatabaseSync, sources: readonly SourceRow[]): void {
  const put = database.prepare('INSERT OR REPLACE INTO source (path, next, first_ms) VALUES (?, ?, ?)');
  for (const { path, nextGeneration, firstMs } of sources) put.run(path, nextGeneration, firstMs);
  putAddedOfSources(database, sources);
}

/** In a transaction. */
export function putGenerations(database: DatabaseSync, generations: readonly GenerationRow[]): void {
  const put = database.prepare(PUT_GENERATION);
  for (const one of generations) {
    const { source, number, identity, offset, chain, crc32, tail, head, size } = one;
    const { unfinishedEnd, writtenMs, skipEnd } = one;
    const known = [source, number, identity, offset, chain, crc32, tail, head, size] as const;
    put.run(...known, unfinishedEnd, writtenMs, skipEnd);
  }
  putOpenLines(database, generations);
}

function sourceOf(row: Record<string, SQLOutputValue>): SourceRow {
  return {
    path: String(row['path']),
    nextGeneration: Number(row['next']),
    firstMs: Number(row['first_ms']),
    goneMs: Number(row['gone_ms']),
    facts: String(row['facts']),
  };
}

function generationOf(row: Record<string, SQLOutputValue>): GenerationRow {
  return {
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
  };
}
