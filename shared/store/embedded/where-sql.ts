// A query's tree (query/where.ts) as a condition over the tables of document-file.ts. Pure.
//
// Not all of it can be said in SQL: the documents' own fields are JSON. Then the condition is a necessary one, as
// narrow as the indexes can make it, and whoever reads the documents asks matches.ts of each (`isExact` says whether).

import { clampInstant } from '../instant.ts';
import type { QueryTerm } from '../query-text.ts';
import { foundPaths } from '../ecs-fields.ts';
import { ATTRIBUTES } from '../query/fields.ts';
import type { FieldWhere, Where } from '../where.ts';
import { wordsOf } from '../words.ts';

export interface WhereSql {
  readonly sql: string;
  readonly values: readonly (string | bigint)[];
  readonly isExact: boolean;
  /** Whether it goes by an index other than that of time. */
  readonly isIndexed: boolean;
}

const ALL: WhereSql = { sql: '1', values: [], isExact: true, isIndexed: false };
const UNKNOWN: WhereSql = { ...ALL, isExact: false };

const ORIGIN_COLUMNS: Readonly<Record<string, string>> = {
  'container.id': 'container_id',
  'container.name': 'container_name',
  'service.name': 'service',
  'fluentd.tag': 'tag',
};
/** Their words are beside those of the attributes. The level's are not in documents of older versions. */
const ECS_PATHS: ReadonlySet<string> = new Set(foundPaths.filter((path) => path !== 'log.level'));
/** Of a key that stands in the JSON as it is. */
const PLAIN_KEY = /^[\w@/ -]+$/;
// Beyond ASCII, SQLite's letters and ours may differ.
// oxlint-disable-next-line no-control-regex
const PLAIN_TEXT = /^[\u0000-\u007f]*$/;
const NS_PER_MS = 1_000_000n;

export function whereSql(where: Where): WhereSql {
  const match = matchOf(where);
  if (match?.isExact === true) return matching(match);
  if ('field' in where) return match === null ? fieldSql(where) : matching(match);
  switch (where.kind) {
    case 'and': {
      const unmatched = where.nodes.filter((node) => matchOf(node) === null);
      const matched = matchOfSome(where.nodes);
      return joined([...(matched === null ? [] : [matching(matched)]), ...unmatched.map(whereSql)], ' AND ');
    }
    case 'or':
      return joined(where.nodes.map(whereSql), ' OR ');
    case 'not': {
      const inner = whereSql(where.node);
      return inner.isExact ? { ...inner, sql: `NOT (${inner.sql})`, isIndexed: false } : UNKNOWN;
    }
    case 'all':
      return ALL;
    case 'words':
      return UNKNOWN;
  }
}

function joined(parts: readonly WhereSql[], operator: ' AND ' | ' OR '): WhereSql {
  const isAnd = operator === ' AND ';
  return {
    sql: parts.length === 0 ? '1' : `(${parts.map(({ sql }) => sql).join(operator)})`,
    values: parts.flatMap(({ values }) => values),
    isExact: parts.every(({ isExact }) => isExact),
    isIndexed: isAnd ? parts.some(({ isIndexed }) => isIndexed) : parts.every(({ isIndexed }) => isIndexed),
  };
}

interface Match {
  /** For the table of words. */
  readonly text: string;
  /** Whether it says all of what it stands for. */
  readonly isExact: boolean;
}

const matching = ({ text, isExact }: Match): WhereSql => ({
  sql: 'd.rowid IN (SELECT rowid FROM words WHERE words MATCH ?)',
  values: [text],
  isExact,
  isIndexed: true,
});

