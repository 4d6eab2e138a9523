// What is kept of sources and generations since logs of containers are collected, in tables of its own: an older Sluice
// writes all columns of the tables that it knows, so one more of them would let it save nothing. It does not know
// these: it neither changes nor removes what they say, so that is taken only for what it was said of. The places in
// journals are beside them (journal-places.ts).

import type { DatabaseSync } from 'node:sqlite';

interface AddedOfSource {
  readonly path: string;
  readonly facts: string;
  readonly goneMs: number;
}

interface NumberedRow {
  readonly source: string;
  readonly number: number;
}

interface OpenLines extends NumberedRow {
  readonly offset: number;
  readonly open: string;
}

/** `offset`: the place of the generation of which the lines are open. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS source_added (path TEXT PRIMARY KEY, facts TEXT NOT NULL, gone_ms INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS open_lines (
    source TEXT NOT NULL, number INTEGER NOT NULL, offset INTEGER NOT NULL, lines TEXT NOT NULL,
    PRIMARY KEY (source, number)
  ) STRICT, WITHOUT ROWID;
`;

/** Columns of a source and of what was added to it. */
export const SOURCES = `(
  SELECT path, next, first_ms, COALESCE(facts, '') AS facts, COALESCE(gone_ms, 0) AS gone_ms
  FROM source LEFT JOIN source_added USING (path)
)`;

/** The same of a generation. */
export const GENERATIONS = `(
  SELECT generation.*, COALESCE(open_lines.lines, '') AS open
  FROM generation LEFT JOIN open_lines USING (source, number)
)`;

export function prepareAdded(database: DatabaseSync): void {
  database.exec(SCHEMA);
  database.exec('DELETE FROM source_added WHERE path NOT IN (SELECT path FROM source)');
  database.exec(
    'DELETE FROM open_lines WHERE (source, number, offset) NOT IN (SELECT source, number, offset FROM generation)',
  );
}

/** In a transaction, as all that follows. */
export function putAddedOfSources(database: DatabaseSync, sources: readonly AddedOfSource[]): void {
  const put = database.prepare('INSERT OR REPLACE INTO source_added (path, facts, gone_ms) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM source_added WHERE path = ?');
  for (const { path, facts, goneMs } of sources) {
    if (facts === '' && goneMs === 0) remove.run(path);
    else put.run(path, facts, goneMs);
  }
}

export function putOpenLines(database: DatabaseSync, generations: readonly OpenLines[]): void {
  const put = database.prepare('INSERT OR REPLACE INTO open_lines (source, number, offset, lines) VALUES (?, ?, ?, ?)');
  const remove = database.prepare('DELETE FROM open_lines WHERE source = ? AND number = ?');
  for (const { source, number, offset, open } of generations) {
    if (open === '') remove.run(source, number);
    else put.run(source, number, offset, open);
  }
}

export function removeOpenLines(database: DatabaseSync, generations: readonly NumberedRow[]): void {
  const remove = database.prepare('DELETE FROM open_lines WHERE source = ? AND number = ?');
  for (const { source, number } of generations) remove.run(source, number);
}

export function removeAddedOfSources(database: DatabaseSync, paths: readonly string[]): void {
  const removeSource = database.prepare('DELETE FROM source_added WHERE path = ?');
  const removeLines = database.prepare('DELETE FROM open_lines WHERE source = ?');
  for (const path of paths) {
    removeSource.run(path);
    removeLines.run(path);
  }
}
