// Offsets as they were fetched, which the reader goes by: those that no broker gives, and those that no reader sees.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Client, World } from './kafka-world.ts';

const offsetsOf = (world: World): number[] => world.handler.records.map(({ offset }) => offset);

suite('offsets that no broker gives', () => {
  const check = (what: string, offsets: readonly number[]): void => {
    test(`${what}: nothing of it is handed over, and it is told`, async () => {
      await using world = new World();
      const client = await world.joined(0, () => Promise.resolve());
      client.hangsUp.resolve();
      await client.fetchAll(offsets);
      assert.deepEqual(offsetsOf(world), [0]);
      assert.deepEqual(client.resolved, ['0']);
      await world.clock.advance(1000);
      assert.match(
        world.told.join(),
        /starts again: Kafka told offset \d+ of partition 0 behind -?\d+, in a log that ends at 10/,
      );
      assert.equal(world.clients.length, 2, 'it is fetched again, by a new client');
    });
  };
  check('far beyond the end, and not', [1, 1_000_005, 2, 3]);
  check('far beyond the end', [1, 1_000_005]);
  check('that fall', [1, 3, 2]);
  check('twice', [1, 2, 2]);

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
  const done = (client: Client, first: number, last: number, batchSize = 0): void => {
    const payload = { partition: 0, batchSize, firstOffset: String(first), lastOffset: String(last) };
    client.emit('done', { payload });
  };

  test('those of the markers of transactions are not told as lost, and nothing is fetched twice', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    done(client, 0, 0, 1);
    done(client, 1, 2);
    done(client, 3, 3);
    await client.fetch(4);
    assert.deepEqual(offsetsOf(world), [0, 4]);
    assert.deepEqual(client.sought, [0]);
    assert.deepEqual(world.told, []);
  });

  test('what lies beside them is', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    done(client, 2, 3);
    await client.fetch(4);
    assert.deepEqual(client.sought, [0, 1]);
    await client.fetch(4);
    assert.deepEqual(world.told, ['Records 1 to 4 of partition 0 are not there to be read']);
  });
});
