// The query form of store.ts as SQL over the tables of document-file.ts. Pure.
//
// Order: time, sequence, rowid. All three are in each index, so a page goes on exactly after the last document of the
// one before. What is put in order are these three only, never the documents: SQLite would hold as many of them as the
// limit says.

import { clampInstant, parseInstant } from '../instant.ts';
import { parseQueryText, type QueryTerm } from '../query-text.ts';
import type { StoreQuery } from '../store.ts';

type SqlValue = string | number | bigint;

export interface SqlQuery {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/**
 * Rowids in order. `origins`: rowids of what the query's name matches; null where it has none. Null where a bound is no
 * moment.
 */
export function searchSql(query: StoreQuery, origins: readonly number[] | null): SqlQuery | null {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const add = (condition: string, ...given: SqlValue[]) => {
    conditions.push(condition);
    values.push(...given);
  };
  for (const [bound, operator] of [
    [query.since, '>='],
    [query.until, '<'],
  ] as const) {
    if (bound === undefined) continue;
    const ns = parseInstant(bound);
    if (ns === null) return null;
    add(`d.time ${operator} ?`, clampInstant(ns));
  }
  if (query.ingestedSinceMs !== undefined) add('d.ingested >= ?', query.ingestedSinceMs);
  if (query.ingestedUntilMs !== undefined) add('d.ingested < ?', query.ingestedUntilMs);
  if (origins?.length === 1) add('d.origin = ?', ...origins);
  // As one value: SQLite takes 32,766 of them, and a pattern may mean more names than that.
  else if (origins !== null) add('d.origin IN (SELECT value FROM json_each(?))', JSON.stringify(origins));
  const match = matchText(parseQueryText(query.text ?? ''));
  if (match !== '') add('d.rowid IN (SELECT rowid FROM words WHERE words MATCH ?)', match);
  if (query.after !== undefined) {
    const [time = 0, sequence = 0, rowid = 0] = query.after;
    add(
      `(d.time, d.sequence, d.rowid) ${query.order === 'oldest' ? '>' : '<'} (?, ?, ?)`,
      BigInt(time),
      sequence,
      rowid,
    );
  }
  const direction = query.order === 'oldest' ? 'ASC' : 'DESC';
  const sql = `SELECT d.rowid AS rowid FROM documents d ${indexFor(query, origins, match)}
    ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
    ORDER BY d.time ${direction}, d.sequence ${direction}, d.rowid ${direction} LIMIT ?`;
  return { sql, values: [...values, query.limit] };
}

/** The planner has no statistics; we know which of the bounds is the narrow one. */
function indexFor(query: StoreQuery, origins: readonly number[] | null, match: string): string {
  if (match !== '') return '';
  if (query.ingestedSinceMs !== undefined) return 'INDEXED BY documents_by_ingested';
  if (origins?.length === 1) return 'INDEXED BY documents_by_origin';
  return 'INDEXED BY documents_by_time';
}

/** Words hold letters, marks, digits and `_` only, so nothing needs escaping inside the quotes. */
function matchText(terms: readonly QueryTerm[]): string {
  return terms.map((term) => `"${term.words.join(' ')}"${term.prefix ? ' *' : ''}`).join(' AND ');
}

/** Which origins a name means: see StoreQuery.name. A column that is empty has no name, whatever the pattern. */
export function originsSql(name: string): SqlQuery {
  if (name.includes('*')) {
    const glob = name.replaceAll(/[?[]/g, '[$&]');
    const matches = ['container_name', 'service', 'tag'].map((column) => `(${column} GLOB ? AND ${column} <> '')`);
    return { sql: `SELECT rowid FROM origins WHERE ${matches.join(' OR ')}`, values: [glob, glob, glob] };
  }
  const byId = name.length >= 4 ? 'substr(container_id, 1, length(?)) = ?' : 'container_id = ? AND container_id = ?';
  return {
    sql: `SELECT rowid FROM origins WHERE ? <> '' AND (container_name = ? OR service = ? OR tag = ? OR (${byId}))`,
    values: [name, name, name, name, name, name],
  };
}
