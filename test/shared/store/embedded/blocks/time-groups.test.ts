// Groups by time: everything once, nothing near apart, nothing far together.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { timeGroups } from '#shared/store/embedded/blocks/time-groups.ts';

const HOUR = 3_600_000_000_000n;
const times = fc.array(
  fc.record({ hours: fc.bigInt(0n, 40n), length: fc.bigInt(0n, 3n) }).map(({ hours, length }) => ({
    min: hours * HOUR,
    max: (hours + length) * HOUR,
  })),
  { minLength: 1, maxLength: 30 },
);

it('has everything once, and each group in its order', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 9 }), (items, groupsMax) => {
      const groups = timeGroups(items, (item) => item, groupsMax);
      assert(groups.length <= groupsMax);
      assert.deepEqual(new Set(groups.flat()), new Set(items));
      assert.equal(groups.flat().length, items.length);
      for (const group of groups) {
        const indices = group.map((item) => items.indexOf(item));
        assert.deepEqual(
          indices,
          indices.toSorted((a, b) => a - b),
        );
      }
    }),
  );
});

it('cuts where nothing is for more than an hour', () => {
  fc.assert(
    fc.property(times, (items) => {
      const groups = timeGroups(items, (item) => item);
      const spans = groups.map((group) => ({
        min: group.reduce((least, { min }) => (min < least ? min : least), 1000n * HOUR),
        max: group.reduce((greatest, { max }) => (max > greatest ? max : greatest), 0n),
      }));
      for (const [i, { max }] of spans.entries()) {
        const next = spans[i + 1];
        if (next !== undefined) assert(next.min > max + HOUR);
      }
      const narrow = (hours: number): bigint => BigInt(hours) * HOUR;
      for (const group of groups)
        for (let hour = 0; hour < 42; hour++) {
          const isBefore = group.some(({ max }) => max <= narrow(hour));
          const isBehind = group.some(({ min }) => min >= narrow(hour + 2));
          const isBetween = group.some(({ min, max }) => max > narrow(hour) && min < narrow(hour + 2));
          assert(!(isBefore && isBehind) || isBetween, `nothing between ${hour} and ${hour + 2}`);
        }
    }),
  );
});