/** What the table of words can say of it; null for nothing. */
function matchOf(where: Where): Match | null {
  switch (where.kind) {
    case 'words':
      return { text: phrase(where.term), isExact: true };
    case 'text':
      return where.field.path === 'message'
        ? { text: `message : ${phrase(where.term)}`, isExact: true }
        : { text: `attributes : ${phrase(where.term)}`, isExact: false };
    case 'equals':
      return where.number === null || where.field.kind === 'keyword' ? attributeMatch(where, where.value, false) : null;
    case 'pattern':
      return attributeMatch(where, where.pieces[0] ?? '', true);
    case 'and': {
      const match = matchOfSome(where.nodes);
      return match !== null && match.parts < where.nodes.length ? { ...match, isExact: false } : match;
    }
    case 'or': {
      const parts = where.nodes.map(matchOf);
      if (!parts.every((part) => part !== null)) return null;
      return { text: `(${parts.map(({ text }) => text).join(' OR ')})`, isExact: parts.every((part) => part.isExact) };
    }
    case 'all':
    case 'not':
    case 'exists':
    case 'addresses':
    case 'numbers':
    case 'times':
      return null;
  }
}

/** Of those nodes of which there is a match: they must all apply. */
function matchOfSome(nodes: readonly Where[]): (Match & { readonly parts: number }) | null {
  const parts = nodes.map(matchOf).filter((part) => part !== null);
  if (parts.length === 0) return null;
  const text = `(${parts.map(({ text }) => text).join(' AND ')})`;
  return { text, isExact: parts.every(({ isExact }) => isExact), parts: parts.length };
}

/** Words hold letters, marks, digits and `_` only, so nothing needs escaping inside the quotes. */
const phrase = ({ words, prefix }: Pick<QueryTerm, 'words' | 'prefix'>): string =>
  `"${words.join(' ')}"${prefix ? ' *' : ''}`;

/** Whoever has the value has its words in a row, in whatever case. */
function attributeMatch({ field }: FieldWhere, value: string, prefix: boolean): Match | null {
  const isFound = field.root === ATTRIBUTES || ECS_PATHS.has(field.path);
  if (!isFound || !PLAIN_TEXT.test(value)) return null;
  const words = wordsOf(value);
  return words.length === 0 ? null : { text: `attributes : ${phrase({ words, prefix })}`, isExact: false };
}

function fieldSql(where: FieldWhere): WhereSql {
  const { field } = where;
  if (where.kind === 'times') return timesSql(where);
  const column = Object.hasOwn(ORIGIN_COLUMNS, field.path) ? ORIGIN_COLUMNS[field.path] : undefined;
  if (column !== undefined) return originSql(where, column);
  // The last part of the key ends a key in the document, wherever its dots are.
  const key = field.kind === 'flattened' ? field.key : field.path;
  const last = key.slice(key.lastIndexOf('.') + 1);
  if (!PLAIN_KEY.test(last)) return UNKNOWN;
  return { sql: 'instr(d.source, ?) > 0', values: [`${last}"`], isExact: false, isIndexed: false };
}

function originSql(where: FieldWhere, column: string): WhereSql {
  if (where.kind === 'equals' && where.value !== '') return ofOrigins(`${column} = ?`, where.value);
  if (where.kind !== 'pattern') return UNKNOWN;
  const glob = where.pieces.map((piece) => piece.replaceAll(/[*?[]/g, '[$&]')).join('*');
  return ofOrigins(`${column} <> '' AND ${column} GLOB ?`, glob);
}

const ofOrigins = (condition: string, value: string): WhereSql => ({
  sql: `d.origin IN (SELECT rowid FROM origins WHERE ${condition})`,
  values: [value],
  isExact: true,
  isIndexed: false,
});

function timesSql({ field, since, until }: FieldWhere & { readonly kind: 'times' }): WhereSql {
  const conditions: string[] = [];
  const values: bigint[] = [];
  const isTime = field.path === '@timestamp';
  const column = isTime ? 'd.time' : 'd.ingested';
  if (!isTime && field.path !== 'event.ingested') return UNKNOWN;
  for (const [bound, operator] of [
    [since, '>='],
    [until, '<'],
  ] as const) {
    if (bound === undefined) continue;
    const ns = clampInstant(bound);
    conditions.push(`${column} ${operator} ?`);
    values.push(isTime ? ns : (ns + NS_PER_MS - 1n) / NS_PER_MS);
  }
  return { sql: `(${conditions.join(' AND ')})`, values, isExact: isTime, isIndexed: false };
}
