// The bulk writer over several indices: one that is blocked, refused or closed waits alone; what the store as a whole
// refuses stops all but one try.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assignment } from '#indexer/commit/in-hand.ts';
import { SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { seeded } from '../world.ts';
import { Bench } from './bench.ts';

const BLOCKED: BulkOutcome = { status: 429, errorType: 'cluster_block_exception', errorReason: 'the disk is full' };
const FORBIDDEN: BulkOutcome = { status: 403, errorType: 'security_exception', errorReason: 'no' };
const BUSY: BulkOutcome = { status: 429, errorType: 'es_rejected_execution_exception', errorReason: 'busy' };
const CONFLICT: BulkOutcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'conflict' };

for (const [what, outcome] of [
  ['blocked', BLOCKED],
  ['forbidden', FORBIDDEN],
] as const) {
  test(`an index that is ${what} waits alone: the others go on, and it costs a try now and then`, async () => {
    let isClosed = true;
    const bench = new Bench({ item: (_id, _document, index) => (index === 'logs-a' && isClosed ? outcome : null) });
    for (let i = 0; i < 40; i++)
      await bench.clock.until(bench.writer.submit(bench.batch(10, ['a', 'b', 'b', 'b', 'b'])));
    await bench.clock.advance(100);
    bench.check();
    assert.equal(bench.ledger.counts.indexed, 320);
    assert.equal(bench.ledger.inFlight, 80);
    assert.equal(bench.next, 0, 'the offset stays before the first record that is not finished');
    assert.deepEqual(bench.writer.waiting, { retry: 0, index: 80, store: 0 });
    assert.match(bench.writer.unhealthyReason ?? '', new RegExp(outcome.errorType ?? ''));
    assert.equal(bench.logged.filter((event) => event === 'index_refuses_documents').length, 1);
    assert.equal(bench.limit.limit >= 2, true, 'a refusal by one index is no reason for fewer requests');

    const before = bench.store.requests;
    await bench.clock.advance(600_000);
    const tries = bench.store.requests - before;
    assert(tries > 10 && tries < 100, `${tries} tries in ten minutes`);

    isClosed = false;
    const opened = bench.store.requests;
    await bench.clock.advance(31_000);
    bench.check();
    assert.equal(bench.ledger.counts.indexed, 400);
    assert.equal(bench.ledger.inFlight, 0);
    assert.equal(bench.next, 40);
    assert.equal(bench.writer.unhealthyReason, null);
    assert(bench.store.requests - opened <= 3, 'what waited goes together');
    assert(bench.logged.includes('index_takes_documents_again'));
  });
}

test('two indices that are closed wait each for itself', async () => {
  const closed = new Set(['logs-a', 'logs-b']);
  const bench = new Bench({ item: (_id, _document, index) => (closed.has(index) ? BLOCKED : null) });
  await bench.clock.until(bench.writer.submit(bench.batch(9, ['a', 'b', 'c'])));
  await bench.clock.advance(60_000);
  assert.equal(bench.ledger.counts.indexed, 3);
  closed.delete('logs-b');
  await bench.clock.advance(31_000);
  assert.equal(bench.ledger.counts.indexed, 6);
  assert.match(bench.writer.unhealthyReason ?? '', /disk/);
  closed.delete('logs-a');
  await bench.clock.advance(31_000);
  assert.equal(bench.ledger.counts.indexed, 9);
  bench.check();
});

test('one document that its index always refuses to take holds up no other of that index', async () => {
  const bench = new Bench({ item: (_id, { n }) => (n === 3 ? FORBIDDEN : null) });
  for (let i = 0; i < 5; i++) await bench.clock.until(bench.writer.submit(bench.batch(10, ['a'])));
  await bench.clock.advance(120_000);
  assert.equal(bench.ledger.counts.indexed, 45);
  for (let i = 0; i < 5; i++) await bench.clock.until(bench.writer.submit(bench.batch(3, ['a'])));
  await bench.clock.advance(100);
  assert.equal(bench.ledger.counts.indexed, 60);
  bench.check();
});

test('what waits is bounded: then nothing more is accepted, until the index is open again', async () => {
  let isClosed = true;
  const bench = new Bench({ item: (_id, _document, index) => (index === 'logs-a' && isClosed ? BLOCKED : null) });
  let accepted = 0;
  const feed = (async () => {
    for (; accepted < 100; accepted++) await bench.writer.submit(bench.batch(20, ['a', 'b']));
  })();
  await bench.clock.advance(60_000);
  assert(accepted > 10 && accepted < 50, `${accepted} batches were accepted`);
  bench.check();
  isClosed = false;
  await bench.clock.until(feed);
  await bench.clock.until(bench.writer.idle());
  assert.equal(bench.ledger.counts.indexed, 2000);
  bench.check();
});

