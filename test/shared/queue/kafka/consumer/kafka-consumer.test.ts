// What the consumer does when the coordinator of its group is gone and kafkajs does not notice: with a client of
// kafkajs that is not one.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { World } from './kafka-world.ts';

suite('a coordinator that does not answer', () => {
  const noAnswer =
    (world: World): (() => Promise<void>) =>
    async () => {
      await world.clock.sleep(15_000);
      throw Object.assign(new Error('timed out'), { name: 'KafkaJSConnectionClosedError' });
    };

  test('is left, by a new client, although the old one never ends', async () => {
    await using world = new World();
    const old = await world.joined(0, noAnswer(world));
    const committed = world.commit();
    await world.clock.advance(15_000);
    assert.deepEqual(world.handler.revocations, [1], 'what was fetched under the old client is void');
    assert.match(String(await world.clock.until(committed)), /no longer held/);
    await world.clock.advance(10_000);
    const young = await world.joined(1, () => Promise.resolve());
    assert.equal(world.handler.assignment, 2);
    assert.equal(await world.commit(), undefined);
    assert.equal(young.commits, 1);

    old.join();
    old.emit('rebalancing');
    old.emit('crash', { payload: { error: new Error('late') } });
    await old.fetch(5);
    await world.clock.advance(10_000);
    assert.deepEqual(world.handler.revocations, [1], 'what the old client says late is not about the new one');
    assert.equal(world.handler.batches.length, 2);
    assert.equal(world.clients.length, 2);
  });

  test('is left also where it does not answer at the beginning', async () => {
    await using world = new World();
    await world.clock.settle();
    const [client] = world.clients;
    assert.ok(client);
    client.commit = noAnswer(world);
    client.join();
    await world.clock.advance(20_000);
    assert.deepEqual(world.handler.assignments, [], 'nothing is read that would not be counted');
    await world.joined(1, () => Promise.resolve());
    assert.equal(world.handler.assignments.length, 1);
  });

  test('is kept while commits fail for a moment only', async () => {
    await using world = new World();
    let refusals = 6;
    await world.joined(0, async () => {
      await world.clock.sleep(1000);
      if (refusals-- > 0) throw Object.assign(new Error('refused'), { name: 'KafkaJSConnectionError' });
    });
    const first = world.commit();
    assert.match(String(await world.clock.until(first)), /refused/, 'four tries');
    const second = world.commit();
    assert.equal(await world.clock.until(second), undefined);
    assert.equal(world.clients.length, 1);
    assert.deepEqual(world.handler.revocations, []);
  });
});

suite('records', () => {
  test('of which not all were taken are handed over again from there', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    const { handler } = world;
    const { fetched } = RecordingHandler.prototype;
    handler.fetched = (batch) => batch.records[0]?.offset ?? fetched.call(handler, batch);
    await client.fetch(1);
    assert.deepEqual(client.resolved, ['0']);
    handler.fetched = fetched;
    await client.fetch(1);
    await client.fetch(2);
    assert.deepEqual(client.resolved, ['0', '1', '2']);
    assert.deepEqual(client.sought, [0], 'nothing was passed over');
    assert.deepEqual(
      handler.records.map(({ offset }) => offset),
      [0, 1, 2],
    );
  });
});
