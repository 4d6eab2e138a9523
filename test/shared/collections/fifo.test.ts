// First in, first out: against an array, whatever is added and removed in whatever order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from '#shared/collections/fifo.ts';

const step = fc.record({
  kind: fc.constantFrom('push', 'push', 'shift', 'shift', 'cut', 'keep'),
  n: fc.integer({ min: 1, max: 80 }),
});

test('it is an array of which the first is removed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      let next = 0;
      for (const { kind, n } of steps) {
        if (kind === 'push') {
          for (let i = 0; i < n; i += 1, next += 1) {
            fifo.push(next);
            model.push(next);
          }
        } else if (kind === 'shift') {
          for (let i = 0; i < n; i += 1) assert.equal(fifo.shift(), model.shift());
        } else if (kind === 'cut') {
          const item = model[n] ?? -1;
          assert.deepEqual(fifo.removeFrom(item), item < 0 ? [] : model.splice(n));
        } else {
          fifo.keep((item) => item % 3 !== n % 3);
          model = model.filter((item) => item % 3 !== n % 3);
        }
        assert.equal(fifo.length, model.length);
        assert.equal(fifo.first, model[0]);
      }
    }),
  );
});
