// Forgetting sources in the database: those that the collector has forgotten, and, before anything is loaded, those
// that are gone for long or are too many, so that no start needs more memory than the last run did.
//
// Guarantees: what is forgotten goes with the number above all that its sources had, in one transaction; a transaction
// has so many sources, and no more.

import type { DatabaseSync } from 'node:sqlite';
import { removeAddedOfSources, SOURCES } from './added-tables.ts';
import { bytesOf } from './forgetting.ts';

const AT_ONCE = 2000;
/** Given back at a time. */
const FREE_PAGES = 2000;

/** Of a source that is new: above every number of those that were forgotten. */
export function firstNumberOf(database: DatabaseSync): number {
  return Number(database.prepare('SELECT first_number AS number FROM forgotten').get()?.['number'] ?? 0);
}

/** Within a transaction. */
export function forgetSources(database: DatabaseSync, paths: readonly string[], firstNumber: number): void {
  if (paths.length === 0) return;
  const removeSource = database.prepare('DELETE FROM source WHERE path = ?');
  const removeGenerations = database.prepare('DELETE FROM generation WHERE source = ?');
  for (const path of paths) {
    removeSource.run(path);
    removeGenerations.run(path);
  }
  removeAddedOfSources(database, paths);
  database
    .prepare(
      `INSERT INTO forgotten VALUES (1, ?)
       ON CONFLICT DO UPDATE SET first_number = max(first_number, excluded.first_number)`,
    )
    .run(firstNumber);
}

/** Some of what was freed goes back to the file system; outside of a transaction. */
export function giveBackPages(database: DatabaseSync): void {
  database.exec(`PRAGMA incremental_vacuum(${FREE_PAGES})`);
}

const IS_GONE = "NOT EXISTS (SELECT 1 FROM generation WHERE source = path AND identity != '')";
/** Earlier versions did not say since when. */
const SINCE = 'CASE gone_ms WHEN 0 THEN first_ms ELSE gone_ms END';

export interface ForgetRowsOptions {
  /** What is gone since then, and longer, is forgotten. */
  readonly goneBeforeMs: number;
  /** What is known may take so much memory, about; beyond, what is gone longest is forgotten. */
  readonly bytesMax: number;
}

/** Returns how many sources were forgotten. */
export function forgetInSteps(database: DatabaseSync, { goneBeforeMs, bytesMax }: ForgetRowsOptions): number {
  const tooManyMs = tooManySinceMs(database, bytesMax);
  const page = database.prepare(
    `SELECT path, next, ${SINCE} AS since, gone_ms FROM ${SOURCES} WHERE path > ? AND ${IS_GONE} ORDER BY path LIMIT ?`,
  );
  let forgotten = 0;
  let after = '';
  for (;;) {
    const rows = page.all(after, AT_ONCE);
    after = String(rows.at(-1)?.['path'] ?? '');
    const due = rows.filter(
      ({ since, gone_ms: goneMs }) =>
        Number(since) < tooManyMs || (Number(goneMs) > 0 && Number(goneMs) < goneBeforeMs),
    );
    const numbers = due.map(({ next }) => Number(next));
    database.exec('BEGIN IMMEDIATE');
    const paths = due.map(({ path }) => String(path));
    try {
      forgetSources(database, paths, Math.max(0, ...numbers));
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
    if (due.length > 0) giveBackPages(database);
    forgotten += due.length;
    if (rows.length < AT_ONCE) return forgotten;
  }
}

/** What is gone for longer has to be forgotten, so that the rest is no more than that. */
function tooManySinceMs(database: DatabaseSync, bytesMax: number): number {
  const generations = '(SELECT count(*) FROM generation WHERE source = path)';
  let bytes = 0;
  const rows = database.prepare(
    `SELECT length(path) AS length, ${generations} AS generations,
       CASE WHEN ${IS_GONE} THEN ${SINCE} ELSE -1 END AS since
     FROM ${SOURCES} ORDER BY since < 0 DESC, since DESC`,
  );
  for (const { length, generations: count, since } of rows.iterate()) {
    bytes += bytesOf(Number(length), Number(count));
    if (bytes > bytesMax && Number(since) >= 0) return Number(since) + 1;
  }
  return Number.NEGATIVE_INFINITY;
}
