// A 400 that no document is to blame for: a probe is refused too, so that everything waits and nothing goes to the dead
// letters. What only some documents are refused for goes its way, with a probe or two at most.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { Bench } from './bench.ts';

const NO_PIPELINE: BulkOutcome = {
  status: 400,
  errorType: 'illegal_argument_exception',
  errorReason: 'pipeline with id [not-there] does not exist',
  // As Elasticsearch answers: it did not come as far as a backing index.
  backing: 'logs-a',
};
const REFUSED = new SluiceError('store_body_refused', 'Cannot write: 400 (unrecognized parameter)');
const POISON: BulkOutcome = { status: 400, errorType: 'document_parsing_exception', errorReason: 'failed to parse' };
const FULL: BulkOutcome = {
  status: 400,
  errorType: 'illegal_argument_exception',
  errorReason: "Number of documents in the index can't exceed [2147483519]",
};

test('a missing pipeline: its index waits, nothing is dead-lettered, others go on, and it ends by itself', async () => {
  let isMissing = true;
  const answer = (index: string): BulkOutcome | null => (index === 'logs-a' && isMissing ? NO_PIPELINE : null);
  const bench = new Bench({ item: (_id, _document, index) => answer(index), probe: answer });
  const { clock, writer, store, ledger, deadLettered } = bench;
  for (let i = 0; i < 20; i++) await clock.until(writer.submit(bench.batch(10, ['a', 'b'])));
  await clock.advance(5000);
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered, ledger.inFlight], [100, 0, 100]);
  assert.match(writer.unhealthyReason ?? '', /pipeline with id \[not-there\] does not exist/);
  assert.equal(writer.waiting.index, 100);
  assert.equal(bench.logged.filter((event) => event === 'index_refuses_documents').length, 1);
  const { probes, requests } = store;
  await clock.advance(600_000);
  assert(store.probes - probes < 100 && store.requests === requests, `${store.probes - probes} probes in ten minutes`);
  bench.check();

  isMissing = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, deadLettered.length, writer.unhealthyReason], [200, 0, null]);
  assert(![...store.documents.values()].some((document) => document['as_text']), 'none is kept as text for it');
  bench.check();
});

test('a pipeline that is there again when the probe comes: its documents are indexed as they are', async () => {
  let isMissing = true;
  const probe = (): null => {
    isMissing = false;
    return null;
  };
  const bench = new Bench({ item: () => (isMissing ? NO_PIPELINE : null), probe });
  const { clock, writer, store, ledger } = bench;
  await clock.until(writer.submit(bench.batch(10, ['a'])));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered, store.probes], [10, 0, 1]);
  assert(![...store.documents.values()].some((document) => document['as_text']), 'none is kept as text for it');
  bench.check();
});

test('a fault that comes and goes: two refusals in a row, each before an accepted probe, are proof', async () => {
  // refused, probe accepted, its index refuses for a while, refused as that ends, probe accepted, accepted
  const items = [NO_PIPELINE, NO_PIPELINE, NO_PIPELINE, null];
  const probes = [null, NO_PIPELINE, null, null];
  const bench = new Bench({ item: () => items.shift() ?? null, probe: () => probes.shift() ?? null });
  const { clock, writer, store, ledger } = bench;
  await clock.until(writer.submit(bench.batch(1, ['a'])));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered, items.length], [1, 0, 0]);
  assert(![...store.documents.values()].some((document) => document['as_text']), 'it is not kept as text for it');
  bench.check();
});

test('a request of one document is refused whole, and accepted after the probe: it is not to blame', async () => {
  let isRefused = true;
  const probe = (): null => {
    isRefused = false;
    return null;
  };
  const bench = new Bench({ request: () => (isRefused ? { fail: REFUSED } : null), probe });
  const { clock, writer, store, ledger } = bench;
  await clock.until(writer.submit(bench.batch(1, ['a'])));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered], [1, 0]);
  assert(![...store.documents.values()].some((document) => document['as_text']), 'it is not kept as text for it');
  bench.check();
});

test('every request is refused whole: nothing is bisected, all waits, and it ends by itself', async () => {
  let isRefused = true;
  const bench = new Bench({
    request: () => (isRefused ? { fail: REFUSED } : null),
    probe: () => (isRefused ? REFUSED : null),
  });
  const { clock, writer, store, ledger } = bench;
  for (let i = 0; i < 3; i++) void writer.submit(bench.batch(10, ['a', 'b']));
  await clock.advance(120_000);
  assert.deepEqual([ledger.counts.dead_lettered, ledger.inFlight], [0, 30]);
  assert.match(writer.unhealthyReason ?? '', /unrecognized parameter/);
  assert.equal(writer.waiting.store, 30);
  assert(store.requests < 30, `${store.requests} requests in two minutes`);
  isRefused = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, writer.unhealthyReason], [30, null]);
  bench.check();
});

