// What a `_bulk` answer says: one outcome for each item, or why there is none. Pure.
//
// The answer was asked for with `filter_path=errors,items.*._index,items.*.status,items.*.error,items.*.failure_store`:
//   {"errors":false,"items":[{"create":{"_index":".ds-logs-…-000001","status":201}},…]}
// Nearly every answer is of that form, of one status and one backing index, so it is recognised by comparing texts,
// without building an object an item.

import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '../store.ts';

const HEAD = '{"errors":false,"items":[';
const CREATED_ITEM = /^\{"create":\{"_index":"([^"\\]{1,255})","status":201\}\}$/;
const ITEM_END = '}}';

/** Throws a store_* error where the answer is not about single items, or is not whole. */
export function bulkOutcomes(status: number, text: string, count: number): BulkOutcome[] {
  if (status !== 200) throw requestFailure(status, text);
  const outcomes = allCreated(text, count) ?? parseItems(text);
  if (outcomes?.length !== count) {
    const what = outcomes === null ? 'cannot be read' : `is about ${outcomes.length} items of ${count}`;
    throw new SluiceError('store_timeout', `Cannot tell what became of a bulk request: the answer ${what}`);
  }
  return outcomes;
}

/** Of an answer that has nothing but created documents; null for any other. Equal items share one outcome. */
function allCreated(text: string, count: number): BulkOutcome[] | null {
  if (count === 0 || !text.startsWith(HEAD) || !text.endsWith(']}')) return null;
  const outcomes: BulkOutcome[] = [];
  let item = '';
  let outcome: BulkOutcome | null = null;
  let at = HEAD.length;
  for (let i = 0; i < count; i++) {
    if (i > 0 && text[at++] !== ',') return null;
    if (outcome === null || !text.startsWith(item, at)) {
      const end = text.indexOf(ITEM_END, at);
      item = end < 0 ? '' : text.slice(at, end + ITEM_END.length);
      const backing = CREATED_ITEM.exec(item)?.[1];
      if (backing === undefined) return null;
      outcome = { status: 201, backing };
      // Nearly always all items are like the first one; one comparison is cheaper than one an item.
      if (i === 0 && text === `${HEAD}${`${item},`.repeat(count - 1)}${item}]}`)
        return Array<BulkOutcome>(count).fill(outcome);
    }
    outcomes.push(outcome);
    at += item.length;
  }
  return at === text.length - 2 ? outcomes : null;
}

function parseItems(text: string): BulkOutcome[] | null {
  const answer = parseObject(text);
  if (answer === null || !Array.isArray(answer['items'])) return null;
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
  const { status, error, _index: backing } = result;
  if (typeof status !== 'number') return null;
  return {
    status,
    ...(isObject(error) ? { errorType: textOf(error['type']), errorReason: reasonWithCause(error) } : {}),
    ...(result['failure_store'] === 'used' ? { failureStore: true } : {}),
    ...(typeof backing === 'string' ? { backing } : {}),
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
  const error = parseObject(text);
  // Elasticsearch says why it refuses a request, in JSON. Any other page is somebody's who stands between, and no
  // answer.
  const code = error === null && status === 400 ? 'store_unavailable' : codeOf(status);
  const said = error === null && status === 400 ? ', and not in the words of Elasticsearch' : saidBy(error);
  return new SluiceError(code, `Cannot have a request done by Elasticsearch: it answered ${status}${said}`);
}

function codeOf(status: number): ErrorCode {
  if (status === 413) return 'store_body_too_large';
  if (status === 400) return 'store_body_refused';
  if (status === 401 || status === 403) return 'store_unauthorized';
  // 502: whoever stands between has lost the connection, perhaps after it had passed the request on.
  if (status === 408 || status === 502 || status === 504) return 'store_timeout';
  if (status === 429) return 'store_overloaded';
  return status >= 500 ? 'store_unavailable' : 'store_refused';
}

function saidBy(answer: Record<string, unknown> | null): string {
  const error = answer?.['error'];
  if (typeof error === 'string') return ` (${error})`;
  return isObject(error) ? ` (${textOf(error['type'])}: ${reasonWithCause(error)})` : '';
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const answer: unknown = JSON.parse(text);
    return isObject(answer) ? answer : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
