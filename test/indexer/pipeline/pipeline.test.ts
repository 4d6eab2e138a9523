// The indexer whole, between a queue and a store in memory with faults: at the end every event is there once, the
// ledger is closed, and the offsets are where they belong. Time is virtual, so hours of backoff cost nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { encodeBatches } from '#shared/record/record.ts';
import type { StoreFault } from '#test/memory/store.ts';
import { World, seeded } from '../world.ts';
import { fill, rejected, run, timeout, unavailable } from './filled-world.ts';

test('every event is indexed once, and committed', async () => {
  const { world, indexer } = await run(() => undefined);
  assert.equal(indexer.ledger.counts.consumed, world.sent);
  assert.equal(indexer.ledger.counts.indexed, world.sent);
  assert(world.store.inFlightMax <= world.config['bulk.concurrency']);
});

test('records of a partition are of any offsets', async () => {
  const world = new World({ partitions: 1 });
  await world.send(0, [3]);
  const [record] = world.queue.log(0);
  assert(record);
  const batches = world.batch(2);
  world.sent += 2;
  const value = Buffer.concat([world.entry({ log: 'event 3 ' }), world.entry({ log: 'event 4 ' })]);
  world.queue.add(
    0,
    { ...record.headers, encoding: Buffer.from('identity'), batches: encodeBatches([batches]) },
    value,
    41,
  );
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(world.queue.committed.get(0), 43);
});

test('a rebalance in the middle: lost work is abandoned and never committed; another indexer takes over', async () => {
  const world = new World({ partitions: 4 });
  world.store.hooks = { latencyMs: () => 400 };
  await fill(world, 60);
  const first = await world.start();
  await world.clock.advance(700);
  const second = await world.start();
  await world.clock.advance(900);
  world.queue.rebalance(1);
  await world.clock.advance(300);
  world.queue.rebalance(0);
  await world.drained();
  await world.clock.until(Promise.all([first.stop(), second.stop()]));
  world.check([first, second]);
  assert(first.ledger.counts.abandoned + second.ledger.counts.abandoned > 0);
});

test('a consumer that fails is built anew', async () => {
  const world = new World();
  await fill(world);
  world.store.hooks = { latencyMs: () => 300 };
  let refusals = 2;
  world.queue.hooks = {
    ...world.queue.hooks,
    consume: () => (refusals-- > 0 ? new SluiceError('queue_unavailable', 'no broker') : null),
  };
  const indexer = await world.start();
  await world.clock.advance(200);
  assert.match(indexer.unreadyReason ?? '', /no broker/);
  await world.clock.when(() => indexer.ledger.counts.consumed > 0);
  world.queue.crash(new Error('session lost'));
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('a commit that fails is tried again', async () => {
  let failures = 3;
  await run((world) => {
    world.queue.hooks = { ...world.queue.hooks, commit: () => (failures-- > 0 ? unavailable : null) };
  });
});

test('stop in the middle: what was done is committed, the rest comes again', async () => {
  for (let ms = 0; ms < 40; ms += 3) {
    const world = new World({ partitions: 2 });
    await fill(world, 40);
    world.store.hooks = { latencyMs: () => 5 };
    const first = await world.start();
    await world.clock.advance(ms);
    await world.clock.until(first.stop());
    assert.equal(first.ledger.imbalance, 0);
    assert.equal(first.ledger.inFlight, 0);
    const second = await world.start();
    await world.drained();
    await world.clock.until(second.stop());
    world.check([first, second]);
  }
});

test('stop while the store is away ends within the limit', async () => {
  const world = new World();
  await fill(world, 200);
  const indexer = await world.start();
  await world.clock.when(() => indexer.ledger.counts.indexed > 0);
  world.store.down = unavailable;
  await world.clock.advance(5000);
  const beforeMs = world.clock.monotonicMs();
  await world.clock.until(indexer.stop());
  assert(world.clock.monotonicMs() - beforeMs <= world.config['shutdown.timeout_ms']);
  assert.equal(indexer.ledger.imbalance, 0);
  assert.equal(indexer.ledger.inFlight, 0);
});

test('bytes in hand are bounded: reading pauses, and goes on', async () => {
  const world = new World({ partitions: 2, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(1024 * 1024) } });
  for (let i = 0; i < 80; i++) await world.send(i % 2, [100], 'identity', 'x'.repeat(500));
  world.store.down = unavailable;
  world.store.ping = () => Promise.resolve('');
  const indexer = await world.start();
  await world.clock.advance(20_000);
  assert(
    indexer.ledger.counts.consumed < world.sent / 2,
    `${indexer.ledger.counts.consumed} of ${world.sent} were taken`,
  );
  assert.equal(indexer.ledger.imbalance, 0);
  world.store.down = null;
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('seeded faults of all kinds together', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seeded(seed);
    const world = new World({ partitions: 3, seed });
    await fill(world, 45);
    const faults: (() => StoreFault | null)[] = [
      () => ({ fail: unavailable }),
      () => ({ failAfter: timeout }),
      () => ({ hang: 'written' }),
      () => ({ hang: 'late' }),
      () => ({ fail: new SluiceError('store_body_too_large', '413') }),
      () => ({ fail: new SluiceError('store_body_refused', '400') }),
      () => ({ fail: new SluiceError('store_unauthorized', '403') }),
    ];
    const isFaulty = (): boolean => world.clock.monotonicMs() < 60_000;
    world.store.hooks = {
      latencyMs: () => random() * 200,
      request: (request) => {
        if (!isFaulty() || random() > 0.3) return null;
        const fault = faults[Math.floor(random() * faults.length)]?.() ?? null;
        // A single document that is refused is gone: that is another test's.
        return request.items.length < 4 && fault && 'fail' in fault && fault.fail.code.startsWith('store_body')
          ? null
          : fault;
      },
      item: () => (isFaulty() && random() < 0.1 ? rejected : null),
    };
    world.queue.hooks = { ...world.queue.hooks, commit: () => (isFaulty() && random() < 0.2 ? unavailable : null) };
    const indexers = [await world.start(), await world.start()];
    for (let i = 0; i < 12; i++) {
      await world.clock.advance(random() * 4000);
      if (random() < 0.5) world.queue.rebalance(Math.floor(random() * 3));
      for (const { ledger } of indexers) assert.equal(ledger.imbalance, 0, `seed ${seed}`);
    }
    await world.drained();
    await world.clock.until(Promise.all(indexers.map((indexer) => indexer.stop())));
    try {
      world.check(indexers);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
