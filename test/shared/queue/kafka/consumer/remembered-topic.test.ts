// A topic that was made anew, where the group had to join again before anybody noticed: Kafka has forgotten by then
// what was committed.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { World } from './kafka-world.ts';

const newId = 'B'.repeat(22);

suite('the topic before', () => {
  test('is told of by a member that remembers it', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    for (let offset = 1; offset < 5; offset++) await client.fetch(offset);
    assert.equal(await world.commit(), undefined);
    client.emit('rebalancing');
    assert.deepEqual(world.handler.gone, [], 'nobody knows yet that its log is no more');
    Object.assign(world.log, { topicId: newId, high: 200, epochEnd: 200, committed: { offset: '-1', metadata: '' } });
    client.join();
    await world.clock.settle();
    // What was in hand and not committed was given up: it is lost with what was never read.
    assert.deepEqual(changesOf(world), ['topic_recreated 1>0 lost topic_recreated 1-10 at least']);
    assert.deepEqual(world.handler.assignments.at(-1), { number: 2, starts: [{ partition: 0, next: 0, end: 200 }] });
    client.emit('rebalancing');
    client.join();
    await world.clock.settle();
    assert.equal(world.handler.assignments.length, 3);
    assert.equal(world.handler.changes.length, 1, 'it is told once');
  });

  test('is told of where the new one was set up by then', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetch(1);
    client.emit('rebalancing');
    const committed = { offset: '3', metadata: `sluice1 ${newId} - 3` };
    Object.assign(world.log, { topicId: newId, low: 2, high: 200, epochEnd: 200, committed });
    client.join();
    await world.clock.settle();
    assert.deepEqual(changesOf(world), ['topic_recreated 0>3 lost topic_recreated 0-10 at least']);
    assert.deepEqual(world.handler.assignments.at(-1), { number: 2, starts: [{ partition: 0, next: 3, end: 200 }] });
  });

  test('is told of once, where the group joins again before the new one is read', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    for (let offset = 1; offset < 5; offset++) await client.fetch(offset);
    assert.equal(await world.commit(), undefined);
    Object.assign(world.log, { topicId: newId, high: 200, epochEnd: 200, committed: { offset: '-1', metadata: '' } });
    const answered = Promise.withResolvers<void>();
    client.commit = () => answered.promise;
    world.consumer.saw({ topicId: newId, partitions: 1 });
    await world.clock.settle();
    const told = ['topic_recreated 5>0 lost topic_recreated 5-10 at least'];
    assert.deepEqual(changesOf(world), told, 'what is in hand is finished');
    client.emit('rebalancing');
    client.join();
    answered.resolve();
    await world.clock.settle();
    assert.deepEqual(changesOf(world), told);
    assert.deepEqual(world.handler.assignments.at(-1)?.starts, [{ partition: 0, next: 0, end: 200 }]);
  });

  test('is the present one where only the offsets were deleted: it begins at the earliest record', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    await client.fetch(1);
    assert.equal(await world.commit(), undefined);
    client.emit('rebalancing');
    world.log.committed = { offset: '-1', metadata: '' };
    client.join();
    await world.clock.settle();
    assert.deepEqual(changesOf(world), []);
    assert.equal(world.handler.assignments.at(-1)?.starts[0]?.next, 0);
  });
});

function changesOf(world: World): string[] {
  return world.handler.changes.map(({ reason, from, next, losses }) => {
    const lost = losses.map((loss) => `${loss.reason} ${loss.from}-${loss.to}${loss.isExact ? '' : ' at least'}`);
    return `${reason} ${from}>${next} lost ${lost.join(', ')}`;
  });
}
