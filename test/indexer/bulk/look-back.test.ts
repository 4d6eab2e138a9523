// After a rollover nothing is written twice: what is older than the index that is written to is looked for in the older
// ones, before and, where a look was out of date, after the write.

import assert from 'node:assert/strict';
import type { NamedBatch } from '#shared/record/identity.ts';
import { test } from 'node:test';
import { earliestWriteMs } from '#indexer/bulk/earliest-write.ts';
import { KEPT_CLOSED_MS } from '#indexer/bulk/look-back.ts';
import { type BulkBatch, mergedWithin } from '#indexer/settle/bulk-batch.ts';
import { Assignment } from '#indexer/commit/in-hand.ts';
import { SluiceError } from '#shared/errors.ts';
import { Bench, SKEW_MS } from './bench.ts';

test('after a rollover a repeat is not written again; what is new is', async () => {
  const bench = new Bench();
  const { clock, store, writer, ledger } = bench;
  const receivedMs = clock.epochMs();
  const submit = (batch: BulkBatch): Promise<void> => clock.until(writer.submit(batch));
  await submit(bench.batch(10, ['a'], receivedMs, 7));
  await clock.advance(40_000);
  assert.equal(store.questions, 0);
  store.rollOver();
  await clock.advance(40_000);
  await submit(bench.batch(14, ['a'], receivedMs, 7));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [14, 10, 0]);
  // The second one is for copies of those that were found.
  assert.deepEqual([store.questions, store.removed], [2, 0]);
  await submit(bench.batch(10, ['a'], clock.epochMs(), 8));
  assert.equal(store.questions, 3, 'the clock of the edge may be slow');
  await clock.advance(SKEW_MS);
  await submit(bench.batch(10, ['a'], clock.epochMs(), 9));
  await clock.until(writer.idle());
  assert.equal(store.questions, 3, 'what came after the rollover is not asked for');
  assert.equal(store.doubled, 0);
  bench.check();
});

test('a rollover between a write whose answer was lost and its repeat', async () => {
  const lost = new SluiceError('store_timeout', 'Cannot write: no answer');
  const bench = new Bench({ request: (_, number) => (number === 1 ? { failAfter: lost } : null) });
  const { clock, store, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(1, ['a'])));
  await clock.advance(100);
  // Looked at a moment ago: the index is not asked about again for half a minute, unless something makes us doubt.
  void writer.submit(bench.batch(10, ['a']));
  await clock.when(() => store.requests === 2 && store.inFlight === 0);
  store.rollOver();
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [1, 10, 0]);
});

test('a rollover between a write whose answer was lost and its repeat, with a look by others before it', async () => {
  const lost = new SluiceError('store_timeout', 'Cannot write: no answer');
  const bench = new Bench({ request: (_, number) => (number === 0 ? { failAfter: lost } : null) });
  const { clock, store, writer, ledger } = bench;
  void writer.submit(bench.batch(10, ['a']));
  await clock.when(() => store.requests === 1 && store.inFlight === 0);
  // The first batch waits for its repeat; this one looks, and finds that nothing has rolled over.
  void writer.submit(bench.batch(1, ['a']));
  await clock.when(() => ledger.counts.indexed === 1);
  assert.equal(store.requests, 2);
  store.rollOver();
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [1, 10, 0]);
});

test('a rollover between a write and its repeat by the next owner of the partition', async () => {
  const bench = new Bench();
  const { clock, store, writer, ledger } = bench;
  const receivedMs = clock.epochMs();
  await clock.until(writer.submit(bench.batch(10, ['a'], receivedMs, 3)));
  await clock.advance(100);
  store.rollOver();
  bench.assignment = new Assignment(2, [{ partition: 0, next: 0 }]);
  await clock.until(writer.submit(bench.batch(10, ['a'], receivedMs, 3)));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [10, 10, 0]);
});

test('a replay asks for all, however late they were received', async () => {
  const bench = new Bench({}, { askForAll: true });
  const { clock, store, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(10, ['a'], clock.epochMs() + 1e9, 3)));
  store.rollOver();
  await clock.advance(31_000);
  await clock.until(writer.submit(bench.batch(10, ['a'], clock.epochMs() + 1e9, 3)));
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [10, 10, 0]);
});

