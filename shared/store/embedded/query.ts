// The query form of store.ts as SQL over the tables of document-file.ts. Pure.
//
// Order: time, sequence, rowid. All three are in each index, so a page goes on exactly after the last document of the
// one before. What is put in order are these three only, never the documents: SQLite would hold as many of them as the
// limit says.

import { clampInstant, parseInstant } from '../instant.ts';
import { parseQueryText, type QueryTerm } from '../query-text.ts';
import { CONTAINER_ID_MIN, type StoreQuery } from '../store.ts';
import { whereSql } from './where-sql.ts';

type SqlValue = string | number | bigint;

const ROWID_MAX = 2n ** 63n - 1n;

export interface SqlQuery {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/**
 * Rowids in order; `isToBeRead`: more of them than are meant, so that each document has to be asked (matches.ts).
 * `origins`: rowids of what the query's name matches; null where it has none. Null where a bound is no
 * moment.
 */
export function searchSql(
  query: StoreQuery,
  origins: readonly number[] | null,
): (SqlQuery & { readonly isToBeRead: boolean }) | null {
  const found = conditionsOf(query, origins);
  if (found === null) return null;
  const { conditions, values, match, isToBeRead } = found;
  const isByArrival = query.by === 'arrival';
  const columns = isByArrival ? ['d.sequence', 'd.time', 'd.rowid'] : ['d.time', 'd.sequence', 'd.rowid'];
  if (query.after !== undefined) {
    const isOldest = query.order === 'oldest';
    const [time = 0, sequence = 0, rowid = isOldest ? -1 : ROWID_MAX] = query.after;
    conditions.push(`(${columns.join(', ')}) ${isOldest ? '>' : '<'} (?, ?, ?)`);
    const bounds = isByArrival ? [sequence, BigInt(time)] : [BigInt(time), sequence];
    values.push(...bounds, rowid);
  }
  addMatch(found);
  const direction = query.order === 'oldest' ? 'ASC' : 'DESC';
  const sql = `SELECT d.rowid AS rowid FROM documents d ${indexFor(query, origins, match)} ${whereOf(conditions)}
    ORDER BY ${columns.map((column) => `${column} ${direction}`).join(', ')} LIMIT ?`;
  // What has to be read first cannot be counted here.
  return { sql, values: [...values, isToBeRead ? -1 : query.limit], isToBeRead };
}

/** How many documents there are of it. Null where a bound is no moment. */
export function countSql(query: StoreQuery, origins: readonly number[] | null): SqlQuery | null {
  const found = conditionsOf(query, origins);
  if (found === null) return null;
  const { conditions, values, match } = found;
  addMatch(found);
  const sql = `SELECT count(*) AS n FROM documents d ${indexFor(query, origins, match)} ${whereOf(conditions)}`;
  return { sql, values };
}

/** Where a step of an erasure goes on: after this row. */
export interface EraseCursor {
  /** ns, in digits. */
  readonly time: string;
  readonly sequence: number;
  readonly rowid: number;
}

/**
 * The next documents of the query after the cursor. In the order in which SQLite finds them, so that all steps together
 * look at each document once: by time, or by row where words are looked for. Null where a bound is no moment.
 */
export function eraseSql(
  query: StoreQuery,
  origins: readonly number[] | null,
  after: EraseCursor | null,
): SqlQuery | null {
  const found = conditionsOf(query, origins);
  if (found === null) return null;
  const { conditions, values, match } = found;
  const columns = `d.rowid AS rowid, d.id AS id, d.origin AS origin, octet_length(d.source) AS bytes,
    CAST(d.time AS TEXT) AS time, d.sequence AS sequence`;
  if (match !== '') {
    conditions.push('words MATCH ?', 'words.rowid > ?');
    values.push(match, after?.rowid ?? -1);
    const sql = `SELECT ${columns} FROM words CROSS JOIN documents d ON d.rowid = words.rowid ${whereOf(conditions)}
      ORDER BY words.rowid LIMIT ?`;
    return { sql, values: [...values, query.limit] };
  }
  if (after !== null) {
    conditions.push('(d.time, d.sequence, d.rowid) > (?, ?, ?)');
    values.push(BigInt(after.time), after.sequence, after.rowid);
  }
  const sql = `SELECT ${columns} FROM documents d ${indexFor(query, origins, match)} ${whereOf(conditions)}
    ORDER BY d.time, d.sequence, d.rowid LIMIT ?`;
  return { sql, values: [...values, query.limit] };
}

function addMatch({ conditions, values, match }: Conditions): void {
  if (match === '') return;
  conditions.push('d.rowid IN (SELECT rowid FROM words WHERE words MATCH ?)');
  values.push(match);
}

const whereOf = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;

interface Conditions {
  readonly conditions: string[];
  readonly values: SqlValue[];
  /** Words to look for, which are no condition yet; '' where there are none. */
  readonly match: string;
  readonly isToBeRead: boolean;
}

function conditionsOf(query: StoreQuery, origins: readonly number[] | null): Conditions | null {
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
    // A line that tells its own time arrived at another.
    add(`${query.by === undefined ? 'd.time' : 'coalesce(d.created, d.time)'} ${operator} ?`, clampInstant(ns));
  }
  if (query.ingestedSinceMs !== undefined) add('d.ingested >= ?', query.ingestedSinceMs);
  if (query.ingestedUntilMs !== undefined) add('d.ingested < ?', query.ingestedUntilMs);
  if (origins?.length === 1) add('d.origin = ?', ...origins);
  // As one value: SQLite takes 32,766 of them, and a pattern may mean more names than that.
  else if (origins !== null) add('d.origin IN (SELECT value FROM json_each(?))', JSON.stringify(origins));
  const match = matchText(parseQueryText(query.text ?? ''));
  // A row of origins may be of several tenants.
  if (query.tenant !== undefined) add("json_extract(d.source, '$.tenant.id') = ?", query.tenant);
  const where = query.where === undefined ? null : whereSql(query.where);
  if (where !== null) add(where.sql, ...where.values);
  return { conditions, values, match, isToBeRead: where?.isExact === false };
}

