// A record's bytes are freed when its entries have gone on, but not while one of them is on its way to the dead letters.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { World } from './world.ts';

const RECORD_ENTRIES = 2000;

/** An entry that is no record: an array in a map's place. */
function badEntry(n: number): Buffer {
  return Buffer.concat([Buffer.from([0x92, 0x01, 0x91, 0xd9, 8]), Buffer.from(`bad ${n}`.padEnd(8))]);
}

test('a bad entry is a dead letter, whole, though it is taken only after its record and others have gone on', async () => {
  const world = new World({ partitions: 1 });
  let refusals = 20;
  world.queue.hooks = {
    ...world.queue.hooks,
    deadLetters: () => (refusals-- > 0 ? new SluiceError('queue_unavailable', 'Cannot append: it is away') : null),
  };
  const bad: Buffer[] = [];
  for (let record = 0; record < 4; record++) {
    const entries: Buffer[] = [];
    for (let i = 0; i < RECORD_ENTRIES; i++)
      entries.push(world.entry({ log: `event ${world.sent++} ${'x'.repeat(80)}`, container_name: '/web' }));
    // Every other record is freed.
    if (record % 2 === 0) {
      bad.push(badEntry(record));
      entries.splice(record * 300, 0, badEntry(record));
    }
    await world.sendEntries(0, [world.batch(entries.length)], entries, 'zstd');
  }
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.found.size, 4 * RECORD_ENTRIES);
  assert.deepEqual(
    world.queue.letters.map(({ value }) => Buffer.from(value).toString('hex')),
    bad.map((entry) => entry.toString('hex')),
  );
  assert.equal(indexer.ledger.imbalance, 0);
});