/** A name of version 2 that was given at this time. */
function nameOf(timeMs: number, last = 1): Buffer {
  const name = Buffer.alloc(16, last);
  name.writeUIntBE(timeMs, 0, 6);
  return name;
}

test('how old a batch is', () => {
  const check = (about: Partial<NamedBatch>, receivedMs: number, expected: number): void => {
    const origin = { tag: '', input: '', tenant: null, seq: 0, sender: '' };
    const batch = { version: 1 as const, id: Buffer.alloc(16), first: 0, count: 1, chain: null, ...origin };
    assert.equal(earliestWriteMs({ ...batch, ...about, receivedMs }), expected);
  };
  check({}, 5000, 5000);
  check({ version: 1, id: nameOf(7) }, 5000, 5000);
  check({ version: 2, id: nameOf(3000) }, 5000, 3000);
  check({ version: 2, id: nameOf(5001) }, 5000, 5000);
  check({ version: 2, id: nameOf(0) }, 5000, 0);
  check({ version: 2, id: nameOf(2 ** 48 - 1) }, 2 ** 48, 2 ** 48 - 1);
  check({ version: 2, id: nameOf(3000), chain: null }, 5000, 3000);
  const chain = Buffer.alloc(16);
  check({ version: 2, id: nameOf(3000), chain }, 5000, 0);
  check({ version: 2, chain, names: { bytes: Buffer.alloc(22), earliestMs: 2000 } }, 5000, 2000);
});

for (const [what, timeOf] of [
  ['its name has the time of its first try', (ms: number) => ms],
  ['its name has no time', () => 0],
] as const) {
  test(`a sender repeats a chunk long after a rollover: ${what}`, async () => {
    const bench = new Bench();
    const { clock, store, writer, ledger } = bench;
    const name = nameOf(timeOf(clock.epochMs()));
    await clock.until(writer.submit(bench.batch(10, ['a'], clock.epochMs(), name)));
    await clock.advance(60_000);
    store.rollOver();
    await clock.advance(SKEW_MS * 6);
    await clock.until(writer.submit(bench.batch(10, ['a'], clock.epochMs(), name)));
    await clock.until(writer.idle());
    assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [10, 10, 0]);
    bench.check();
  });
}

/** Ten documents, and then again while the data stream rolls over under the request. */
async function arrangeRollover() {
  let rolls = false;
  const bench: Bench = new Bench({ request: () => void (rolls && (bench.store.rollOver(), (rolls = false))) });
  const receivedMs = bench.clock.epochMs();
  const submit = (): Promise<void> => bench.clock.until(bench.writer.submit(bench.batch(10, ['a'], receivedMs, 3)));
  await submit();
  await bench.clock.until(bench.writer.idle());
  await bench.clock.advance(100);
  rolls = true;
  const { clock, writer, store, ledger } = bench;
  return { bench, submit, clock, writer, store, ledger };
}

test('a rollover while a request is on its way: the second copies are deleted', async () => {
  const { bench, submit, clock, writer, store, ledger } = await arrangeRollover();
  await submit();
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated], [10, 10]);
  assert.deepEqual([store.doubled, store.removed], [0, 10]);
  assert(bench.logged.includes('second_copies_deleted'));
  bench.check();
});

test('killed between the write and the deletion: whoever reads it again deletes the second copies', async () => {
  const { bench, submit, clock, writer, store, ledger } = await arrangeRollover();
  store.removalFails = new SluiceError('store_unavailable', 'Cannot delete: 503');
  await submit();
  await clock.advance(3000);
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [10, 0, 10], 'no outcome yet');
  assert.equal(bench.next, 1);
  writer.stop();
  await clock.until(writer.idle());
  const next = new Bench({}, { store });
  await next.clock.until(next.writer.submit(next.batch(10, ['a'], 0, 3)));
  store.removalFails = null;
  await next.clock.until(next.writer.idle());
  assert.deepEqual([next.ledger.counts.deduplicated, store.doubled, store.removed], [10, 0, 10]);
});

test('nothing is deleted, and nothing has an outcome, while the older index cannot be read', async () => {
  const { bench, submit, clock, writer, store, ledger } = await arrangeRollover();
  const older = store.backing('.ds-logs-a-000001');
  assert(older);
  older.isUnreadable = true;
  await submit();
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.removed], [10, 0, 0]);
  assert.equal(bench.next, 1);
  older.isUnreadable = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.deduplicated, store.doubled, store.removed], [10, 0, 10]);
});

