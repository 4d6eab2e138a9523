// The contiguous prefix: columns of which records finish in which order, and what may be committed after each.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ContiguousOffsets } from '#indexer/commit/contiguous-offsets.ts';

test('only a contiguous prefix is passed', () => {
  const check = (begin: number, offsets: number[], finish: number[], nexts: number[]): void => {
    const tracked = new ContiguousOffsets(begin);
    const slots = new Map(offsets.map((offset) => [offset, tracked.start(offset, 0)]));
    const seen = finish.map((offset) => {
      const slot = slots.get(offset);
      assert(slot);
      tracked.finish(slot);
      return tracked.next;
    });
    assert.deepEqual(seen, nexts);
  };
  check(0, [], [], []);
  check(5, [5], [5], [6]);
  check(5, [5, 6, 7], [5, 6, 7], [6, 7, 8]);
  check(5, [5, 6, 7], [7, 6, 5], [5, 5, 8]);
  check(5, [5, 6, 7], [6, 5, 7], [5, 7, 8]);
  check(5, [8, 9, 20], [9, 8, 20], [5, 10, 21]); // offsets may be missing
  check(0, [0, 1, 2, 3], [0, 2, 3], [1, 1, 1]); // 1 never finishes
});

test('nothing committed yet is what was found', () => assert.equal(new ContiguousOffsets(42).next, 42));

test('a record is begun and finished once', () => {
  const tracked = new ContiguousOffsets(0);
  const slot = tracked.start(3, 0);
  assert.throws(() => tracked.start(3, 0));
  tracked.finish(slot);
  assert.throws(() => tracked.finish(slot));
});

test('the oldest is the first that is not finished', () => {
  const tracked = new ContiguousOffsets(0);
  const first = tracked.start(0, 100);
  const second = tracked.start(1, 200);
  tracked.finish(second);
  assert.equal(tracked.oldest?.timestampMs, 100);
  tracked.finish(first);
  assert.equal(tracked.oldest, undefined);
});

test('any order of finishing: never past a hole, all passed at the end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4000 }), fc.integer(), (count, seed) => {
      const tracked = new ContiguousOffsets(0);
      const slots = Array.from({ length: count }, (_, offset) => tracked.start(offset, 0));
      const order = slots.map((slot, i) => ({ slot, key: Math.imul(i + 1, seed | 1) >>> 0 }));
      order.sort((a, b) => a.key - b.key);
      let prefix = 0;
      for (const { slot } of order) {
        tracked.finish(slot);
        while (slots[prefix]?.finished) prefix++;
        assert.equal(tracked.next, prefix);
      }
      assert.equal(tracked.next, count);
      assert.equal(tracked.readTo, count);
    }),
    { numRuns: 30 },
  );
});
