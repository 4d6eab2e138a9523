// The drain job: to the ends as of its start, unfinished lines passed on, committed, and then over; or what is left,
// told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrainOutcome, drainIndexer } from '#indexer/shells/drain.ts';
import { SluiceError } from '#shared/errors.ts';
import { World } from '../world.ts';

const drain = (world: World, maxSeconds?: number, signal = new AbortController().signal): Promise<DrainOutcome> =>
  world.clock.until(drainIndexer({ ...world.options, signal, maxSeconds }));

test('reads to the ends as of its start, and no further', async () => {
  const world = new World({ partitions: 3 });
  for (let i = 0; i < 12; i++) await world.send(i % 2, [5, 1]);
  let isLate = false;
  world.store.hooks = {
    request: () => {
      // These come after the start, and are the next job's.
      if (!isLate) for (let i = 0; i < 5; i++) void world.send(i % 3, [4]);
      isLate = true;
      return null;
    },
  };
  const outcome = await drain(world);
  assert.deepEqual(outcome, {
    drained: true,
    left: null,
    counts: { ...outcome.counts, consumed: 72, indexed: 72, abandoned: 0 },
  });
  assert.deepEqual(
    [...world.queue.committed],
    [
      [0, 6],
      [1, 6],
    ],
  );
});

test('nothing to read, or no partitions: done at once', async () => {
  assert.equal((await drain(new World())).drained, true);
  assert.equal((await drain(new World({ partitions: 0 }))).drained, true);
});

test('two jobs share the partitions, and both end', async () => {
  const world = new World({ partitions: 4 });
  for (let i = 0; i < 40; i++) await world.send(i % 4, [25]);
  world.store.hooks = { latencyMs: () => 50 };
  const outcomes = await Promise.all([drain(world), drain(world)]);
  assert.deepEqual(
    outcomes.map(({ drained }) => drained),
    [true, true],
  );
  assert.equal(world.found.size, world.sent);
  assert(world.isCommitted);
});

test('the time is over: what is left is reported, and nothing is lost', async () => {
  const world = new World({ partitions: 1 });
  for (let i = 0; i < 6; i++) await world.send(0, [5]);
  world.store.hooks = {
    request: () => ({ fail: new SluiceError('store_unavailable', 'Cannot write: connection refused') }),
  };
  const outcome = await drain(world, 30);
  assert.equal(outcome.drained, false);
  assert.match(outcome.left ?? '', /connection refused; 6 records are left/);
  assert.equal(world.clock.monotonicMs() < 32_000, true);
  world.store.hooks = {};
  assert.equal((await drain(world)).drained, true);
  assert.equal(world.found.size, world.sent);
});

test('a signal ends it', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [5]);
  world.store.hooks = { latencyMs: () => 1e6 };
  const stop = new AbortController();
  world.clock.timer(1000, () => stop.abort());
  const outcome = await drain(world, 60, stop.signal);
  assert.match(outcome.left ?? '', /it was stopped; 1 records are left/);
});

test('a signal that came before it began ends it, too', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [5]);
  const outcome = await drain(world, 60, AbortSignal.abort());
  assert.equal(outcome.drained, false);
  assert.match(outcome.left ?? '', /it was stopped/);
  assert.equal(world.found.size, 0);
});

test('a commit that fails is tried again before the job ends', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [5]);
  let failures = 3;
  world.queue.hooks = { commit: () => (failures-- > 0 ? new SluiceError('queue_unavailable', 'no broker') : null) };
  assert.equal((await drain(world)).drained, true);
  assert(world.isCommitted);
});

test('an unfinished line is passed on, marked, at the end', async () => {
  const world = new World({ partitions: 1 });
  const part = world.entry({
    log: 'cut ',
    partial_message: 'true',
    partial_id: 'a',
    partial_ordinal: '1',
    partial_last: 'false',
  });
  await world.sendEntries(0, [world.batch(1)], [part]);
  assert.equal((await drain(world)).drained, true);
  const [document] = world.store.documents.values();
  assert.deepEqual([document?.['message'], document?.['log']], ['cut ', { flags: ['partial'] }]);
  assert(world.isCommitted);
});
