// What one store gets otherwise than the other. Where nobody says how long, documents wait for others to share a
// request with: less for the store that is followed as it grows, and to which a small request costs little more. And
// that one has one thread.

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

test('the embedded store gets two requests at once, however fast it answers', async () => {
  const world = new World({ partitions: 1, env: { SLUICE_BULK_LINGER_MS: '0' } });
  Object.assign(world.store, { kind: 'embedded' });
  for (let i = 0; i < 200; i++) await world.send(0, [300], 'identity', 'x'.repeat(300));
  world.store.hooks = { latencyMs: () => 600 };
  const indexer = await world.start();
  await world.drained();
  await world.clock.until(indexer.stop());
  world.check([indexer]);
  assert.equal(world.store.inFlightMax, 2);
});
