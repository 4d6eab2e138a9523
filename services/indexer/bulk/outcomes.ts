// What an answer of the store means for what was sent: one table for items, one for whole requests. Pure.
// Anything that the tables do not name is the operator's to look at: it is kept and tried slowly, never dead-lettered and never lost.
// Source: Elasticsearch's bulk API, and what a real 9.5.3 answered.

import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '#shared/store/store.ts';

/**
 * indexed       it is there now
 * deduplicated  it was there already, under the name that only this event has
 * retry         only this one again, later
 * operator      somebody must mend permissions, limits or templates: keep it, tell, try slowly
 * refused       this document as it is will never be taken: once more as text, then to the dead letters
 */
export type ItemVerdict = 'indexed' | 'deduplicated' | 'retry' | 'operator' | 'refused';

/** again, halve, bisect: the request in other portions, same ids. operator: stop, tell, try slowly. */
export type RequestVerdict = 'again' | 'halve' | 'bisect' | 'operator';

/** Types that pass by themselves, whatever status they come with (a full disk is a 403 `cluster_block_exception`). */
const PASSING_TYPES: ReadonlySet<string> = new Set([
  'es_rejected_execution_exception',
  'circuit_breaking_exception',
  'cluster_block_exception',
  'unavailable_shards_exception',
]);

/** Types of a 400 that no change of the document mends: the cluster's shard limit is a `validation_exception`. */
const OPERATOR_TYPES: ReadonlySet<string> = new Set(['validation_exception', 'security_exception']);

export function itemVerdict(outcome: BulkOutcome): ItemVerdict {
  const { status, errorType } = outcome;
  if (status === 201 || status === 200) return 'indexed';
  if (status === 409) return 'deduplicated';
  if (errorType !== undefined && PASSING_TYPES.has(errorType)) return 'retry';
  if (status === 408 || status === 429 || status >= 500) return 'retry';
  if (errorType !== undefined && OPERATOR_TYPES.has(errorType)) return 'operator';
  if (status === 400 || status === 413) return 'refused';
  return 'operator';
}

const requestTable: Partial<Record<ErrorCode, RequestVerdict>> = {
  store_unavailable: 'again',
  store_overloaded: 'again',
  // It may have been written, or not: the same ids tell.
  store_timeout: 'again',
  store_body_too_large: 'halve',
  store_body_refused: 'bisect',
  store_unauthorized: 'operator',
  store_refused: 'operator',
};

export function requestVerdict(error: unknown): RequestVerdict {
  return (error instanceof SluiceError ? requestTable[error.code] : undefined) ?? 'operator';
}
