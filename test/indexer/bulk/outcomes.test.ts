// The outcome tables, a line a case; the cases are those of Elasticsearch's answers that were seen or are documented.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '#shared/backoff.ts';
import { itemVerdict, type ItemVerdict, type RequestVerdict, requestVerdict } from '#indexer/settle/outcomes.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';

test('what became of an item', () => {
  const check = (status: number, errorType: string | undefined, expected: ItemVerdict): void =>
    assert.equal(
      itemVerdict(errorType === undefined ? { status } : { status, errorType }),
      expected,
      `${status} ${errorType}`,
    );
  check(201, undefined, 'indexed');
  check(200, undefined, 'indexed');
  check(409, 'version_conflict_engine_exception', 'deduplicated');
  check(408, undefined, 'retry');
  check(429, 'es_rejected_execution_exception', 'retry');
  check(429, 'circuit_breaking_exception', 'retry');
  check(429, undefined, 'retry');
  check(500, 'some_exception', 'retry');
  check(503, undefined, 'retry');
  check(429, 'cluster_block_exception', 'blocked'); // flood stage of a full disk
  check(403, 'cluster_block_exception', 'blocked'); // an index that somebody made read-only
  check(503, 'unavailable_shards_exception', 'blocked');
  check(400, 'validation_exception', 'operator'); // "this action would add [2] shards, but this cluster has …"
  check(401, 'security_exception', 'operator');
  check(403, 'security_exception', 'operator');
  check(403, undefined, 'operator');
  check(404, 'index_not_found_exception', 'operator');
  check(404, undefined, 'operator');
  check(400, 'index_closed_exception', 'operator');
  check(400, 'document_parsing_exception', 'refused');
  check(400, 'mapper_parsing_exception', 'refused');
  check(400, 'strict_dynamic_mapping_exception', 'refused');
  check(400, 'illegal_argument_exception', 'refused');
  check(400, undefined, 'refused');
  check(413, undefined, 'refused');
  check(400, 'constructor', 'refused');
  check(418, undefined, 'operator');
  check(0, undefined, 'operator');
});

test('a document in the failure store is not where it belongs', () =>
  assert.equal(itemVerdict({ status: 201, failureStore: true }), 'refused'));

test('what became of a request', () => {
  const check = (code: ErrorCode, expected: RequestVerdict): void =>
    assert.equal(requestVerdict(new SluiceError(code, '')), expected, code);
  check('store_unavailable', 'again');
  check('store_timeout', 'again');
  check('store_overloaded', 'again');
  check('store_body_too_large', 'halve');
  check('store_body_refused', 'bisect');
  check('store_unauthorized', 'operator');
  check('store_refused', 'operator');
  check('data_dir_unusable', 'operator');
  assert.equal(requestVerdict(new TypeError('not ours')), 'operator');
});

test('backoff has full jitter below a growing ceiling', () => {
  const limits = { baseMs: 100, capMs: 1000 };
  const check = (attempt: number, random: number, expected: number): void =>
    assert.equal(
      backoffMs(attempt, limits, () => random),
      expected,
    );
  check(0, 0.5, 50);
  check(1, 0.5, 100);
  check(3, 0.5, 400);
  check(4, 0.5, 500);
  check(4000, 0.5, 500);
  check(2, 0, 25);
});
