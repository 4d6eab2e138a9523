// The first of many, however they come, go and change.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Heap } from '#shared/collections/heap.ts';

test('the first is the least, whatever was added, changed or taken away', () => {
  const change = fc.tuple(fc.nat(20), fc.option(fc.nat(100), { nil: null }));
  fc.assert(
    fc.property(fc.array(fc.nat(100)), fc.array(change), (sizes, changes) => {
      const items = Array.from({ length: 21 }, (_, i) => ({ size: sizes[i] ?? 0 }));
      const kept = new Set(items.slice(0, sizes.length));
      const heap = new Heap((a: { size: number }, b) => a.size < b.size, kept);
      for (const [i, size] of changes) {
        const item = items[i];
        assert(item);
        if (size === null) {
          heap.delete(item);
          kept.delete(item);
        } else {
          item.size = size;
          heap.update(item);
          kept.add(item);
        }
        const least = kept.size === 0 ? undefined : Math.min(...Array.from(kept, (each) => each.size));
        assert.equal(heap.first?.size, least);
      }
    }),
  );
});
