// A record of a later version is no rubbish: its partition waits for an upgrade, and nothing else does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { World } from '../world.ts';

/** Partition 0: three events, a record of version 3, four events. Partition 1: five. */
async function heldWorld(env: Record<string, string> = {}): Promise<World> {
  const world = new World({ partitions: 2, env });
  await world.send(0, [3]);
  await world.send(0, [1]);
  await world.send(0, [4]);
  await world.send(1, [5]);
  setVersion(world, '3');
  return world;
}

function setVersion(world: World, version: string): void {
  const log = world.queue.log(0);
  const record = log[1];
  assert(record);
  log[1] = { ...record, headers: { ...record.headers, v: Buffer.from(version) } };
}

test('its partition is held before it, the others go on, and an upgrade finds it', async () => {
  const world = await heldWorld();
  const options = world.options;
  const indexer = await (await import('#indexer/shells/main.ts')).startIndexer(options);
  await world.clock.when(() => world.queue.committed.get(1) === 1 && world.queue.committed.get(0) === 1);
  await world.clock.advance(60_000);
  assert.equal(world.queue.committed.get(0), 1);
  assert.equal(world.found.size, 8);
  assert.deepEqual(world.queue.letters, []);
  assert.match(indexer.unreadyReason ?? '', /^partition 0 is held at offset 1: Cannot read version 3 /);
  const { body } = await options.metrics.render();
  assert.match(body, /^sluice_indexer_partitions_held\{reason="record_version_unknown"\} 1$/m);
  assert.equal(world.logged.filter((event) => event === 'partition_held').length, 1);

  // What comes later is taken or left by its partition; held bytes do not pause anybody.
  await world.send(0, [2]);
  await world.send(1, [2]);
  await world.clock.when(() => world.queue.committed.get(1) === 2);
  assert.equal(world.queue.committed.get(0), 1);
  // Whoever owns it next finds the same.
  world.queue.rebalance();
  await world.clock.advance(10_000);
  assert.match(indexer.unreadyReason ?? '', /held at offset 1/);
  assert.equal(world.queue.committed.get(0), 1);
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.imbalance, 0);

  setVersion(world, '2');
  const upgraded = await world.start();
  await world.drained();
  assert.equal(upgraded.unreadyReason, null);
  await world.clock.until(upgraded.stop());
  world.check([indexer, upgraded]);
});

test('nothing is passed when the held record comes first, or between others in flight', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1048576' } });
  for (let i = 0; i < 20; i++) await world.send(0, [1]);
  for (const at of [0, 7]) {
    const log = world.queue.log(0);
    log[at] = { ...log[at]!, headers: { ...log[at]!.headers, v: Buffer.from('3') } };
  }
  const indexer = await world.start();
  await world.clock.advance(60_000);
  assert.equal(world.found.size, 0);
  assert.equal(world.queue.committed.get(0), undefined);
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.imbalance, 0);
});

test('the drain job does the rest, ends, and says what is held', async () => {
  const world = await heldWorld();
  const signal = new AbortController().signal;
  const { drained, left } = await world.clock.until(drainIndexer({ ...world.options, signal }));
  assert.equal(drained, false);
  assert.match(left ?? '', /^Cannot drain the partitions: partition 0 is held at offset 1: .*; 2 records are left$/);
  assert.deepEqual(Object.fromEntries(world.queue.committed), { 0: 1, 1: 1 });
  assert.equal(world.found.size, 8);
});

const LIMITS = { timeLimitMs: 60_000, passOnTails: false };

test('a call with records leaves its watermark there', async () => {
  const world = await heldWorld();
  await using indexer = new InvocationIndexer(world.options);
  const records = world.queue.logs.flat();
  const { watermarks, finished, held } = await world.clock.until(indexer.index(records, LIMITS));
  assert.deepEqual(Object.fromEntries(watermarks), { 0: 1, 1: 1 });
  assert.equal(finished, false);
  assert.match(held ?? '', /^partition 0 is held at offset 1/);
  setVersion(world, '2');
  const again = await world.clock.until(indexer.index(world.queue.log(0).slice(1), LIMITS));
  assert.deepEqual([again.finished, again.held, again.watermarks.get(0)], [true, null, 3]);
  world.check([]);
});

test('with dead-letter it goes there, with its version, and stops nobody', async () => {
  const world = await heldWorld({ SLUICE_INDEXER_UNKNOWN_VERSION: 'dead-letter' });
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  const [deadLetter] = world.queue.letters;
  assert.equal(deadLetter?.reason, 'record_version_unknown');
  assert.equal(String(deadLetter?.recordVersion), '3');
  world.check([indexer], 1);
});
