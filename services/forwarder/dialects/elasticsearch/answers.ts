// The answer to `_bulk`: one for each item, in order, with Elasticsearch's own types of errors.
//
// Clients send again what is answered 429 (Beats and Logstash: 5xx too), and drop the rest; so whatever may pass is
// 429.
//
// An answer is as long as its client reads. fluent-bit reads 512 KiB, takes what it could not read whole for a failure,
// and sends all of it again. All that senders of logs look at is `errors`, each item's `status`, and of a refused one
// its `error` (fluent-bit, Fluentd, Beats, Logstash, Vector, the Collector, rsyslog, helpers of JavaScript and Python);
// so long answers have only these. The clients of Java want `_index` and `_id` too, and say in a header that they are
// Elastic's own.

import { type ErrorCode, SluiceError, isRetryable } from '#shared/errors.ts';
import { type BulkItem, type BulkRefusal, type BulkTable, itemsOf } from './bulk-table.ts';
import type { FilterPath } from './filter-path.ts';

/** `whole`: reads answers of any length, and may want all of Elasticsearch's names. `fluent-bit`: reads 512 KiB. */
export type BulkReader = 'whole' | 'fluent-bit' | 'other';

/** An answer's text is sent in pieces of this length. */
const PIECE_LENGTH = 64 * 1024;
/** Items, or groups, that are looked at in one step: some 0.5 ms. */
export const STEP = 1000;
/** Up to here an answer has all of Elasticsearch's names. */
const WHOLE_BYTES_MAX = 128 * 1024;
/** Up to here a short answer's errors have a type and a reason. */
const ERROR_BYTES_MAX = 64 * 1024;
/** Less than fluent-bit reads, to leave space for headers and for the error of the estimate. */
const READ_BYTES_MAX = 448 * 1024;
/**
 * `{"create":{"_index":"","_version":1,"result":"created","status":201}},` and `"_id":"",`; of a short item all of it.
 */
const ITEM_BYTES = 72;
const ID_BYTES = 9;
const SHORT_ITEM_BYTES = 26;
/** `,"error":{"type":"","reason":""}` */
const ERROR_BYTES = 32;

/** @param headers of the request */
export function bulkReaderOf(headers: Readonly<Record<string, unknown>>): BulkReader {
  if (headers['x-elastic-client-meta'] !== undefined) return 'whole';
  const agent = headers['user-agent'];
  return typeof agent === 'string' && /^fluent-?bit/i.test(agent) ? 'fluent-bit' : 'other';
}

interface AnswerOptions {
  /** By group: null for what is stored. */
  readonly outcomes: readonly unknown[];
  readonly reader: BulkReader;
  /** What of the answer is asked for; null for all of it. */
  readonly filterPath?: FilterPath | null;
}

/**
 * The answer as text, in pieces: one of a hundred thousand items is never there at once, be it as text or as objects.
 * The work between two pieces is small; some are empty.
 */
export function* bulkAnswer(
  tookMs: number,
  table: BulkTable,
  { outcomes, reader, filterPath = null }: AnswerOptions,
): Generator<string, void, undefined> {
  const refusalOf = refusalsOf(outcomes);
  const { errors, wholeBytes } = yield* measured(table, outcomes, refusalOf);
  const head: Record<string, unknown> = { took: Math.round(tookMs), errors };
  const answerOf =
    reader === 'whole' || wholeBytes <= WHOLE_BYTES_MAX
      ? wholeItem
      : shortItem(reader, table.operations.length * SHORT_ITEM_BYTES);
  const shown = filterPath ? filterPath.filtered(head) : head;
  const element = filterPath ? filterPath.elementOf('items') : (answer: object): unknown => answer;
  const members = JSON.stringify(shown).slice(0, -1);
  let piece = members;
  // As an array of which nothing is left is left out.
  let isOpen = filterPath === null;
  if (isOpen) piece += ',"items":[';
  let comma = '';
  let looked = 0;
  for (const item of itemsOf(table)) {
    looked += 1;
    if (looked % STEP === 0 || piece.length >= PIECE_LENGTH) {
      yield piece;
      piece = '';
    }
    const answer = answerOf(item, refusalOf(item.outcome));
    const left = answer === null ? undefined : element?.(answer);
    if (left === undefined) continue;
    if (!isOpen) piece += `${members === '{' ? '' : ','}"items":[`;
    isOpen = true;
    piece += comma + JSON.stringify(left);
    comma = ',';
  }
  yield `${piece}${isOpen ? ']' : ''}}`;
}

type Refusal = BulkRefusal | null;

type RefusalOf = (outcome: BulkItem['outcome']) => Refusal;

/** One object for all items of a group, and for all groups with the same error. */
function refusalsOf(outcomes: readonly unknown[]): RefusalOf {
  const ofErrors = new Map<unknown, Refusal>();
  return (outcome) => {
    if (typeof outcome !== 'number') return outcome;
    const error = outcomes[outcome];
    if (error === null) return null;
    const known = ofErrors.get(error);
    if (known !== undefined) return known;
    const refusal = refusalOfError(error);
    ofErrors.set(error, refusal);
    return refusal;
  };
}

/** By the sums of the table, and by group: no item is looked at. */
function* measured(
  table: BulkTable,
  outcomes: readonly unknown[],
  refusalOf: RefusalOf,
): Generator<'', { readonly errors: boolean; readonly wholeBytes: number }, undefined> {
  const { operations, indexBytes, ids, idCount, refusals, refused } = table;
  let errors = refusals.length > 0;
  let wholeBytes = operations.length * ITEM_BYTES + indexBytes + idCount * ID_BYTES + ids.length;
  for (const [number, refusal] of refusals.entries()) wholeBytes += (refused[number] ?? 0) * errorBytes(refusal);
  const counts = new Map(table.ofIndexes.map(({ number, count }) => [number, count]));
  for (let group = 0; group < outcomes.length; group += 1) {
    if (group % STEP === STEP - 1) yield '';
    const refusal = refusalOf(group);
    if (refusal === null) continue;
    errors = true;
    wholeBytes += (counts.get(group) ?? 1) * errorBytes(refusal);
  }
  return { errors, wholeBytes };
}

function errorBytes(refusal: Refusal): number {
  return refusal === null ? 0 : ERROR_BYTES + refusal.type.length + refusal.reason.length;
}

function wholeItem({ operation, index, id }: BulkItem, refusal: Refusal): object {
  const name = id === null ? { _index: index } : { _index: index, _id: id };
  if (refusal === null) return { [operation]: { ...name, _version: 1, result: 'created', status: 201 } };
  const { status, type, reason } = refusal;
  return { [operation]: { ...name, status, error: { type, reason } } };
}

/** Null for what is left out. */
function shortItem(reader: BulkReader, bytes: number): (item: BulkItem, refusal: Refusal) => object | null {
  // It looks for what is refused, and for nothing where `errors` is false.
  const leavesOut = reader === 'fluent-bit' && bytes > READ_BYTES_MAX;
  let errorBytesLeft = ERROR_BYTES_MAX;
  return ({ operation }, refusal) => {
    if (refusal === null) return leavesOut ? null : { [operation]: { status: 201 } };
    const { status, type, reason } = refusal;
    errorBytesLeft -= errorBytes(refusal);
    // One is refused as its neighbours are, mostly; but that it is, Logstash wants to see.
    return { [operation]: { status, error: errorBytesLeft >= 0 ? { type, reason } : {} } };
  };
}

function refusalOfError(error: unknown): BulkRefusal {
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
