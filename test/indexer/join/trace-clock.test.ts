// When the clock passes a trace on: not while anything is unread that the queue is known to have.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tracing, queued } from './tracing.ts';

const TRACE = ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'];

function reading(count: number): Tracing {
  const tracing = new Tracing();
  for (const line of queued(TRACE).slice(0, count)) tracing.read(line);
  return tracing;
}

/** Lines of each document, and whether it is marked. */
const brief = ({ out }: Tracing): unknown[] => out.map(({ lines, partial }) => [lines, partial]);

test('while the queue has more, the clock ends nothing', () => {
  const tracing = reading(3);
  for (const state of ['busy', 'asked'] as const) {
    tracing.reading = state;
    tracing.after(59_000);
    assert.equal(tracing.out.length, 0, state);
    assert(tracing.joiner.dueMs! > tracing.nowMs, 'it is looked at again, not all the time');
  }
  tracing.reading = 'busy';
  tracing.after(3_600_000);
  assert.equal(tracing.out.length, 0);
  tracing.reading = 'read';
  tracing.after(200);
  assert.deepEqual(brief(tracing), [[3, false]]);
});

test('a queue that does not give what it has, and no room to read it: the oldest is passed on, marked', () => {
  for (const [state, ms] of [
    ['asked', 61_500],
    ['full', 1250],
  ] as const) {
    const tracing = reading(3);
    tracing.reading = state;
    tracing.after(ms);
    assert.deepEqual(brief(tracing), [[3, true]]);
    assert.equal(tracing.joiner.events, 0);
  }
});

test('a timer that comes late waits for what came meanwhile', () => {
  const tracing = reading(2);
  tracing.late(4000);
  assert.equal(tracing.out.length, 0);
  for (const line of queued(TRACE).slice(2)) tracing.read(line);
  tracing.late(4000);
  tracing.late(100);
  assert.deepEqual(brief(tracing), [[3, false]]);
});
