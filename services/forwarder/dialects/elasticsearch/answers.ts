// What a sender to `_bulk` hears: an answer for each item, in order, with Elasticsearch's own types of errors.
//
// Clients send again what is answered 429 (Beats and Logstash: 5xx too), and drop the rest; so whatever may pass is 429.

import { type ErrorCode, SluiceError, isRetryable } from '#shared/errors.ts';
import type { BulkItem, BulkRefusal } from './bulk.ts';

export interface BulkAnswer {
  readonly took: number;
  readonly errors: boolean;
  readonly items: readonly object[];
}

/** @param outcomes of the runs: null for what is held */
export function bulkAnswer(tookMs: number, items: readonly BulkItem[], outcomes: readonly unknown[]): BulkAnswer {
  let errors = false;
  const answers = items.map(({ operation, index, id, outcome }) => {
    const refusal = typeof outcome === 'number' ? refusalOfError(outcomes[outcome]) : outcome;
    const name = id === null ? { _index: index } : { _index: index, _id: id };
    if (refusal === null) return { [operation]: { ...name, _version: 1, result: 'created', status: 201 } };
    errors = true;
    const { status, type, reason } = refusal;
    return { [operation]: { ...name, status, error: { type, reason } } };
  });
  return { took: Math.round(tookMs), errors, items: answers };
}

function refusalOfError(error: unknown): BulkRefusal | null {
  if (error === null) return null;
  if (isRetryable(error)) return { status: 429, type: 'es_rejected_execution_exception', reason: reasonFor(error) };
  if (!(error instanceof SluiceError)) return { status: 500, type: 'exception', reason: reasonFor(error) };
  return { status: error.kind.http, type: typeOf(error.code, error.kind.http), reason: error.message };
}

function reasonFor(error: unknown): string {
  return error instanceof SluiceError ? error.message : 'Cannot take the item: it is an error of ours';
}

/** The answer to a whole request that is refused. */
export function errorBody(code: ErrorCode | 'internal', status: number, reason: string): object {
  const cause = { type: typeOf(code, status), reason };
  return { error: { root_cause: [cause], ...cause }, status };
}

function typeOf(code: ErrorCode | 'internal', status: number): string {
  if (code === 'unauthorized' || code === 'tag_refused' || code === 'origin_refused') return 'security_exception';
  if (status === 413) return 'content_too_long_exception';
  if (status === 429) return 'es_rejected_execution_exception';
  if (status === 503) return 'unavailable_shards_exception';
  return status >= 500 ? 'exception' : 'illegal_argument_exception';
}
