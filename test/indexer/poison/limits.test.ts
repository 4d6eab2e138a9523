// What a child process may use: enough for any record that the codecs let pass, and less than the indexer has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf } from '#indexer/poison/limits.ts';

const MIB = 1024 * 1024;

const cases: [what: string, heapMib: number, availableMib: number, heapMb: number, growthMib: number][] = [
  ['a large machine: what a record can need', 4096, 16_000, 256, 448],
  ['a small container: most of what is there', 512, 400, 128, 320],
  ['hardly any memory: what nearly every record can do with', 100, 10, 128, 256],
];
test('where trials have come to no end, less than what ends a container', () => {
  const machine = { heapBytes: 512 * MIB, availableBytes: 200 * MIB };
  assert.equal(limitsOf(64 * MIB, machine).growthBytes, 256 * MIB);
  assert.equal(limitsOf(64 * MIB, machine, true).growthBytes, 160 * MIB);
  assert.equal(limitsOf(64 * MIB, { ...machine, availableBytes: 10 * MIB }, true).growthBytes, 128 * MIB);
});

for (const [what, heapMib, availableMib, heapMb, growthMib] of cases) {
  test(what, () => {
    const limits = limitsOf(64 * MIB, { heapBytes: heapMib * MIB, availableBytes: availableMib * MIB });
    assert.deepEqual([limits.heapMb, limits.growthBytes / MIB], [heapMb, growthMib]);
    assert.ok(limits.turnMs < 15_000, 'below the session of a member');
  });
}
