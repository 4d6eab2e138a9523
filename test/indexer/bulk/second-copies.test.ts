// A second look after an assignment finds what another had on its way, and deletes the second copies.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkAnswer } from '#indexer/bulk/answer.ts';
import type { LookBack } from '#indexer/bulk/look-back.ts';
import type { BulkBatch } from '#indexer/settle/bulk-batch.ts';
import { SecondLook } from '#indexer/bulk/second-copies.ts';
import { Assignment } from '#indexer/commit/in-hand.ts';
import { SluiceError } from '#shared/errors.ts';
import { documentId } from '#shared/record/identity.ts';
import { Bench } from './bench.ts';

function newLook({ clock }: Bench, lookBack: Pick<LookBack, 'lookAgain'>): SecondLook {
  const telemetry = { secondLookFailed: () => undefined };
  const { signal } = new AbortController();
  return new SecondLook({ lookBack, clock, random: () => 0.5, timeoutMs: 10_000, telemetry, signal });
}

test('what is settled while a look is under way takes nothing from the next assignment', async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  let looked = 0;
  const lookBack: Pick<LookBack, 'lookAgain'> = {
    lookAgain: async (_, ids) => {
      looked += ids.length;
      await gate.promise;
    },
  };
  const look = newLook(bench, lookBack);
  const keep = (batch: BulkBatch, times = 1): void => {
    const answer = new BulkAnswer(batch.request.items.map(() => ({ status: 201 })));
    for (let i = 0; i < times; i++) look.keep(batch, answer);
  };
  bench.assignment.inherit(0, 1000);
  keep(bench.batch(10, ['a']));
  const done = look.done(bench.assignment);
  // More than can be kept, of what the look has no need to see: it was sent after all that another wrote.
  keep(bench.batch(1000, ['a']), 301);
  gate.resolve();
  await done;
  bench.assignment.release();
  assert.equal(looked, 10);

  bench.assignment = new Assignment(2, [{ partition: 0, next: 0 }]);
  bench.assignment.inherit(0, 1000);
  keep(bench.batch(100, ['a']));
  await look.done(bench.assignment);
  assert.equal(looked, 110);
});

test('a line that was made whole: what another may have passed on of it unfinished is looked for too', async () => {
  const bench = new Bench();
  const looked: string[] = [];
  const look = newLook(bench, { lookAgain: async (_, ids) => void looked.push(...ids) });
  bench.assignment.inherit(0, 1000);
  const { request, ranges, asText } = bench.batch(2, ['a']);
  const [range] = ranges;
  assert(range);
  const line = { bytes: new Uint8Array(), partial: false, lines: 1, unfinishedIds: ['beginning', 'end'] };
  const batch = {
    request,
    asText,
    ranges: [
      { ...range, count: 1 },
      { ...range, entry: 1, index: 1, count: 1, line },
    ],
  };
  // The line is not settled yet: what is not there has no second copy.
  look.keep(batch, new BulkAnswer([{ status: 201 }, { status: 429 }]));
  look.keep(batch, new BulkAnswer([{ status: 409 }, { status: 201 }]));
  await look.done(bench.assignment);
  const [first, second] = request.items.map(({ id }) => id);
  assert.deepEqual(looked, [first, first, 'beginning', 'end', second]);
});

test('what is kept has none of its record in memory', async () => {
  const bench = new Bench();
  const looked: string[] = [];
  const look = newLook(bench, { lookAgain: async (_, ids) => void looked.push(...ids) });
  bench.assignment.inherit(0, 1000);
  const batch = bench.batch(3, ['a']);
  const named = batch.ranges[0]?.batch;
  assert(named);
  const expected = [0, 1, 2].map((i) => documentId(named, (batch.ranges[0]?.index ?? 0) + i));
  look.keep(batch, new BulkAnswer(batch.request.items.map(() => ({ status: 201 }))));
  // The memory of the record is used for something else.
  named.id.fill(0xff);
  await look.done(bench.assignment);
  assert.deepEqual(looked, expected);
});

test('what another had on its way when its assignment was lost: a second look finds it', async () => {
  const bench = new Bench();
  const { clock, store, writer } = bench;
  bench.assignment.inherit(0, 1);
  const batch = bench.batch(10, ['a'], clock.epochMs(), 3);
  const theirs = { body: batch.request.body.slice(), items: batch.request.items };
  await clock.until(writer.submit(batch));
  await clock.until(writer.submit(bench.batch(10, ['a'])));
  await clock.until(writer.idle());
  assert.deepEqual(bench.assignment.committable(), new Map(), 'nothing is committed before it');
  store.rollOver();
  await clock.until(store.bulk(theirs));
  assert.equal(store.doubled, 10);
  await clock.until(writer.lookAgain(bench.assignment));
  assert.deepEqual([store.doubled, store.removed], [0, 10]);
  bench.assignment.release();
  assert.deepEqual(bench.assignment.committable(), new Map([[0, 2]]));
});

test('a second look waits for a store that is away', async () => {
  const bench = new Bench();
  const { clock, store, writer } = bench;
  bench.assignment.inherit(0, 1);
  const batch = bench.batch(10, ['a'], clock.epochMs(), 3);
  const theirs = { body: batch.request.body.slice(), items: batch.request.items };
  await clock.until(writer.submit(batch));
  await clock.until(writer.idle());
  store.rollOver();
  await clock.until(store.bulk(theirs));
  store.removalFails = new SluiceError('store_unavailable', 'Cannot delete: 503');
  const looked = writer.lookAgain(bench.assignment);
  await clock.advance(30_000);
  assert.equal(store.doubled, 10);
  store.removalFails = null;
  await clock.until(looked);
  assert.equal(store.doubled, 0);
});

test('a second look that is refused is reported, until it is done; another stream is looked at meanwhile', async () => {
  const bench = new Bench();
  const { clock, store, writer } = bench;
  bench.assignment.inherit(0, 1);
  const batch = bench.batch(10, ['a', 'b'], clock.epochMs(), 3);
  const theirs = { body: batch.request.body.slice(), items: batch.request.items };
  await clock.until(writer.submit(batch));
  await clock.until(writer.idle());
  store.rollOver();
  await clock.until(store.bulk(theirs));
  const refused = store.backing('.ds-logs-a-000001');
  assert(refused);
  refused.isUnreadable = true;
  const looked = writer.lookAgain(bench.assignment);
  await clock.advance(30_000);
  assert.match(writer.commitUnhealthyReason ?? '', /not committed .* Cannot read \.ds-logs-a-000001/);
  assert(bench.logged.includes('second_look_failed'));
  assert.equal(store.doubled, 5, 'of the other stream');
  refused.isUnreadable = false;
  await clock.until(looked);
  assert.deepEqual([store.doubled, writer.commitUnhealthyReason], [0, null]);
});

test('a request that brought no answer is done after its repeat, and after a rollover', async () => {
  const bench = new Bench({ request: (_, number) => (number === 0 ? { hang: 'late' } : null) });
  const { clock, store, writer, ledger } = bench;
  await clock.until(writer.submit(bench.batch(10, ['a'])));
  await clock.when(() => ledger.counts.indexed === 10);
  store.rollOver();
  await clock.when(() => store.doubled === 10);
  assert(bench.assignment.isWaiting, 'nothing of it is committed before it was looked for');
  await clock.advance(12_000);
  assert.deepEqual([store.doubled, store.removed], [0, 10]);
  assert(!bench.assignment.isWaiting);
});