/** The planner has no statistics; we know which of the bounds is the narrow one. */
function indexFor(query: StoreQuery, origins: readonly number[] | null, match: string): string {
  if (match !== '' || (query.where !== undefined && whereSql(query.where).isIndexed)) return '';
  if (query.ingestedSinceMs !== undefined) return 'INDEXED BY documents_by_ingested';
  if (query.by === 'arrival') return origins?.length === 1 ? 'INDEXED BY documents_by_arrival' : '';
  if (origins?.length === 1) return 'INDEXED BY documents_by_origin';
  return 'INDEXED BY documents_by_time';
}

/** Words hold letters, marks, digits and `_` only, so nothing needs escaping inside the quotes. */
function matchText(terms: readonly QueryTerm[]): string {
  return terms.map((term) => `"${term.words.join(' ')}"${term.prefix ? ' *' : ''}`).join(' AND ');
}

/**
 * Which origins a name means: see StoreQuery.name. A column that is empty has no name, whatever the pattern. `hasPods`:
 * whether the table has a column for them.
 */
export function originsSql(name: string, hasPods: boolean): SqlQuery {
  const columns = ['container_name', 'service', ...(hasPods ? ['pod'] : []), 'tag'];
  if (name.includes('*')) {
    const glob = name.replaceAll(/[?[]/g, '[$&]');
    const matches = columns.map((column) => `(${column} GLOB ? AND ${column} <> '')`);
    return { sql: `SELECT rowid FROM origins WHERE ${matches.join(' OR ')}`, values: columns.map(() => glob) };
  }
  const byId = name.length >= 4 ? 'substr(container_id, 1, length(?)) = ?' : 'container_id = ? AND container_id = ?';
  const matches = [...columns.map((column) => `${column} = ?`), `(${byId})`];
  return {
    sql: `SELECT rowid FROM origins WHERE ? <> '' AND (${matches.join(' OR ')})`,
    values: [name, ...columns.map(() => name), name, name],
  };
}

/** The same for StoreQuery.container: neither services nor tags. */
export function containersSql(name: string): SqlQuery {
  if (name.includes('*')) {
    const glob = name.replaceAll(/[?[]/g, '[$&]');
    return { sql: "SELECT rowid FROM origins WHERE container_name GLOB ? AND container_name <> ''", values: [glob] };
  }
  const byId =
    name.length >= CONTAINER_ID_MIN
      ? 'substr(container_id, 1, length(?)) = ?'
      : 'container_id = ? AND container_id = ?';
  return {
    sql: `SELECT rowid FROM origins WHERE ? <> '' AND (container_name = ? OR (${byId}))`,
    values: [name, name, name, name],
  };
}
