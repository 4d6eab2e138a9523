// A query of store.ts, read once for all blocks: its bounds as numbers, the order, where a page goes on, and what is
// asked of documents. Pure.

import { SluiceError } from '#shared/errors.ts';
import { clampInstant, parseInstant } from '../../instant.ts';
import { parseQueryText } from '../../query-text.ts';
import type { Document } from '../../query/document-values.ts';
import { fieldNamed } from '../../query/fields.ts';
import { matches } from '../../query/matches.ts';
import type { StoreQuery } from '../../store.ts';
import type { Where } from '../../where.ts';
import { blockTest, type BlockTest } from '../blocks/may-hold.ts';

/** A document's place in the order. */
export interface Place {
  readonly time: bigint;
  readonly sequence: number;
  readonly row: number;
}

interface Bounds {
  /** At or after, and before. */
  readonly since: bigint;
  readonly until: bigint;
}

export interface SearchPlan {
  /** Of the time, or of the arrival, in nanoseconds. */
  readonly bounds: Bounds;
  readonly boundsArrival: boolean;
  /** ms since the epoch. */
  readonly ingested: Bounds;
  /** Whether the order goes by sequence first. */
  readonly byArrival: boolean;
  readonly isNewest: boolean;
  /** Only what comes behind it. */
  readonly after: Place | null;
  /** Rows of `origins`; null: all of them. */
  readonly origins: ReadonlySet<number> | null;
  readonly where: Where;
  readonly mayHold: BlockTest;
  /** Whether selectRows cannot tell all of it, however exact it is. */
  readonly asksDocument: boolean;
  /** All of it, but for the bounds and the origins. */
  isMeant(document: Document): boolean;
}

const EVER: Bounds = { since: -(2n ** 63n), until: 2n ** 63n };
const TENANT_MAX = 1024;

/** Throws usage_wrong where a bound is no time. */
export function planOf(query: StoreQuery, origins: ReadonlySet<number> | null): SearchPlan {
  const { tenant, by, order } = query;
  const isNewest = order === 'newest';
  const nodes: Where[] = parseQueryText(query.text ?? '').map((term) => ({ kind: 'words', term }));
  if (query.where !== undefined) nodes.push(query.where);
  const asked: Where = { kind: 'and', nodes: [...nodes] };
  if (tenant !== undefined && tenant.length <= TENANT_MAX)
    nodes.unshift({ kind: 'equals', field: fieldNamed('tenant.id'), at: 0, value: tenant, number: null });
  const where: Where = nodes.length === 0 ? { kind: 'all' } : { kind: 'and', nodes };
  return {
    bounds: { since: instantOf(query.since) ?? EVER.since, until: instantOf(query.until) ?? EVER.until },
    boundsArrival: by !== undefined,
    ingested: {
      since: query.ingestedSinceMs === undefined ? EVER.since : BigInt(Math.ceil(query.ingestedSinceMs)),
      until: query.ingestedUntilMs === undefined ? EVER.until : BigInt(Math.ceil(query.ingestedUntilMs)),
    },
    byArrival: by === 'arrival',
    isNewest,
    after: query.after === undefined ? null : placeOf(query.after, isNewest),
    origins,
    where,
    mayHold: blockTest(where),
    asksDocument: tenant !== undefined,
    isMeant: (document) => (tenant === undefined || isOfTenant(document, tenant)) && matches(asked, document),
  };
}

/** Negative where `a` comes first. */
export function compare(plan: SearchPlan, a: Place, b: Place): number {
  const sign = plan.isNewest ? -1 : 1;
  if (plan.byArrival && a.sequence !== b.sequence) return sign * (a.sequence - b.sequence);
  if (a.time !== b.time) return a.time < b.time ? -sign : sign;
  if (a.sequence !== b.sequence) return sign * (a.sequence - b.sequence);
  return sign * (a.row - b.row);
}

/** What the order goes by first. */
export const firstKey = (plan: SearchPlan, place: Place): bigint =>
  plan.byArrival ? BigInt(place.sequence) : place.time;

/** The end of all places with this first key, to whoever goes by the order. */
export function beforeKey(plan: SearchPlan, key: bigint): Place {
  const edge = plan.isNewest ? 2n ** 63n - 1n : 0n;
  const row = plan.isNewest ? Number.MAX_SAFE_INTEGER : -1;
  if (plan.byArrival) return { time: edge, sequence: Number(key), row };
  return { time: key, sequence: plan.isNewest ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER, row };
}

function placeOf(after: readonly (string | number)[], isNewest: boolean): Place {
  const [time = 0, sequence = 0, row = isNewest ? Number.MAX_SAFE_INTEGER : -1] = after;
  return { time: BigInt(time), sequence: Number(sequence), row: Number(row) };
}

function instantOf(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  const ns = parseInstant(text);
  if (ns === null) throw new SluiceError('usage_wrong', 'Cannot search: a bound is no ISO 8601 time');
  return clampInstant(ns);
}

function isOfTenant(document: Document, id: string): boolean {
  const tenant = document['tenant'];
  return typeof tenant === 'object' && tenant !== null && 'id' in tenant && tenant.id === id;
}
