// What a `_bulk` answer says: one outcome for each item, or why there is none. Pure.
//
// The answer was asked for with `filter_path=errors,items.*.status,items.*.error,items.*.failure_store`:
//   {"errors":false,"items":[{"create":{"status":201}},…]}
// Nearly every answer is of that form and of one status, so it is told by counting, without building an object an item.

import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '../store.ts';

const CREATED: BulkOutcome = Object.freeze({ status: 201 });
const CREATED_ITEM = '{"create":{"status":201}}';

/** Throws a store_* error where the answer is not about single items, or is not whole. */
export function bulkOutcomes(status: number, text: string, count: number): BulkOutcome[] {
  if (status !== 200) throw requestFailure(status, text);
  if (isAllCreated(text, count)) return Array.from({ length: count }, () => CREATED);
  const outcomes = parseItems(text);
  if (outcomes?.length !== count) {
    const what = outcomes === null ? 'cannot be read' : `is about ${outcomes.length} items of ${count}`;
    throw new SluiceError('store_timeout', `Cannot tell what became of a bulk request: the answer ${what}`);
  }
  return outcomes;
}

/** By length and by the ends of it: an answer of that length without a fault can hold nothing else. */
function isAllCreated(text: string, count: number): boolean {
  const head = '{"errors":false,"items":[';
  if (text.length !== head.length + count * (CREATED_ITEM.length + 1) - 1 + 2 || !text.startsWith(head)) return false;
  for (let i = 0, at = head.length; i < count; i++, at += CREATED_ITEM.length + 1) {
    if (!text.startsWith(CREATED_ITEM, at)) return false;
  }
  return true;
}

function parseItems(text: string): BulkOutcome[] | null {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(answer) || !Array.isArray(answer['items'])) return null;
  const outcomes: BulkOutcome[] = [];
  for (const item of answer['items']) {
    const outcome = outcomeOf(item);
    if (outcome === null) return null;
    outcomes.push(outcome);
  }
  return outcomes;
}

function outcomeOf(item: unknown): BulkOutcome | null {
  if (!isObject(item)) return null;
  // { "<operation>": { status, error?, failure_store? } }
  const result = Object.values(item)[0];
  if (!isObject(result)) return null;
  const { status, error } = result;
  if (typeof status !== 'number') return null;
  if (status === 201 && error === undefined && result['failure_store'] === undefined) return CREATED;
  return {
    status,
    ...(isObject(error) ? { errorType: textOf(error['type']), errorReason: reasonWithCause(error) } : {}),
    ...(result['failure_store'] === 'used' ? { failureStore: true } : {}),
  };
}

/** The reason, and the innermost cause, which is what names the field or the value. */
function reasonWithCause(error: Record<string, unknown>): string {
  let cause = error['caused_by'];
  let innermost = '';
  for (let depth = 0; depth < 10 && isObject(cause); depth++) {
    innermost = textOf(cause['reason']) || innermost;
    cause = cause['caused_by'];
  }
  const reason = textOf(error['reason']);
  return innermost === '' ? reason : `${reason}: ${innermost}`;
}

/** The error that an answer to a whole request (of any kind) means. */
export function requestFailure(status: number, text: string): SluiceError {
  return new SluiceError(
    codeOf(status),
    `Cannot have a request done by Elasticsearch: it answered ${status}${saidBy(text)}`,
  );
}

function codeOf(status: number): ErrorCode {
  if (status === 413) return 'store_body_too_large';
  if (status === 400) return 'store_body_refused';
  if (status === 401 || status === 403) return 'store_unauthorized';
  if (status === 408 || status === 504) return 'store_timeout';
  if (status === 429) return 'store_overloaded';
  return status >= 500 ? 'store_unavailable' : 'store_refused';
}

function saidBy(text: string): string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return '';
  }
  const error = isObject(answer) ? answer['error'] : undefined;
  if (typeof error === 'string') return ` (${error})`;
  return isObject(error) ? ` (${textOf(error['type'])}: ${reasonWithCause(error)})` : '';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
