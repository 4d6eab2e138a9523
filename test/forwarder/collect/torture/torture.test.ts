// The torture of files: short here, at length by `npm run torture`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { torture } from './torture.ts';

test('files rotated in every way, and a collector that is killed', { timeout: 240_000 }, async (context) => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
  context.diagnostic(`seed ${seed} (SLUICE_TEST_SEED)`);
  const result = await torture({ seed, writers: 12, steps: 100, kills: 3 });
  // What counts as lost may be too much after a kill: checkpoints follow the queue. It is never too little.
  // In doubt a line comes twice, which a kill at the wrong moment may bring about; none is ever missing.
  const { missing, doubled, lines } = result;
  assert.deepEqual(missing, []);
  for (const [name, bytes] of Object.entries(result.removed)) assert.ok((result.lost[name] ?? 0) >= bytes, name);
  assert.ok(doubled.length <= lines / 20, JSON.stringify(doubled));
  assert.ok(result.rotations > 10 && result.kills >= 3, JSON.stringify(result));
});
