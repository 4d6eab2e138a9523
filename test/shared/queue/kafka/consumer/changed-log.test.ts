// What the consumer does when a log is not what it was: made anew, cut off, or removed by retention, while it is read
// or while nobody reads it.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Client, World } from './kafka-world.ts';

suite('a log that is not what it was', () => {
  const oldId = 'A'.repeat(22);
  const newId = 'B'.repeat(22);

  /** A consumer that has read up to offset 5, whose log ends at 10 for all that it knows. */
  async function atFive(commit: Client['commit'] = () => Promise.resolve()): Promise<[World, Client]> {
    const world = new World();
    const client = await world.joined(0, commit);
    for (let offset = 1; offset < 5; offset++) await client.fetch(offset);
    assert.deepEqual(client.sought, [0], 'where it begins is our decision');
    return [world, client];
  }

  const changesOf = (world: World): string[] =>
    world.handler.changes.map(({ reason, from, next, losses }) => {
      const lost = losses.map(
        (loss) => ` lost ${loss.reason} ${loss.from}-${loss.to}${loss.isExact ? '' : ' at least'}`,
      );
      return `${reason} ${from}>${next}${lost.join(',')}`;
    });

  test('made anew while it is read: what is in hand is finished, and the new one is read from its start', async () => {
    const commits: string[] = [];
    const [world, client] = await atFive((offset, metadata) => {
      commits.push(`${offset} ${metadata}`);
      return Promise.resolve();
    });
    await using _end = world;
    Object.assign(world.log, { topicId: newId, high: 200, epochEnd: 200 });
    world.consumer.saw({ topicId: newId, partitions: 1 });
    await world.clock.settle();
    assert.deepEqual(world.handler.gone, [1]);
    assert.deepEqual(world.handler.assignments.at(-1), { number: 2, starts: [{ partition: 0, next: 0, end: 200 }] });
    assert.deepEqual(changesOf(world), ['topic_recreated 5>0 lost topic_recreated 5-10 at least']);
    assert.deepEqual(client.sought, [0, 0]);
    assert.deepEqual(commits, [`0 sluice1 ${newId} - 200`], 'whoever comes next finds the new topic');
    world.consumer.saw({ topicId: newId, partitions: 1 });
    await world.clock.settle();
    assert.equal(world.handler.assignments.length, 2, 'it is told once');
  });

  test('made anew while a commit is on its way: that is waited for, lest it undo the new start', async () => {
    const late = Promise.withResolvers<void>();
    const commits: string[] = [];
    const [world, client] = await atFive(async (offset, metadata = '') => {
      if (offset === '1') await late.promise;
      commits.push(offset);
      world.log.committed = { offset, metadata };
    });
    await using _end = world;
    const committed = world.commit();
    Object.assign(world.log, { topicId: newId, high: 200, epochEnd: 200 });
    world.consumer.saw({ topicId: newId, partitions: 1 });
    await world.clock.advance(3000);
    assert.deepEqual([client.commits, commits], [1, []]);
    assert.equal(world.handler.assignments.length, 1);
    late.resolve();
    await committed;
    await world.clock.advance(3000);
    assert.deepEqual(commits, ['1', '0']);
    assert.equal(world.log.committed.offset, '0');
    assert.equal(world.handler.assignments.length, 2);
  });

  test('made anew before anything of it was read: what was fetched of the old one is dropped', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    world.log.topicId = newId;
    world.consumer.saw({ topicId: newId, partitions: 1 });
    await world.clock.settle();
    const before = world.handler.batches.length;
    await client.fetch(0, 0, true);
    assert.equal(world.handler.batches.length, before);
    await client.fetch(0);
    assert.equal(world.handler.batches.length, before + 1);
  });

  test('of more partitions than it had: a new client joins', async () => {
    await using world = new World();
    const client = await world.joined(0, () => Promise.resolve());
    client.hangsUp.resolve();
    world.consumer.saw({ topicId: oldId, partitions: 1 });
    await world.clock.advance(1000);
    assert.equal(world.clients.length, 1);
    world.consumer.saw({ topicId: oldId, partitions: 2 });
    await world.clock.advance(1000);
    assert.equal(world.clients.length, 2);
  });

  test('made anew while nobody read it: what was committed is of another topic', async () => {
    await using world = new World();
    world.log.committed = { offset: '7', metadata: `sluice1 ${newId} 0 12` };
    await world.joined(0, () => Promise.resolve());
    assert.deepEqual(changesOf(world), ['topic_recreated 7>0 lost topic_recreated 7-12 at least']);
    assert.deepEqual(world.handler.revocations, []);
    assert.equal(world.handler.assignments.at(-1)?.starts[0]?.next, 0);
  });

  test('tries are counted where it begins, once for each assignment, until a commit moves the offset', async () => {
    await using world = new World();
    const committed: string[] = [];
    let failures = 2;
    const keep: Client['commit'] = (offset, metadata = '') => {
      // It is written, but the answer is lost.
      world.log.committed = { offset, metadata };
      committed.push(metadata);
      return failures-- > 0 ? Promise.reject(new Error('no answer')) : Promise.resolve();
    };
    await world.clock.settle();
    const [client] = world.clients;
    assert.ok(client);
    client.commit = keep;
    const rejoin = async (): Promise<number | undefined> => {
      client.emit('rebalancing');
      client.join();
      await world.clock.advance(2000);
      return world.handler.assignments.at(-1)?.starts[0]?.tries;
    };
    assert.equal(await rejoin(), 1);
    assert.equal(committed.length, 3);
    assert.equal(await rejoin(), 2);
    assert.equal(await rejoin(), 3);
    assert.match(world.log.committed.metadata, / 10 3$/);
    await client.fetch(0);
    await world.consumer.commit(world.handler.assignment, new Map([[0, 1]]));
    assert.match(world.log.committed.metadata, / 10$/);
    assert.equal(await rejoin(), 1);

    world.log.committed.metadata = 'of somebody else';
    assert.equal(await rejoin(), 1);
    Object.assign(world.log, { high: 1, epochEnd: 1 });
    const before = committed.length;
    assert.equal(await rejoin(), undefined, 'nothing is there to be tried');
    assert.equal(committed.length, before);
    Object.assign(world.log, { topicId: newId, high: 5 });
    assert.equal(await rejoin(), undefined, 'what is there now was never tried');
  });

  test('removed by retention before it was read: the gap is told, and we may commit what is in hand', async () => {
    const [world, client] = await atFive();
    await using _end = world;
    Object.assign(world.log, { low: 8 });
    client.keeper?.outOfRange?.(0);
    await world.clock.settle();
    assert.deepEqual(changesOf(world), ['retention 5>8 lost retention 5-8']);
    assert.deepEqual(world.handler.revocations, []);
    assert.deepEqual(client.sought, [0, 8]);
    await client.fetch(8);
    assert.equal(world.handler.batches.at(-1)?.records[0]?.offset, 8);
  });

  test('removed by retention while nobody read it: the gap is told once, also if the commit fails', async () => {
    await using world = new World();
    Object.assign(world.log, { low: 8, committed: { offset: '5', metadata: '' } });
    await world.clock.settle();
    const [client] = world.clients;
    assert(client);
    client.commit = async (offset) => {
      // It is taken, and nobody hears of it: from here on the group stands behind the gap.
      world.log.committed = { offset, metadata: '' };
      if (client.commits === 1) throw new Error('no answer');
    };
    client.join();
    await world.clock.advance(2000);
    assert.deepEqual(changesOf(world), ['retention 5>8 lost retention 5-8']);
    assert.equal(world.handler.assignments.at(-1)?.starts[0]?.next, 8);
  });

  test('cut off behind what was read: it is read from where it diverges', async () => {
    const [world, client] = await atFive();
    await using _end = world;
    Object.assign(world.log, { leaderEpoch: 1, epochEnd: 3, high: 40 });
    // The new log is longer than our position: the record that is fetched there is another one.
    await client.fetch(5, 1);
    await world.clock.settle();
    assert.deepEqual(changesOf(world), ['log_truncated 5>3 lost log_truncated 5-10 at least']);
    assert.deepEqual(world.handler.gone, [1]);
    assert.equal(world.handler.assignments.at(-1)?.starts[0]?.next, 3);
    assert.ok(!world.handler.batches.some(({ records }) => records[0]?.offset === 5), 'it was not handed over');
    await client.fetch(3, 1);
    assert.equal(world.handler.batches.at(-1)?.records[0]?.offset, 3);
  });

  test('led by another broker, and the same: it goes on, after one look', async () => {
    const [world, client] = await atFive();
    await using _end = world;
    Object.assign(world.log, { leaderEpoch: 2 });
    await client.fetch(5, 1);
    await world.clock.settle();
    assert.deepEqual(changesOf(world), []);
    assert.deepEqual(client.sought, [0, 5, 5], 'fetched again, and looked at in between');
    await client.fetch(5, 1);
    await client.fetch(6, 2);
    assert.deepEqual(world.handler.texts().length, 7);
    assert.deepEqual(world.handler.revocations, []);
  });

  test('a commit carries what is known of the log where it points to', async () => {
    const commits: string[] = [];
    const [world, client] = await atFive((offset, metadata) => {
      commits.push(`${offset} ${metadata}`);
      return Promise.resolve();
    });
    await using _end = world;
    world.log.leaderEpoch = 4;
    await client.fetch(5, 4);
    await world.clock.settle();
    await client.fetch(5, 4);
    for (const next of [3, 5, 6]) await world.consumer.commit(world.handler.assignment, new Map([[0, next]]));
    assert.deepEqual(commits, [`3 sluice1 ${oldId} 0 10`, `5 sluice1 ${oldId} 0 10`, `6 sluice1 ${oldId} 4 10`]);
  });
});
