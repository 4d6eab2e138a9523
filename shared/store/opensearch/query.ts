// A search of ours as OpenSearch takes it. Pure.
//
// - It knows no `format` of what hits are sorted by. It gives those values as they lie in the index (a time as
//   nanoseconds), and reads times in `search_after` as text all the same.
// - Where it need not count all hits, or has found enough in some shards, it leaves others out by time alone. So it
//   loses hits of equal times (seen on 3.0.0; its issues 14824, 15869). All are counted, and the type of search is the
//   one without that shortcut. Both take longer.
// - Where it stands on Lucene 9, its patterns ignore the case of ASCII letters only, so both cases of others are
//   listed.

type Json = Readonly<Record<string, unknown>>;

/** It refuses longer patterns (`index.max_regex_length`). */
const PATTERN_LENGTH_MAX = 1000;

/** Behind the path of a request to `_search`. */
export const OPENSEARCH_TYPE = '&search_type=dfs_query_then_fetch';

/** The body of a request to `_search`. */
export function openSearchBody(body: string): string {
  const search = JSON.parse(body) as Json;
  const { sort } = search;
  return JSON.stringify({
    ...search,
    track_total_hits: true,
    ...('query' in search && { query: openSearchQuery(search['query']) }),
    ...(Array.isArray(sort) && { sort: sort.map((by) => byField(by, withoutFormat)) }),
  });
}

/** A query, or what is inside of one. */
export function openSearchQuery(query: unknown): unknown {
  if (Array.isArray(query)) return query.map(openSearchQuery);
  if (!isObject(query)) return query;
  const clauses = Object.entries(query).map(([kind, inner]) => [
    kind,
    kind === 'regexp' ? byField(inner, withBothCases) : openSearchQuery(inner),
  ]);
  return Object.fromEntries(clauses);
}

/** `{ <field>: <how> }` */
function byField(query: unknown, change: (how: Json) => Json): unknown {
  if (!isObject(query)) return query;
  return Object.fromEntries(Object.entries(query).map(([field, how]) => [field, isObject(how) ? change(how) : how]));
}

function withoutFormat(how: Json): Json {
  return Object.fromEntries(Object.entries(how).filter(([name]) => name !== 'format'));
}

function withBothCases(how: Json): Json {
  const { value, case_insensitive: ignoresCase } = how;
  if (typeof value !== 'string' || ignoresCase !== true) return how;
  const pattern = bothCases(value);
  return pattern.length <= PATTERN_LENGTH_MAX ? { ...how, value: pattern } : how;
}

/** Letters in a class, or behind a backslash, are left as they are. */
function bothCases(pattern: string): string {
  return pattern.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]|[^ -~]/gsu, (piece) => {
    const [lower, upper] = [piece.toLowerCase(), piece.toUpperCase()];
    const isLetter = !/^[\\[]/.test(piece) && lower !== upper && upper.length === lower.length;
    return isLetter ? `[${lower}${upper}]` : piece;
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
