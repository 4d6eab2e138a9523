// What an answer of the store means for what was sent: one table for items, one for whole requests. Pure. What the
// tables do not name is for the operator to look at. It is kept and tried slowly, never dead-lettered, never lost.
// Source: Elasticsearch's bulk API, and what a real 9.5.3 answered.

import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import type { EndingReason } from './ledger.ts';

/**
 * indexed       it is stored now
 * deduplicated  it was stored already, under the name that only this event has
 * retry         the store is too busy: send only this one again, later, and fewer requests at once
 * blocked       its index accepts nothing now, and will again by itself: wait for this index only
 * operator      somebody must repair permissions, limits or templates: keep it, report it, try slowly
 * refused       this document will never be accepted as it is: once more as text, then to the dead letters
 */
export type ItemVerdict = 'indexed' | 'deduplicated' | 'retry' | 'blocked' | 'operator' | 'refused';

/**
 * again, halve, bisect: the same items, whole or in two requests. operator: send nothing else, report it, try slowly.
 */
export type RequestVerdict = 'again' | 'halve' | 'bisect' | 'operator';

/** Types that say more than their status: a full disk is a `cluster_block_exception` of 403 or 429. */
const typeTable: Readonly<Record<string, ItemVerdict>> = {
  es_rejected_execution_exception: 'retry',
  // As OpenSearch calls it.
  rejected_execution_exception: 'retry',
  circuit_breaking_exception: 'retry',
  cluster_block_exception: 'blocked',
  unavailable_shards_exception: 'blocked',
  // No other document would be accepted: the cluster's limit of shards is a 400 `validation_exception`.
  validation_exception: 'operator',
  security_exception: 'operator',
  index_closed_exception: 'operator',
};

/** A shard has all the documents that it can ever have, 2^31. It comes as a 400 `illegal_argument_exception`. */
const SHARD_IS_FULL = /^Number of documents in (the|a|this) (index|shard) (can't|cannot) (exceed|be more than)/;

export function itemVerdict({ status, errorType, errorReason, failureStore }: BulkOutcome): ItemVerdict {
  // A 201, but the document lies where nobody searches. Our own dead letters say why, and can be replayed.
  if (failureStore) return 'refused';
  if (status === 201 || status === 200) return 'indexed';
  if (status === 409) return 'deduplicated';
  const byType = errorType !== undefined && Object.hasOwn(typeTable, errorType) ? typeTable[errorType] : undefined;
  if (byType !== undefined) return byType;
  if (errorReason !== undefined && SHARD_IS_FULL.test(errorReason)) return 'operator';
  if (status === 408 || status === 429 || status >= 500) return 'retry';
  if (status === 400 || status === 413) return 'refused';
  return 'operator';
}

const requestTable: Partial<Record<ErrorCode, RequestVerdict>> = {
  store_unavailable: 'again',
  store_overloaded: 'again',
  // It may have been written, or not: the same ids show it.
  store_timeout: 'again',
  // The next try separates what needs that index from the others.
  store_index_unreadable: 'again',
  store_index_closed: 'again',
  store_body_too_large: 'halve',
  store_body_refused: 'bisect',
  store_unauthorized: 'operator',
  store_refused: 'operator',
};

export function requestVerdict(error: unknown): RequestVerdict {
  return (error instanceof SluiceError ? requestTable[error.code] : undefined) ?? 'operator';
}

/** Whether a whole request failed because the store is too busy, or may be. */
export function isOverload(error: unknown): boolean {
  return requestVerdict(error) === 'again' && !isOfAnIndex(error);
}

/** Whether one index is to blame, which cannot be read now. */
export function isOfAnIndex(error: unknown): error is SluiceError {
  return (
    error instanceof SluiceError && (error.code === 'store_index_unreadable' || error.code === 'store_index_closed')
  );
}

/** What the store said of an item. */
export function outcomeReason(outcome: BulkOutcome | undefined): string {
  const { status = 0, errorType, errorReason = 'no reason given' } = outcome ?? {};
  return `${errorType ?? status}: ${errorReason}`;
}

export interface RefusedItem {
  readonly reason: EndingReason;
  /** What the store said. */
  readonly error: string;
}

export const UNKNOWN_REFUSAL: RefusedItem = { reason: 'document_refused', error: 'no reason given' };

/** Why an item is refused, for its dead letter. */
export function refusedItem(outcome: BulkOutcome | undefined): RefusedItem {
  if (outcome?.failureStore) {
    return {
      reason: 'failure_store',
      error: 'Elasticsearch put the document into the failure store of the data stream, where its reason is',
    };
  }
  return { reason: outcome?.status === 413 ? 'document_too_large' : 'document_refused', error: outcomeReason(outcome) };
}