test('401: one try at a time, slowly; nothing else is sent; all goes on by itself', async () => {
  let isRefused = true;
  const refusal = new SluiceError('store_unauthorized', 'Cannot write: 401');
  const bench = new Bench({ request: () => (isRefused ? { fail: refusal } : null) });
  for (let i = 0; i < 8; i++) void bench.writer.submit(bench.batch(10, ['a']));
  await bench.clock.advance(2000);
  const before = bench.store.requests;
  await bench.clock.advance(600_000);
  const tries = bench.store.requests - before;
  assert(tries > 10 && tries < 60, `${tries} tries in ten minutes`);
  assert.equal(bench.store.inFlightMax <= 2, true);
  assert.match(bench.writer.unhealthyReason ?? '', /401/);
  assert.deepEqual(bench.writer.waiting, { retry: 0, index: 0, store: 80 });
  isRefused = false;
  await bench.clock.advance(31_000);
  assert.equal(bench.ledger.counts.indexed, 80);
  assert.equal(bench.writer.unhealthyReason, null);
  bench.check();
});

test('what is for a lost assignment waits no longer; what was stopped is abandoned', async () => {
  const bench = new Bench({ item: () => BLOCKED });
  void bench.writer.submit(bench.batch(10, ['a']));
  await bench.clock.advance(10);
  bench.assignment.isRevoked = true;
  bench.writer.lost();
  assert.equal(bench.ledger.counts.abandoned, 10);
  bench.assignment = new Assignment(2, [{ partition: 0, next: 0 }]);
  void bench.writer.submit(bench.batch(5, ['a', 'b']));
  await bench.clock.advance(40_000);
  assert.deepEqual(bench.writer.waiting, { retry: 0, index: 5, store: 0 });
  bench.writer.stop();
  await bench.clock.until(bench.writer.idle());
  assert.equal(bench.ledger.counts.abandoned, 15);
  assert.equal(bench.ledger.inFlight, 0);
  bench.check();
});

test('what waits for its turn when its assignment is lost is not sent', async () => {
  const bench = new Bench({ latencyMs: () => 1000 });
  const { clock, store, writer, ledger } = bench;
  // As many as may be at the store at first, and more.
  for (let i = 0; i < 5; i++) void writer.submit(bench.batch(3, ['a']));
  await clock.advance(100);
  assert.deepEqual([bench.limit.inUse, store.inFlight], [2, 2]);
  bench.assignment.isRevoked = true;
  writer.lost();
  await clock.until(writer.idle());
  assert.deepEqual([store.requests, ledger.counts.abandoned, bench.limit.inUse], [2, 15, 0]);
  bench.check();
});

test('refusals for want of time lower the limit; it comes back', async () => {
  let isBusy = true;
  const random = seeded(4);
  let lowest = Infinity;
  const bench: Bench = new Bench({
    item: () => (isBusy && random() < 0.5 ? BUSY : null),
    latencyMs: () => {
      lowest = Math.min(lowest, bench.limit.limit);
      return 50;
    },
  });
  const feed = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) await bench.writer.submit(bench.batch(10, ['a']));
  };
  await bench.clock.until(feed());
  assert.equal(lowest, 1);
  await bench.clock.until(bench.writer.idle());
  isBusy = false;
  await bench.clock.until(feed());
  await bench.clock.until(bench.writer.idle());
  assert.equal(bench.limit.limit, 4);
  assert.equal(bench.ledger.counts.indexed, 1200);
  bench.check();
});

test('documents in the failure store are tried as text, then dead-lettered', async () => {
  const bench = new Bench({
    item: (_id, { n, as_text: asText }) =>
      n === 1 || (n === 2 && asText === false) ? { status: 201, failureStore: true } : null,
  });
  await bench.clock.until(bench.writer.submit(bench.batch(5, ['a'])));
  await bench.clock.until(bench.writer.idle());
  assert.equal(bench.ledger.counts.indexed, 4);
  assert.equal(bench.ledger.counts.dead_lettered, 1);
  assert.deepEqual(
    bench.deadLettered.map(({ reason }) => reason),
    ['failure_store'],
  );
});

test('dead letters that cannot be held delay no document', async () => {
  const bench = new Bench({ item: (_id, { n }) => (n === 0 ? CONFLICT : null) });
  const works = Promise.withResolvers<void>();
  bench.deadLettersWork = works.promise;
  for (let i = 0; i < 30; i++) await bench.clock.until(bench.writer.submit(bench.batch(10, ['a'])));
  await bench.clock.advance(100);
  assert.equal(bench.ledger.counts.indexed, 270);
  bench.check();
  works.resolve();
  await bench.clock.until(bench.writer.idle());
  assert.equal(bench.ledger.counts.dead_lettered, 30);
});
