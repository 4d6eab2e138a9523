// Lines that Docker split, through the whole indexer: one document for each, and the offset waits for all of its parts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../world.ts';

/** The entries of a line that Docker cut, one for each text. */
function parts(world: World, id: string, texts: readonly string[]): Buffer[] {
  return texts.map((log, i) =>
    world.entry({
      log,
      container_id: 'c0ffee',
      source: 'stdout',
      partial_message: 'true',
      partial_id: id,
      partial_ordinal: String(i + 1),
      partial_last: String(i === texts.length - 1),
    }),
  );
}

const messages = (world: World): unknown[] =>
  [...world.store.documents.values()].map((document) => document['message']);

test('a split line over several records is one document, and the offset waits for its last part', async () => {
  const world = new World({ partitions: 1 });
  const [one, two, three] = parts(world, 'a', ['one ', 'two ', 'three']);
  assert(one && two && three);
  const batch = () => world.batch(1, 0, 'app');
  await world.sendEntries(0, [batch()], [one]);
  await world.send(0, [2]);
  await world.sendEntries(
    0,
    [world.batch(3, 0, 'app')],
    [world.entry({ log: 'between' }), two, world.entry({ log: 'after' })],
  );
  const indexer = await world.start();
  await world.clock.advance(2000);
  assert.equal(world.found.size, 2);
  assert.equal(world.queue.committed.get(0), undefined, 'the first part is not joined');
  assert.equal(indexer.ledger.inFlight, 2);
  assert.equal(indexer.ledger.imbalance, 0);
  await world.sendEntries(0, [batch()], [three]);
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert(messages(world).includes('one two three'));
  assert.equal(indexer.ledger.counts.indexed, 7, 'a line settles as many events as it has parts');
  assert.equal(world.store.documents.size, 5);
});

test('a line that never ends is passed on, marked, and the offset goes on', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two ', 'three']);
  assert(one && two);
  await world.sendEntries(0, [world.batch(2)], [one, two]);
  const indexer = await world.start();
  await world.clock.advance(4000);
  assert.equal(world.store.documents.size, 0);
  await world.clock.when(() => world.store.documents.size > 0);
  const [document] = world.store.documents.values();
  assert(world.clock.monotonicMs() < 8000);
  await world.drained();
  assert.equal(document?.['message'], 'one two ');
  assert.deepEqual(document?.['log'], { flags: ['partial'] });
  await world.clock.until(indexer.stop());
  world.check([indexer]);
});

test('unfinished lines are left at a stop and at a rebalance, and joined by who comes next', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two']);
  assert(one && two);
  await world.sendEntries(0, [world.batch(1)], [one]);
  const first = await world.start();
  await world.clock.advance(1000);
  world.queue.rebalance();
  await world.clock.advance(1000);
  await world.clock.until(first.stop());
  assert.equal(first.ledger.counts.abandoned, 2);
  assert.equal(first.ledger.imbalance, 0);
  await world.sendEntries(0, [world.batch(1)], [two]);
  const second = await world.start();
  await world.drained();
  await world.clock.until(second.stop());
  world.check([first, second]);
  assert.deepEqual(messages(world), ['one two']);
});

test('a joined line that is never taken is a dead letter for each part', async () => {
  const world = new World({ partitions: 1 });
  const entries = parts(world, 'a', ['one ', 'two ', 'three']);
  await world.sendEntries(0, [world.batch(1), world.batch(2)], entries);
  world.store.hooks = { item: () => ({ status: 400, errorType: 'document_parsing_exception', errorReason: 'no' }) };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(indexer.ledger.counts.dead_lettered, 3);
  assert.deepEqual(
    world.queue.letters.map(({ index }) => index),
    [0, 0, 1],
  );
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value)),
    entries,
  );
});

test('who opens a line in each record holds up nobody: only the commit waits for it', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(1024 * 1024) } });
  const records = 60;
  for (let i = 0; i < records; i++) {
    const [begun] = parts(world, `line ${i}`, ['begun ', 'never sent']);
    assert(begun);
    const entries = [world.entry({ log: `event ${world.sent++} ${'x'.repeat(100_000)}` }), begun];
    await world.sendEntries(0, [world.batch(2, 0, 'app')], i % 2 === 0 ? entries : entries.toReversed());
  }
  const indexer = await world.start();
  await world.clock.advance(3000);
  assert.equal(world.found.size, records, 'all that is whole, before the first line is given up');
  assert.equal(world.queue.committed.get(0), undefined);
  assert.equal(indexer.ledger.inFlight, records);
  assert.equal(indexer.ledger.imbalance, 0);
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.indexed, 2 * records);
  world.check([indexer]);
});

test('a line that is refused when its records are not held any more: the dead letters have its parts', async () => {
  const world = new World({ partitions: 1 });
  const [one, two] = parts(world, 'a', ['one ', 'two']);
  assert(one && two);
  // Also where it is written as text.
  const isLine = (document: object): boolean => JSON.stringify(document).includes('one two');
  const refusal = { status: 400, errorType: 'document_parsing_exception', errorReason: 'no' };
  world.store.hooks = { item: (_, document) => (isLine(document) ? refusal : null) };
  const batches = [world.batch(3, 5, 'app'), world.batch(1, 0, 'app')];
  for (const [i, part] of [one, two].entries()) {
    const whole = world.entry({ log: `event ${world.sent++} ` });
    const entries = i === 0 ? [world.entry({ log: `event ${world.sent++} ` }), part, whole] : [part];
    if (i === 1) world.sent--;
    await world.sendEntries(0, [batches[i]!], entries, 'zstd');
    if (i === 0) await world.clock.advance(1);
  }
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.dead_lettered, 2);
  assert.deepEqual(
    world.queue.letters.map(({ index, from }) => [index, from]),
    [
      [6, 'sluice.logs/0/0'],
      [0, 'sluice.logs/0/1'],
    ],
  );
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value)),
    [one, two],
  );
  world.check([indexer]);
});
