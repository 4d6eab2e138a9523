// What waits in the joiner of traces, for how long, and what goes by way of it at all: only what may be of a trace.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Out, Tracing, queued } from './tracing.ts';

const TRACE = ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)'];
const brief = (out: readonly Out[]): unknown[] => out.map(({ lines, partial, refs }) => [lines, partial, ...refs]);

function read(texts: readonly string[]): Tracing {
  const tracing = new Tracing();
  for (const line of queued(texts)) tracing.read(line);
  return tracing;
}

test('a trace waits, other lines do not', () => {
  const tracing = read(TRACE);
  assert.equal(tracing.out.length, 0);
  assert.equal(tracing.joiner.events, 3);
  tracing.after(1249);
  assert.equal(tracing.out.length, 0);
  tracing.after(1);
  assert.equal(tracing.out.length, 1);
  assert.equal(tracing.joiner.events, 0);
  assert.equal(tracing.joiner.dueMs, null);
});

test('a line that may not be of a trace waits for no longer than the trace without it', () => {
  // Each comes in time after the one before it; none says that the message is over.
  const texts = ['com.shop.CartException: no', ...Array.from({ length: 8 }, (_, i) => `ordinary ${i}`)];
  const tracing = new Tracing();
  for (const [i, text] of texts.entries()) {
    const ms = 900 * i;
    tracing.after(ms - tracing.nowMs);
    tracing.read({ text, offset: i, receivedMs: ms, appendedMs: ms, number: i });
    const waiting = texts.slice(0, i + 1).findIndex((one) => !tracing.out.some((out) => out.text === one));
    assert(waiting < 0 || ms - 900 * waiting <= 1250, `line ${waiting} waits since ${ms - 900 * waiting} ms`);
  }
  tracing.after(2000);
  assert.deepEqual(
    tracing.out.map(({ text, lines, partial }) => [text, lines, partial]),
    texts.map((text) => [text, 1, false]),
  );
});

test('what begins another trace in its place waits for what is its own', () => {
  const tracing = new Tracing();
  const say = (text: string, ms: number, number: number): void => {
    tracing.after(ms - tracing.nowMs);
    tracing.read({ text, offset: number, receivedMs: ms, appendedMs: ms, number });
  };
  say('com.shop.CartException: no', 0, 0);
  say('panic: x', 900, 1);
  say('[signal SIGSEGV]', 1800, 2);
  tracing.after(5000);
  assert.deepEqual(brief(tracing.out), [
    [1, false, 0],
    [2, false, 1, 2],
  ]);
});

test('long names of a batch count as what waits', () => {
  const lines = queued(['panic: x'], { tag: 't'.repeat(1024) });
  const tracing = new Tracing();
  for (const line of lines) tracing.read(line);
  assert(tracing.joiner.bytes > 4096, String(tracing.joiner.bytes));
});

test('of a batch whose lines come again only these are known, so that nothing else goes by way of the joiner', () => {
  const tracing = read([...TRACE, 'after']);
  const [batch, later] = [tracing.batchOf(0), tracing.batchOf(3)];
  assert.equal(
    tracing.joiner.watchedOf(0, () => 'batch\0'),
    null,
    'no trace is open',
  );
  assert.deepEqual(
    [0, 1].map((index) => tracing.joiner.passedOf(batch)?.(index)),
    [true, false],
  );
  assert.equal(tracing.joiner.passedOf(later), null);
});
