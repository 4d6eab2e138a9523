// A record's bytes are freed when its entries have gone on, but not while one of them is on its way to the dead
// letters.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import type { Decompress } from '#indexer/unpack/unpack.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { World } from '../world.ts';

const RECORD_ENTRIES = 2000;

test('an entry that is too large is a dead letter, whole, also after its record and others have gone on', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_DOCUMENT_MAX_BYTES: '65536' } });
  let refusals = 20;
  world.queue.hooks = {
    ...world.queue.hooks,
    deadLetters: () => (refusals-- > 0 ? new SluiceError('queue_unavailable', 'Cannot append: it is away') : null),
  };
  const refused: Buffer[] = [];
  for (let record = 0; record < 4; record++) {
    const entries: Buffer[] = [];
    for (let i = 0; i < RECORD_ENTRIES; i++)
      entries.push(world.entry({ log: `event ${world.sent++} ${'x'.repeat(80)}`, container_name: '/web' }));
    // Every other record is freed.
    if (record % 2 === 0) {
      const large = world.entry({ log: `large ${record}`.padEnd(70_000, 'y') });
      refused.push(large);
      entries.splice(record * 300, 0, large);
    }
    await world.sendEntries(0, [world.batch(entries.length)], entries, 'zstd');
  }
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(world.found.size, 4 * RECORD_ENTRIES);
  const hashes = (values: readonly Uint8Array[]): string[] => values.map((value) => hash('sha256', value)).sort();
  assert.deepEqual(hashes(world.queue.letters.map(({ value }) => value)), hashes(refused));
  assert.equal(indexer.ledger.imbalance, 0);
});

test('dead letters that wait count, and beyond the budget no further record is opened', async () => {
  const entryBytes = 1024 * 1024;
  const records = 40;
  const world = new World({
    partitions: 1,
    env: { SLUICE_DOCUMENT_MAX_BYTES: '65536', SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(8 * entryBytes) },
  });
  let isAway = true;
  world.queue.hooks = {
    ...world.queue.hooks,
    deadLetters: () => (isAway ? new SluiceError('queue_unavailable', 'Cannot append: it is away') : null),
  };
  // A few hundred bytes each in the queue, so that all of them may be fetched at once.
  for (let record = 0; record < records; record++)
    await world.sendEntries(0, [world.batch(1)], [world.entry({ log: 'x'.repeat(entryBytes) })], 'zstd');
  const indexer = await world.start();
  await world.clock.when(() => indexer.ledger.counts.consumed >= 8);
  for (let seconds = 0; seconds < 60; seconds++) await world.clock.advance(1000);
  const { consumed } = indexer.ledger.counts;
  assert.ok(consumed >= 8 && consumed <= 12, `${consumed} records were opened`);
  assert.equal(indexer.ledger.imbalance, 0);
  isAway = false;
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.dead_lettered, records);
});

/** A part that is a line by itself, and has more values than a document may. */
function crowdedPart(id: string): Buffer {
  const values = 262_200;
  const writer = new MsgpackWriter();
  writer.arrayHeader(2);
  writer.eventTime(1_700_000_000, 0);
  writer.mapHeader(6);
  const said = { partial_message: 'true', partial_id: id, partial_ordinal: '1', partial_last: 'true', log: 'x' };
  for (const [key, value] of Object.entries(said)) {
    writer.string(key);
    writer.string(value);
  }
  writer.string('a');
  writer.arrayHeader(values);
  return Buffer.concat([writer.take(), Buffer.alloc(values, 0xc0)]);
}

test('dead letters of too large lines wait with their own bytes; the record is opened once, and freed', async () => {
  const world = new World({ partitions: 1 });
  const parts = Array.from({ length: 31 }, (_, i) => crowdedPart(`p${i}`));
  const value = Buffer.concat(parts);
  await world.queue.append(0, [
    { encoding: 'zstd', batches: encodeBatches([world.batch(parts.length)]), value: Buffer.from('packed') },
  ]);
  const opened: Uint8Array<ArrayBuffer>[] = [];
  const decompress: Decompress = async () => {
    opened.push(new Uint8Array(value));
    return opened.at(-1)!;
  };
  const tried = new Map<number | undefined, number>();
  let isAway = true;
  world.queue.hooks = {
    ...world.queue.hooks,
    deadLetters: (deadLetters) => {
      for (const deadLetter of deadLetters) tried.set(deadLetter.index, deadLetter.value.buffer.byteLength);
      return isAway ? new SluiceError('queue_unavailable', 'Cannot append: it is away') : null;
    },
  };
  const indexer = await startIndexer({ ...world.options, decompress });
  await world.clock.when(() => tried.size === parts.length);
  assert.deepEqual(
    opened.map(({ buffer }) => buffer.detached),
    [true],
  );
  for (const [index, bytes] of tried) assert.equal(bytes, parts[index ?? 0]?.length);
  isAway = false;
  await world.drained();
  await world.clock.until(indexer.stop());
  assert.equal(indexer.ledger.counts.dead_lettered, parts.length);
  assert.equal(indexer.ledger.imbalance, 0);
});
