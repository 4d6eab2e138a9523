// An answer, sorted: which items need a next step, and which of them together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkAnswer } from '#indexer/bulk/answer.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { Bench } from './bench.ts';

const NEW_A: BulkOutcome = { status: 201, backing: '.ds-a' };
const THERE: BulkOutcome = { status: 409 };
const BUSY: BulkOutcome = { status: 429, errorType: 'es_rejected_execution_exception', errorReason: 'busy' };
const BLOCKED: BulkOutcome = { status: 429, errorType: 'cluster_block_exception', errorReason: 'disk' };
const FORBIDDEN: BulkOutcome = { status: 403, errorType: 'security_exception', errorReason: 'no' };
const TOO_LARGE: BulkOutcome = { status: 413, errorReason: 'too large' };
const refused = (backing: string): BulkOutcome => ({ status: 400, errorType: 'x', errorReason: 'bad', backing });

const bench = new Bench();

test('columns', () => {
  /** One item for each letter, which is its index. Expected: "verdict index: numbers", and what else is known. */
  const check = (indices: string, outcomes: readonly BulkOutcome[], expected: readonly string[]): void => {
    const groups = new BulkAnswer(outcomes).open(bench.batch(indices.length, indices.split('')));
    const described = groups.map(({ index, numbers, items, refusals }) =>
      [
        `${items.verdict} ${index}: ${numbers.join(' ')} (${items.reason})`,
        ...(items.isIndexAccepting ? ['its index accepts others'] : []),
        ...refusals.map(({ reason }) => reason),
      ].join(', '),
    );
    assert.deepEqual(described, expected);
  };
  check('a', [NEW_A], []);
  check('ab', [NEW_A, THERE], []);
  check('abab', [BUSY, BUSY, NEW_A, BUSY], ['retry : 0 1 3 (es_rejected_execution_exception: busy)']);
  check('aba', [BLOCKED, THERE, BLOCKED], ['blocked logs-a: 0 2 (cluster_block_exception: disk)']);
  check(
    'ab',
    [BLOCKED, FORBIDDEN],
    ['blocked logs-a: 0 (cluster_block_exception: disk)', 'operator logs-b: 1 (security_exception: no)'],
  );
  // One index waits as one, for what the store said first.
  check('aa', [FORBIDDEN, BLOCKED], ['operator logs-a: 0 1 (security_exception: no)']);
  check('aa', [refused('.ds-a'), NEW_A], ['refused logs-a: 0 (x: bad), its index accepts others, document_refused']);
  // Neither a repeat nor another backing index shows that the index accepts documents.
  check('aa', [refused('.ds-a'), THERE], ['refused logs-a: 0 (x: bad), document_refused']);
  check('ab', [NEW_A, refused('.ds-b')], ['refused logs-b: 1 (x: bad), document_refused']);
  check('a', [TOO_LARGE], ['refused logs-a: 0 (413: too large), its index accepts others, document_too_large']);
  check(
    'aa',
    [TOO_LARGE, refused('.ds-a')],
    ['refused logs-a: 0 1 (413: too large), document_too_large, document_refused'],
  );
  check(
    'a',
    [{ status: 201, failureStore: true, backing: '.fs-a' }],
    ['refused logs-a: 0 (201: no reason given), failure_store'],
  );
  check(
    'baab',
    [refused('.ds-b'), BLOCKED, BUSY, refused('.ds-b')],
    [
      'retry : 2 (es_rejected_execution_exception: busy)',
      'blocked logs-a: 1 (cluster_block_exception: disk)',
      'refused logs-b: 0 3 (x: bad), document_refused, document_refused',
    ],
  );
});
