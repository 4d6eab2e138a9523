// A world with some records in all partitions, and faults that its store may have.

import assert from 'node:assert/strict';
import type { Indexer } from '#indexer/shells/main.ts';
import { SluiceError } from '#shared/errors.ts';
import type { BulkOutcome } from '#shared/store/store.ts';
import { World, type WorldOptions } from '../world.ts';

export const timeout = new SluiceError('store_timeout', 'Cannot write: no answer');
export const unavailable = new SluiceError('store_unavailable', 'Cannot write: connection refused');
export const rejected: BulkOutcome = {
  status: 429,
  errorType: 'es_rejected_execution_exception',
  errorReason: 'queue is full',
};

/** Some records over all partitions, with large and small batches. */
export async function fill(world: World, records = 30): Promise<void> {
  for (let i = 0; i < records; i++) {
    const sizes = i % 3 === 0 ? [40] : i % 3 === 1 ? [1, 1, 1, 1, 1] : [7, 2, 13];
    await world.send(i % world.queue.partitions, sizes, i % 4 === 0 ? 'identity' : 'zstd', 'x'.repeat(200));
  }
}

/** Fills a world, runs an indexer over it until all is committed, and checks it. */
export async function run(
  arrange: (world: World) => void,
  options: WorldOptions = {},
): Promise<{ world: World; indexer: Indexer }> {
  const world = new World(options);
  await fill(world);
  arrange(world);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(indexer.ledger.counts.abandoned, 0);
  return { world, indexer };
}