test('a request is refused whole for one index of it: that index waits alone, and it ends by itself', async () => {
  let isRefused = true;
  const isForIt = (body: Uint8Array): boolean => Buffer.from(body).includes('"logs-a"');
  const bench = new Bench({
    request: ({ body }) => (isRefused && isForIt(body) ? { fail: REFUSED } : null),
    probe: (index) => (isRefused && index === 'logs-a' ? NO_PIPELINE : null),
  });
  const { clock, writer, store, ledger } = bench;
  for (let i = 0; i < 3; i++) void writer.submit(bench.batch(10, ['a', 'b']));
  await clock.advance(120_000);
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered, ledger.inFlight], [15, 0, 15]);
  assert.deepEqual(writer.waiting, { retry: 0, index: 15, store: 0 });
  await clock.until(writer.submit(bench.batch(10, ['b'])));
  await clock.advance(100);
  assert.equal(ledger.counts.indexed, 25, 'the other index goes on at once');
  assert(store.requests < 12, `${store.requests} requests in two minutes`);
  bench.check();
  isRefused = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered, writer.unhealthyReason], [40, 0, null]);
  bench.check();
});

test('a request is refused whole for one document of it: that one alone goes to the dead letters', async () => {
  const hasPoison = (body: Uint8Array): boolean => Buffer.from(body).includes('"n":7,');
  const bench = new Bench({ request: ({ body }) => (hasPoison(body) ? { fail: REFUSED } : null) });
  const { clock, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(16, ['a'])));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.dead_lettered], [15, 1]);
});

test('a document that is refused among others that are accepted needs no probe for its first try', async () => {
  const bench = new Bench({ item: (_id, { n }) => (n === 3 ? POISON : null) });
  const { clock, writer, store, ledger } = bench;
  await clock.until(writer.submit(bench.batch(10, ['a'])));
  await clock.when(() => ledger.counts.indexed === 9);
  await clock.until(writer.idle());
  // As text it is alone: two refusals, a probe after each.
  assert.deepEqual([ledger.counts.dead_lettered, store.probes], [1, 2]);
});

test('steady refusals by the fault of documents cost a probe now and then', async () => {
  const bench = new Bench({ item: () => POISON });
  const { clock, writer, store, ledger } = bench;
  const sinceMs = clock.monotonicMs();
  for (let i = 0; i < 200; i++) await clock.until(writer.submit(bench.batch(10, ['a'])));
  await clock.until(writer.idle());
  const seconds = (clock.monotonicMs() - sinceMs) / 1000;
  assert.equal(ledger.counts.dead_lettered, 2000);
  assert(store.probes <= seconds / 2 + 2, `${store.probes} probes in ${seconds} s`);
});

test('a probe without a clear answer blames nobody', async () => {
  let isAway = true;
  const away = new SluiceError('store_unavailable', 'Cannot write: ECONNREFUSED');
  const bench = new Bench({ item: () => POISON, probe: () => (isAway ? away : null) });
  const { clock, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(1, ['a'])));
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.dead_lettered, ledger.inFlight], [0, 1]);
  isAway = false;
  await clock.until(writer.idle());
  assert.equal(ledger.counts.dead_lettered, 1);
});

test('a shard that is full is nothing that a probe would see: it waits by its own words', async () => {
  const bench = new Bench({ item: () => FULL });
  const { clock, writer, store, ledger } = bench;
  await clock.until(writer.submit(bench.batch(5, ['a'])));
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.dead_lettered, ledger.inFlight, store.probes], [0, 5, 0]);
  assert.match(writer.unhealthyReason ?? '', /can't exceed/);
  writer.stop();
  await clock.until(writer.idle());
});

test('a stop while a probe is under way abandons what waits for it', async () => {
  const bench = new Bench({ item: () => NO_PIPELINE, probe: () => NO_PIPELINE });
  const { clock, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(5, ['a'])));
  await clock.when(() => bench.store.probes === 1);
  await clock.advance(500);
  writer.stop();
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.abandoned, ledger.counts.dead_lettered, bench.next], [5, 0, 0]);
  bench.check();
});
