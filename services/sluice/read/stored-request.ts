// The body of a request that `sluice` posts to the read API → what is asked for. Pure and total, as parameters.ts is:
// what a body may say is what a query may say, and a reader with a tenant gets that one's documents alone.

import { PAGE_DOCUMENTS } from '#shared/store/pages.ts';
import { SluiceError } from '#shared/errors.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { isStreamed } from '../search/result-tables.ts';
import { placeOfParts } from './wire/cursor.ts';
import type { Asker } from './parameters.ts';
import type { CountsRequest, DocumentsRequest, RowsRequest, TailRequest } from './request.ts';
import { integerIn, type Json, maybe, objectOf, wrong } from './wire/json-parts.ts';
import { type Asked, askedOf, orderIn, placePartsIn } from './wire/query-json.ts';
import { everyMsIn, stagesOf } from './wire/stages-json.ts';

/** By path: what its body has. */
export const BODIES = {
  documents: ['query', 'order', 'limit', 'after'],
  counts: ['query', 'order', 'every_ms'],
  rows: ['query', 'order', 'stages', 'limit'],
  tail: ['query'],
} as const;

/** Of rows; a body without one asks for all. */
const ROWS_MAX = 1e9;

/** Each throws query_wrong or tenant_refused. */
export function documentsRequest(body: unknown, asker: Asker): DocumentsRequest {
  const given = objectOf(body, 'the body', BODIES.documents);
  const limit = integerIn(given, 'limit', [1, PAGE_DOCUMENTS]);
  const after = maybe(given, 'after', 'after', () => placeIn(given, asker));
  return { kind: 'documents', query: { ...rangeOf(given, asker), ...after, order: orderIn(given), limit } };
}

export function countsRequest(body: unknown, asker: Asker): CountsRequest {
  const given = objectOf(body, 'the body', BODIES.counts);
  const query = { ...rangeOf(given, asker), order: orderIn(given) };
  return { kind: 'counts', query, everyMs: everyMsIn(given) };
}

export function rowsRequest(body: unknown, asker: Asker): RowsRequest {
  const given = objectOf(body, 'the body', BODIES.rows);
  const limit = maybe(given, 'limit', 'limit', () => integerIn(given, 'limit', [1, ROWS_MAX]));
  const query = { ...rangeOf(given, asker), order: orderIn(given) };
  const stages = stagesOf(given, 'stages');
  if (isStreamed(stages)) throw wrong('these stages make a row of each document: ask for the documents');
  return { kind: 'rows', query, stages, limit: Infinity, ...limit };
}

export function storedTailRequest(body: unknown, asker: Asker): TailRequest {
  const given = objectOf(body, 'the body', BODIES.tail);
  if (asker.store !== 'embedded') throw wrong('this store does not know in which order documents came');
  return { kind: 'tail', query: rangeOf(given, asker), isStored: true, last: 0 };
}

function rangeOf(given: Json, { tenant: own }: Asker): Asked {
  const asked = askedOf(given['query']);
  if (own === null) return asked;
  if (asked.tenant !== undefined && asked.tenant !== own)
    throw new SluiceError('tenant_refused', 'Cannot search: this token is of another tenant');
  return { ...asked, tenant: own };
}

function placeIn(given: Json, { store }: Asker): NonNullable<StoreQuery['after']> {
  const place = placeOfParts(placePartsIn(given, 'after'), store);
  if (place === null) throw wrong('after is no place of this store');
  return place;
}
