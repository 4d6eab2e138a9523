// A query of the store (shared/store/store.ts) as the JSON that `sluice` sends to the read API of another process, and
// back. Pure: what comes back is a query, or an error query_wrong that names the part.

import { parseInstant } from '#shared/store/instant.ts';
import { parseQueryText } from '#shared/store/query-text.ts';
import { whereJson, whereOfJson } from '#shared/store/query/where-json.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { type Json, listIn, maybe, numberIn, objectOf, oneIn, textIn, wrong } from './json-parts.ts';

/** What of a query says which documents are meant, and in which order. */
export type Asked = Omit<StoreQuery, 'limit' | 'order' | 'after'>;

// prettier-ignore
const ASKED = [
  'since', 'until', 'ingested_since_ms', 'ingested_until_ms', 'name', 'tenant', 'container', 'text', 'where', 'by',
];
const ORDERS = ['oldest', 'newest'] as const;
const BY = ['arrival', 'arrival_time'] as const;
const PATTERN_MAX = 1024;
const TEXT_MAX = 65_536;
const TERMS_MAX = 500;
/** Elasticsearch's places have the ids of all documents of one time and sequence. */
const PLACE_PARTS_MAX = 10_000;

export function askedJson(query: Asked): Json {
  const { since, until, name, tenant, container, text, where, by } = query;
  return {
    since,
    until,
    ingested_since_ms: query.ingestedSinceMs,
    ingested_until_ms: query.ingestedUntilMs,
    name,
    tenant,
    container,
    text,
    by,
    ...(where && { where: whereJson(where) }),
  };
}

/** Throws query_wrong. */
export function askedOf(json: unknown): Asked {
  const given = objectOf(json, 'query', ASKED);
  return {
    ...maybe(given, 'since', 'since', () => instantIn(given, 'since')),
    ...maybe(given, 'until', 'until', () => instantIn(given, 'until')),
    ...maybe(given, 'ingested_since_ms', 'ingestedSinceMs', () => numberIn(given, 'ingested_since_ms')),
    ...maybe(given, 'ingested_until_ms', 'ingestedUntilMs', () => numberIn(given, 'ingested_until_ms')),
    ...maybe(given, 'name', 'name', () => nameIn(given, 'name')),
    ...maybe(given, 'tenant', 'tenant', () => textIn(given, 'tenant')),
    ...maybe(given, 'container', 'container', () => nameIn(given, 'container')),
    ...maybe(given, 'text', 'text', () => wordsIn(given, 'text')),
    ...maybe(given, 'where', 'where', () => whereOfJson(given['where'])),
    ...maybe(given, 'by', 'by', () => oneIn(given, 'by', BY)),
  };
}

export const orderIn = (given: Json): StoreQuery['order'] => oneIn(given, 'order', ORDERS);

/** A place as it stands in an answer; cursor.ts says whether it is one of the store. */
export const placePartsIn = (given: Json, key: string): readonly unknown[] => listIn(given, key, PLACE_PARTS_MAX);

/** One without a star is looked up; one with stars is tried on each name. */
function nameIn(given: Json, key: string): string {
  const name = textIn(given, key);
  if (name.length > (name.includes('*') ? PATTERN_MAX : TEXT_MAX)) throw wrong(`${key} is too long`);
  return name;
}

function wordsIn(given: Json, key: string): string {
  const text = textIn(given, key);
  if (text.length > TEXT_MAX || parseQueryText(text).length > TERMS_MAX) throw wrong(`${key} is too long`);
  return text;
}

function instantIn(given: Json, key: string): string {
  const text = textIn(given, key);
  if (parseInstant(text) === null) throw wrong(`${key} is no time`);
  return text;
}
