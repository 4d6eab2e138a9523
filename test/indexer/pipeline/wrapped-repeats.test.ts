// Parts of raw lines that come again, early or late: whichever is stored first, none swallows the text of another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../world.ts';
import { cri, messages, send, wrappers } from './wrapped-pieces.ts';

test('parts that a sender sends again say nothing new, before and after their line is whole', async () => {
  const world = new World({ partitions: 1 });
  const pieces = [{ text: 'one ' }, { text: 'two ' }, { text: 'three', isLast: true }].map((piece) => cri(piece));
  const entries = pieces.map((piece) => world.entry(piece));
  const batches = entries.map(() => world.batch(1, 0, 'files'));
  for (const i of [0, 1, 0, 1, 2, 1, 2, 0]) await world.sendEntries(0, [batches[i]!], [entries[i]!]);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.deepEqual(messages(world), ['one two three']);
  assert.equal(indexer.ledger.imbalance, 0);
});

// With the name of its last part it would be taken for that part: whichever came to the store first would swallow the
// other.
test('a chunk that is sent again while its line is on its way swallows no part of it', async () => {
  for (const [name, wrap] of wrappers) {
    const world = new World({ partitions: 1 });
    const pieces = [{ text: 'one ' }, { text: 'two', isLast: true }].map((piece) => wrap(piece));
    const entries = pieces.map((piece) => world.entry(piece));
    const batches = entries.map(() => world.batch(1, 0, 'files'));
    world.store.hooks = { latencyMs: (number) => (number === 0 ? 3000 : 1) };
    const indexer = await world.start();
    for (const i of [0, 1]) await world.sendEntries(0, [batches[i]!], [entries[i]!]);
    await world.clock.advance(1500);
    await world.sendEntries(0, [batches[1]!], [entries[1]!]);
    await world.drained();
    await world.clock.until(indexer.stop());
    assert.deepEqual(messages(world), ['one two'], name);
    assert.equal(indexer.ledger.imbalance, 0);
  }
});

test('the end of a line that was stored alone does not stand in the way of the whole', async () => {
  const world = new World({ partitions: 1 });
  await send(world, [cri({ text: 'one ' })]);
  world.store.hooks = {
    item: (_, { message }) =>
      message === 'one ' ? { status: 429, errorType: 'busy', errorReason: 'busy' } : undefined,
  };
  const indexer = await world.start();
  // Until nothing is known of its beginning any more.
  await world.clock.advance(620_000);
  await send(world, [cri({ text: 'two', isLast: true, ms: 100 })]);
  await world.clock.advance(2000);
  assert.deepEqual(messages(world), ['two']);
  world.queue.rebalance();
  world.store.hooks = {};
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.deepEqual(messages(world), ['one two', 'two']);
  assert.equal(indexer.ledger.imbalance, 0);
});

// As docs/documents.md says: nothing in a part tells which line it is of.
test('a part that comes again after a rebalance goes to the next line, or is a document; no text is lost', async () => {
  const cases: [again: number, expected: string[]][] = [
    [0, ['one nine', 'one two']],
    [1, ['nine', 'one two', 'two']],
  ];
  for (const [again, expected] of cases) {
    const world = new World({ partitions: 1 });
    const pieces = [cri({ text: 'one ' }), cri({ text: 'two', isLast: true, ms: 1 })];
    const entries = pieces.map((piece) => world.entry(piece));
    const batches = entries.map(() => world.batch(1, 0, 'files'));
    for (const i of [0, 1]) await world.sendEntries(0, [batches[i]!], [entries[i]!]);
    const indexer = await world.start();
    await world.drained();
    world.queue.rebalance();
    await world.clock.advance(500);
    await world.sendEntries(0, [batches[again]!], [entries[again]!]);
    await send(world, [cri({ text: 'nine', isLast: true, ms: 1500 })]);
    await world.drained();
    await world.clock.until(indexer.stop());
    assert.deepEqual(messages(world), expected);
    assert.equal(indexer.ledger.imbalance, 0);
  }
});
