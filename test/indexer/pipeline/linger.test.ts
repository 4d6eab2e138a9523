// How long documents wait for others to share a request with, where nobody says: less for the store that is followed as
// it grows, and to which a small request costs little more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../world.ts';

/** When the only request of a few documents is sent, by the clock of the indexer. */
async function requestMs(kind: 'embedded' | 'elasticsearch', env: Record<string, string>): Promise<number> {
  const world = new World({ partitions: 1, env });
  Object.assign(world.store, { kind });
  const sentMs: number[] = [];
  world.store.hooks = { latencyMs: () => sentMs.push(world.clock.monotonicMs()) && 1 };
  await world.send(0, [5]);
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(sentMs.length, 1);
  return sentMs[0] ?? NaN;
}

for (const [kind, expectedMs] of [
  ['embedded', 25],
  ['elasticsearch', 100],
] as const) {
  test(kind, async () => {
    const atOnceMs = await requestMs(kind, { SLUICE_BULK_LINGER_MS: '0' });
    assert.equal((await requestMs(kind, {})) - atOnceMs, expectedMs);
    assert.equal((await requestMs(kind, { SLUICE_BULK_LINGER_MS: '70' })) - atOnceMs, 70);
  });
}
