// Offsets as they were fetched, which the reader goes by: those that no broker gives, and those that no reader sees.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { World } from './kafka-world.ts';

const offsetsOf = (world: World): number[] => world.handler.records.map(({ offset }) => offset);

suite('offsets that no broker gives', () => {
  const check = (what: string, offsets: readonly number[]): void => {
    test(`${what}: nothing of it is handed over, it is told, and fetched again after a pause`, async () => {
      await using world = new World();
      const client = await world.joined(0, () => Promise.resolve());
      await client.fetchAll(offsets);
      assert.deepEqual(offsetsOf(world), [0]);
      assert.deepEqual(client.resolved, ['0']);
      assert.match(
        world.told.join(),
        /^Partition 0 stands still: Kafka told offset \d+ of partition 0 behind -?\d+, in a log that ends at 10$/,
      );
      assert.deepEqual([...client.paused], [0]);
      world.consumer.resume([0]);
      assert.deepEqual([...client.paused], [0], 'its owner does not cut the pause short');
      await world.clock.advance(1000);
      assert.equal(world.clients.length, 1, 'the client stays, and with it the other partitions');
      assert.deepEqual([...client.paused], []);
      assert.deepEqual(client.sought, [0, 1]);
      await client.fetch(1);
      assert.deepEqual(offsetsOf(world), [0, 1]);
    });
  };
  check('far beyond the end, and not', [1, 1_000_005, 2, 3]);
  check('far beyond the end', [1, 1_000_005]);
  check('that fall', [1, 3, 2]);
  check('twice', [1, 2, 2]);

  test('again and again: the pauses grow, until something of it is taken', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    const pauses: number[] = [];
    const refused = async (): Promise<void> => {
      await client.fetchAll([1, 1_000_005]);
      const sinceMs = world.clock.monotonicMs();
      while (client.paused.size > 0) await world.clock.advance(100);
      pauses.push(world.clock.monotonicMs() - sinceMs);
    };
    for (let i = 0; i < 8; i++) await refused();
    await client.fetch(1);
    await refused();
    assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 500]);
  });

  test('and it stays paused where its owner had paused it meanwhile, or another assignment came', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetchAll([1, 1_000_005]);
    world.consumer.pause([0]);
    await world.clock.advance(1000);
    assert.deepEqual([...client.paused], [0]);
    world.consumer.resume([0]);
    assert.deepEqual([...client.paused], []);
    await client.fetchAll([1, 1_000_005]);
    client.emit('rebalancing', {});
    const { resumes } = client;
    await world.clock.advance(5000);
    assert.equal(client.resumes, resumes);
  });

  test('but the end may have moved since it was told', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetchAll([1, 9, 10, 15]);
    assert.deepEqual(offsetsOf(world), [0, 1, 9, 10, 15]);
  });

  test('but holes are well', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetchAll([1, 4, 9]);
    assert.deepEqual(offsetsOf(world), [0, 1, 4, 9]);
  });
});

suite('offsets that no reader sees', () => {
  test("those of transactions' markers are passed, with their leader's epoch, and not told as lost", async () => {
    await using world = new World();
    const commits: unknown[] = [];
    const commit = (offset: string, metadata?: string) => Promise.resolve(void commits.push([offset, metadata]));
    const client = await world.joined(0, commit);
    await client.fetchAll([], 0, false, 2);
    await client.fetchAll([3], 0, false, 5);
    assert.deepEqual(offsetsOf(world), [0, 3]);
    assert.deepEqual(
      world.handler.batches.map(({ next }) => next),
      [1, 3, 6],
    );
    assert.deepEqual(client.resolved, ['0', '2', '5']);
    assert.deepEqual(client.sought, [0]);
    assert.deepEqual(world.told, []);
    await world.consumer.commit(world.handler.assignment, new Map([[0, 6]]));
    assert.deepEqual(commits, [['6', `sluice1 ${world.log.topicId} 0 10`]]);
  });

  test('a marker of a later leader is looked at before it is passed', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    world.log.leaderEpoch = 1;
    await client.fetchAll([], 1, false, 1);
    assert.equal(world.handler.batches.length, 1);
    await world.clock.settle();
    assert.deepEqual(client.sought, [0, 1, 1]);
    await client.fetchAll([], 1, false, 1);
    assert.equal(world.handler.batches.at(-1)?.next, 2);
  });

  test('what lies beside them is told as lost, if it comes again', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetch(4);
    assert.deepEqual(client.sought, [0, 1]);
    await client.fetch(4);
    assert.deepEqual(world.told, ['Records 1 to 4 of partition 0 are not there to be read']);
  });
});
