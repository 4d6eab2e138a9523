// A loss is reported once by a process, however often it is found, and what was removed since is reported with the next
// finding.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportedChanges } from '#shared/queue/kafka/positions/reported-changes.ts';
import type { LogChange, LossReason } from '#shared/queue/queue.ts';

function lost(from: number, to: number, reason: LossReason = 'retention', partition = 0): LogChange {
  return { partition, reason, from, next: to, losses: [{ partition, reason, from, to, isExact: true }] };
}

function rangesOf(changes: readonly LogChange[]): string[] {
  return changes.map(({ losses }) => losses.map(({ from, to }) => `${from}–${to}`).join(' '));
}

test('what is found again after a commit without an answer is not reported again', () => {
  const reported = new ReportedChanges();
  assert.deepEqual(rangesOf(reported.news('t', [lost(1, 12)])), ['1–12']);
  assert.deepEqual(reported.news('t', [lost(1, 12)]), []);
});

test('what was removed since is reported, and only that', () => {
  const reported = new ReportedChanges();
  reported.news('t', [lost(10, 20)]);
  assert.deepEqual(rangesOf(reported.news('t', [lost(10, 25)])), ['20–25']);
  assert.deepEqual(rangesOf(reported.news('t', [lost(5, 30)])), ['5–10 25–30']);
});

test('what happens again after reading went on is reported again', () => {
  const reported = new ReportedChanges();
  reported.news('t', [lost(50, 50, 'log_truncated')]);
  reported.passed(0, 50);
  assert.deepEqual(reported.news('t', [lost(50, 50, 'log_truncated')]), []);
  reported.passed(0, 100);
  assert.equal(reported.news('t', [lost(50, 50, 'log_truncated')]).length, 1);
});

test('other partitions, topics and reasons are reported for themselves', () => {
  const reported = new ReportedChanges();
  reported.news('t', [lost(1, 12)]);
  assert.equal(reported.news('t', [lost(1, 12, 'retention', 1)]).length, 1);
  assert.equal(reported.news('u', [lost(1, 12)]).length, 1);
  assert.equal(reported.news('u', [lost(1, 12, 'log_truncated')]).length, 1);
});

test('a topic that was made anew is reported once; what retention removes of it since, too', () => {
  const reported = new ReportedChanges();
  const anew = (from: number, low: number): LogChange => {
    const { losses } = lost(0, low);
    return { ...lost(from, 500, 'topic_recreated'), next: low, losses: low > 0 ? losses : [] };
  };
  assert.equal(reported.news('t', [anew(450, 0)]).length, 1);
  assert.deepEqual(reported.news('t', [anew(400, 0)]), []);
  assert.deepEqual(reported.news('t', [anew(400, 7)]), [{ ...lost(0, 7) }]);
  assert.equal(reported.news('u', [anew(400, 0)]).length, 1);
});
