// The first rows in an order are those that sorting all would give, as far as there is memory for them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Row } from '../../../services/sluice/search/aggregate.ts';
import { FirstRows } from '../../../services/sluice/search/first-rows.ts';
import { compareRows } from '../../../services/sluice/search/rows.ts';

const KEYS = [{ name: 'n', descending: true }];

function first(rows: readonly Row[], rowsMax: number, bytesMax: number) {
  const kept = new FirstRows({ keys: KEYS, rowsMax, bytesMax });
  for (const row of rows) kept.add(row);
  return { kept, rows: kept.rows() };
}

const sorted = (rows: readonly Row[]): Row[] => rows.toSorted((a, b) => compareRows(a, b, KEYS));

test('as many as are wanted, in their order; those that are equal as they came', () => {
  const rows = Array.from({ length: 5000 }, (_, i) => ({ n: (i * 7919) % 1000, i }));
  const { kept, rows: found } = first(rows, 100, Infinity);
  assert.deepEqual(found, sorted(rows).slice(0, 100));
  assert.equal(kept.dropped, 4900);
  assert.ok(!kept.isCutByBytes);
});

test('large values: the beginning of the order, without a gap, and never more than there is memory for', () => {
  const row = fc.record({ n: fc.integer({ min: 0, max: 50 }), value: fc.integer({ min: 0, max: 3000 }) });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (sizes, rowsMax) => {
      const rows = sizes.map(({ n, value }) => ({ n, value: 'x'.repeat(value) }));
      const { kept, rows: found } = first(rows, rowsMax, 20_000);
      const all = sorted(rows);
      const numbers = (some: readonly Row[]): unknown[] => some.map(({ n }) => n);
      assert.deepEqual(numbers(found), numbers(all.slice(0, found.length)));
      assert.equal(kept.dropped, rows.length - found.length);
      const bytes = found.reduce((sum, { value }) => sum + String(value).length, 0);
      assert.ok(bytes <= 20_000);
      if (found.length < Math.min(rowsMax, rows.length)) assert.ok(kept.isCutByBytes);
    }),
  );
});

test('one that is larger than the memory is kept alone', () => {
  const rows = [
    { n: 1, value: 'x' },
    { n: 2, value: 'x'.repeat(1000) },
    { n: 3, value: 'y'.repeat(1000) },
  ];
  assert.deepEqual(first(rows, 10, 500).rows, [rows[2]]);
});
