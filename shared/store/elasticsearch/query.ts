// The query form of store.ts as a request body of `_search`. Pure.
//
// Paging: documents are ordered by `@timestamp`, then `event.sequence`. Two documents may agree in both (two
// forwarders), and `_id` cannot be sorted by. So a page goes on *at* the last pair, not after it, without the documents
// of that pair that were shown already: `sort` of a document is [time, sequence, ids of this pair up to it…]. Nothing
// is skipped, nothing repeated.

import { clampInstant, formatInstant, parseInstant } from '../instant.ts';
import { parseQueryText, type QueryTerm } from '../query-text.ts';
import { CONTAINER_ID_MIN, type StoreQuery } from '../store.ts';
import { attributePattern } from './attribute-pattern.ts';
import { ATTRIBUTE_MAX, KEYWORD_MAX, WORDS_FIELD } from './template.ts';
import { whereClause } from './where-clauses.ts';

type Clause = Record<string, unknown>;

export interface SearchOptions {
  /** The most hits to ask for at once. */
  readonly size: number;
  /** Whether the server refuses patterns over terms (`search.allow_expensive_queries: false`). */
  readonly cheapOnly: boolean;
}

export function searchBody(query: StoreQuery, options: SearchOptions): string {
  const order = query.order === 'oldest' ? 'asc' : 'desc';
  const [time = '', sequence = 0, ...shown] = query.after ?? [];
  const isByArrival = query.by === 'arrival';
  const byTime = { '@timestamp': { order, format: 'strict_date_optional_time_nanos', unmapped_type: 'date_nanos' } };
  const bySequence = { 'event.sequence': { order, missing: 0, unmapped_type: 'long' } };
  const back = order === 'asc' ? -1 : 1;
  const at = isByArrival ? [sequence, nextTo(time, BigInt(back))] : [time, Number(sequence) + back];
  return JSON.stringify({
    size: options.size,
    track_total_hits: false,
    query: {
      bool: {
        filter: filters(query, options),
        ...(shown.length === 0 ? {} : { must_not: { ids: { values: shown } } }),
      },
    },
    sort: isByArrival ? [bySequence, byTime] : [byTime, bySequence],
    ...(query.after === undefined ? {} : { search_after: at }),
  });
}

/** The moment beside that of a document, so that a page goes on at it. */
function nextTo(time: string | number, step: bigint): string {
  const ns = parseInstant(String(time)) ?? 0n;
  return formatInstant(clampInstant(ns + step));
}

/** The query without order and limit, as `_count` and scrolls take it. */
export function filterQuery(query: Omit<StoreQuery, 'limit' | 'order'>, options: Pick<SearchOptions, 'cheapOnly'>) {
  return { bool: { filter: filters(query, options) } };
}

function filters(query: Omit<StoreQuery, 'limit' | 'order'>, options: Pick<SearchOptions, 'cheapOnly'>): Clause[] {
  const clauses: Clause[] = [];
  const range = {
    ...(query.since === undefined ? {} : { gte: bound(query.since) }),
    ...(query.until === undefined ? {} : { lt: bound(query.until) }),
  };
  if (Object.keys(range).length > 0) clauses.push(timeClause(range, query.by !== undefined));
  if (query.ingestedSinceMs !== undefined) {
    const until = query.ingestedUntilMs === undefined ? {} : { lt: query.ingestedUntilMs };
    clauses.push({ range: { 'event.ingested': { gte: query.ingestedSinceMs, ...until, format: 'epoch_millis' } } });
  }
  if (query.name !== undefined) clauses.push(anyOf(nameClauses(query.name, NAME_FIELDS, 4)));
  if (query.container !== undefined)
    clauses.push(anyOf(nameClauses(query.container, ['container.name'], CONTAINER_ID_MIN)));
  if (query.tenant !== undefined) clauses.push({ term: { 'tenant.id': query.tenant } });
  for (const term of parseQueryText(query.text ?? '')) clauses.push(anyOf(textClauses(term, options)));
  if (query.where !== undefined) {
    const wordClauses = (term: QueryTerm) => textClauses(term, options);
    clauses.push(whereClause(query.where, { textClause, wordClauses, cheapOnly: options.cheapOnly }));
  }
  return clauses;
}

function timeClause(range: Clause, isOfArrival: boolean): Clause {
  const ofLine = { range: { '@timestamp': range } };
  if (!isOfArrival) return ofLine;
  const withoutAnother = { bool: { filter: ofLine, must_not: { exists: { field: 'event.created' } } } };
  return anyOf([{ range: { 'event.created': range } }, withoutAnother]);
}

/** What cannot be read is left to the server to refuse. */
function bound(text: string): string {
  const ns = parseInstant(text);
  return ns === null ? text : formatInstant(clampInstant(ns));
}

/** Elasticsearch and OpenSearch refuse longer prefixes (`index.max_regex_length`). */
const PREFIX_MAX = 1000;

const anyOf = (should: readonly Clause[]): Clause => ({ bool: { should, minimum_should_match: 1 } });

const NAME_FIELDS = ['container.name', 'service.name', 'kubernetes.pod.name', 'fluentd.tag'];

/** `idMin`: so many digits of a container's id mean it. */
function nameClauses(name: string, fields: readonly string[], idMin: number): Clause[] {
  if (name.length > KEYWORD_MAX) return [{ match_none: {} }];
  if (name.includes('*')) {
    const value = name.replaceAll(/[\\?]/g, String.raw`\$&`);
    return fields.map((field) => ({ wildcard: { [field]: { value } } }));
  }
  const clauses: Clause[] = fields.map((field) => ({ term: { [field]: name } }));
  const isPrefix = name.length >= idMin && name.length <= PREFIX_MAX;
  clauses.push(isPrefix ? { prefix: { 'container.id': name } } : { term: { 'container.id': name } });
  return clauses;
}

function textClauses(term: QueryTerm, options: Pick<SearchOptions, 'cheapOnly'>): Clause[] {
  const clauses = [...TEXT_FIELDS.map((field) => textClause(field, term)), ...levelClauses(term)];
  const pattern = options.cheapOnly ? null : attributePattern(term);
  // Where no pattern may be used, a value is still found whole. Of a longer term than any the server would complain.
  if (pattern === null) {
    if (term.raw.length <= ATTRIBUTE_MAX) clauses.push({ term: { attributes: term.raw } });
  } else clauses.push({ regexp: { attributes: { value: pattern, case_insensitive: true } } });
  return clauses;
}

/** Fields of text: what is looked for may be in any of them. */
const TEXT_FIELDS = ['message', WORDS_FIELD, 'error.message', 'error.stack_trace'];

/** A level is a single word, and nearly every document has one: a copy of it among `words` would cost too much. */
function levelClauses({ words: [value = '', ...others], prefix }: QueryTerm): Clause[] {
  if (others.length > 0 || value.length > PREFIX_MAX) return [];
  return [{ [prefix ? 'prefix' : 'term']: { 'log.level': { value, case_insensitive: true } } }];
}

function textClause(field: string, term: QueryTerm): Clause {
  if (!term.prefix) return { match_phrase: { [field]: term.raw } };
  const [word] = term.words;
  // Unlike match_phrase_prefix this does not stop at a number of words that begin so.
  if (term.words.length === 1 && word !== undefined && word.length <= PREFIX_MAX) return { prefix: { [field]: word } };
  return { match_phrase_prefix: { [field]: { query: term.raw, max_expansions: 1000 } } };
}
