// A topic of others: what was fetched is told with the id of the topic that it is of, and of no other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './kafka-world.ts';

const OLD = 'A'.repeat(22);
const NEW = 'B'.repeat(22);

const handed = (world: World) =>
  world.handler.batches.map(({ topicId, records }) => [topicId, ...records.map(({ offset }) => offset)]);

test('made anew, and filled beyond where we stand: what is fetched there waits for its turn', async () => {
  await using world = new World({ isForeign: true });
  const client = await world.joined(0, () => Promise.resolve());
  for (let offset = 1; offset < 5; offset++) await client.fetch(offset);
  Object.assign(world.log, { topicId: NEW, high: 200, epochEnd: 200 });
  await client.fetch(5);
  await world.clock.settle();
  assert.deepEqual(world.handler.gone, [1]);
  assert.deepEqual(
    world.handler.changes.map(({ reason, next }) => [reason, next]),
    [['topic_recreated', 0]],
  );
  await client.fetch(0);
  assert.deepEqual(handed(world), [...[0, 1, 2, 3, 4].map((offset) => [OLD, offset]), [NEW, 0]]);
});

test('brokers that do not tell of the topic: it is fetched again', async () => {
  await using world = new World({ isForeign: true });
  const client = await world.joined(0, () => Promise.resolve());
  world.metadataFails = new Error('nobody is there');
  await client.fetch(1);
  assert.deepEqual(handed(world), [[OLD, 0]]);
  assert(client.paused.has(0));
  world.metadataFails = null;
  await world.clock.advance(1000);
  assert.deepEqual([client.sought.at(-1), client.paused.has(0)], [1, false]);
  await client.fetch(1);
  assert.deepEqual(handed(world), [
    [OLD, 0],
    [OLD, 1],
  ]);
});

test('those of our own topic are told without', async () => {
  await using world = new World();
  await world.joined(0, () => Promise.resolve());
  assert.deepEqual(handed(world), [[undefined, 0]]);
});
