// The indexer as a function of records and a deadline: how far it came, and what becomes of a split line that the
// records end in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { World } from '../world.ts';

const TIME_LIMIT_MS = 60_000;

function partOf(world: World, ordinal: number, last: boolean): Buffer {
  return world.entry({
    log: `part ${ordinal} `,
    partial_message: 'true',
    partial_id: 'line',
    partial_ordinal: String(ordinal),
    partial_last: String(last),
    container_id: 'c',
  });
}

/** A whole line, and then the first part of one that is split; in the next record the rest of it. */
async function withSplitLine(): Promise<World> {
  const world = new World({ partitions: 1 });
  await world.send(0, [1]);
  await world.sendEntries(0, [world.batch(1)], [partOf(world, 1, false)]);
  await world.sendEntries(0, [world.batch(1)], [partOf(world, 2, true)]);
  return world;
}

const messages = (world: World): string[] =>
  [...world.store.documents.values()].map((document) => String(document['message'])).toSorted();
const flags = (world: World): unknown[] =>
  [...world.store.documents.values()].flatMap((document) => {
    const { flags: given = [] } = (document['log'] ?? {}) as { flags?: unknown[] };
    return given;
  });

for (const passOnTails of [true, false]) {
  test(`records that end inside a split line; tails are ${passOnTails ? 'passed on' : 'left'}`, async () => {
    const world = await withSplitLine();
    await using indexer = new InvocationIndexer(world.options);
    const limits = { timeLimitMs: TIME_LIMIT_MS, passOnTails };
    const [whole, first, rest] = world.queue.log(0);
    assert(whole && first && rest);
    const one = await world.clock.until(indexer.index([whole, first], limits));
    assert.deepEqual([one.finished, one.watermarks.get(0)], passOnTails ? [true, 2] : [false, 1]);
    const two = await world.clock.until(indexer.index(passOnTails ? [rest] : [first, rest], limits));
    assert.deepEqual([two.finished, two.watermarks.get(0)], [true, 3]);
    assert.deepEqual(
      messages(world),
      passOnTails ? ['event 0 ', 'part 1 ', 'part 2 '] : ['event 0 ', 'part 1 part 2 '],
    );
    assert.deepEqual(flags(world), passOnTails ? ['partial', 'partial'] : []);
  });
}

test('a tail that was passed on and comes again, to whichever instance, is stored once', async () => {
  const world = await withSplitLine();
  const limits = { timeLimitMs: TIME_LIMIT_MS, passOnTails: true };
  const records = world.queue.log(0).slice(0, 2);
  for (let instance = 0; instance < 2; instance++) {
    await using indexer = new InvocationIndexer(world.options);
    for (let call = 0; call < 2; call++)
      assert.equal((await world.clock.until(indexer.index(records, limits))).finished, true);
  }
  assert.deepEqual(messages(world), ['event 0 ', 'part 1 ']);
});
