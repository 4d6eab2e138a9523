// A data stream of thousands of indices: what a look costs goes by those that may have what is looked for. Each used to
// be compared with each id in one turn of the event loop.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LookBack } from '#indexer/bulk/look-back.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('of thousands of indices only those are asked that were written to since the ids may have been', async () => {
  const indices = Array.from({ length: 5000 }, (_, i) => ({ name: `i${i}`, createdMs: 1000 * i }));
  // One that is gone meanwhile: nobody knows when it was made.
  indices[4990] = { name: 'i4990', createdMs: Infinity };
  const asked: string[] = [];
  const store = {
    backingIndices: () => Promise.resolve(indices),
    idsIn: (name: string, ids: readonly string[]) => {
      asked.push(`${name}: ${ids.length}`);
      return Promise.resolve(new Set<string>());
    },
    remove: () => Promise.resolve(),
  };
  const telemetry = { secondCopies: () => undefined };
  const lookBack = new LookBack({ store, clock: new VirtualClock(), telemetry, clockSkewMs: 500, askForAll: false });
  const ids = Array.from({ length: 50_000 }, (_, i) => `id ${i}`);
  await lookBack.lookAgain('s', ids, 4_996_600, new AbortController().signal);
  const expected = [4989, 4996, 4997, 4998, 4999].map((i) => `i${i}: ${ids.length}`);
  assert.deepEqual(asked, expected);
});