test('an older index that cannot be read delays only what may lie in it', async () => {
  const bench = new Bench();
  const { clock, store, writer, ledger, limit } = bench;
  const writtenMs = clock.epochMs();
  await clock.until(writer.submit(bench.batch(10, ['a'], writtenMs, 99)));
  await clock.until(writer.idle());
  await clock.advance(2 * SKEW_MS);
  store.rollOver();
  await clock.advance(2 * SKEW_MS);
  const older = store.backing('.ds-logs-a-000001');
  assert(older);
  older.isUnreadable = true;
  const late = bench.batch(12, ['a'], writtenMs, 99);
  for (let i = 0; i < 20; i++) {
    const [batch] = mergedWithin([bench.batch(50, ['a']), ...(i === 3 ? [late] : [])], 65_536);
    assert(batch);
    await clock.until(writer.submit(batch.batch));
  }
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.indexed, ledger.inFlight], [10 + 20 * 50, 12]);
  assert.equal(limit.limit, 4, 'it is no overload');
  assert.match(writer.unhealthyReason ?? '', /Cannot read \.ds-logs-a-000001/);
  assert(bench.logged.includes('index_refuses_documents'));
  assert.equal(writer.waiting.index, 12);
  bench.check();
  older.isUnreadable = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [1012, 10, 0]);
  assert.equal(writer.unhealthyReason, null);
  bench.check();
});

test('what may lie in an older index that was closed by mistake waits until it is opened', async () => {
  const { bench, submit, clock, writer, store, ledger } = await arrangeRollover();
  const older = store.backing('.ds-logs-a-000001');
  assert(older);
  older.isClosed = true;
  await submit();
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.removed], [10, 0, 0]);
  assert.equal(bench.next, 1);
  older.isClosed = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.deduplicated, store.doubled, store.removed], [10, 0, 10]);
});

test('a repeat is not sent while the older index is closed, and it is told; what came later is', async () => {
  const bench = new Bench();
  const { clock, store, writer, ledger } = bench;
  const writtenMs = clock.epochMs();
  await clock.until(writer.submit(bench.batch(10, ['a'], writtenMs, 99)));
  await clock.until(writer.idle());
  store.rollOver();
  await clock.advance(2 * SKEW_MS);
  const older = store.backing('.ds-logs-a-000001');
  assert(older);
  older.isClosed = true;
  void writer.submit(bench.batch(12, ['a'], writtenMs, 99));
  await clock.until(writer.submit(bench.batch(50, ['a'])));
  await clock.advance(60_000);
  assert.deepEqual([ledger.counts.indexed, ledger.inFlight], [60, 12]);
  assert.match(writer.unhealthyReason ?? '', /\.ds-logs-a-000001 is closed/);
  older.isClosed = false;
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.indexed, ledger.counts.deduplicated, store.doubled], [62, 10, 0]);
  assert.equal(writer.unhealthyReason, null);
  bench.check();
});

test('an index that ended a day ago was closed on purpose: nothing waits for it for ever', async () => {
  const bench = new Bench();
  const { clock, store, writer, ledger } = bench;
  const writtenMs = clock.epochMs();
  await clock.until(writer.submit(bench.batch(10, ['a'], writtenMs, 99)));
  await clock.until(writer.idle());
  store.rollOver();
  const older = store.backing('.ds-logs-a-000001');
  assert(older);
  older.isClosed = true;
  void writer.submit(bench.batch(12, ['a'], writtenMs, 99));
  await clock.advance(KEPT_CLOSED_MS - 60_000);
  assert.deepEqual([ledger.counts.indexed, ledger.inFlight], [10, 12]);
  await clock.advance(2 * 60_000);
  await clock.until(writer.idle());
  // Two are new; of the others nobody could tell.
  assert.deepEqual([ledger.inFlight, store.documents.size, store.doubled], [0, 12, 10]);
  bench.check();
});

test('without the privilege to delete it is reported, and goes on', async () => {
  const { bench, submit, clock, writer, store, ledger } = await arrangeRollover();
  store.removalFails = new SluiceError('store_unauthorized', 'Cannot delete: 403');
  await submit();
  await clock.until(writer.idle());
  assert.deepEqual([ledger.counts.deduplicated, store.doubled], [10, 10]);
  assert(bench.logged.includes('second_copies_kept'));
});
