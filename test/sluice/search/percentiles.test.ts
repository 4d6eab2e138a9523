// Percentiles against all values in order: exact of few, within 1 % of many, and bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Percentiles } from '../../../services/sluice/search/percentiles.ts';

function checkAll(values: readonly number[], isExact: boolean): void {
  const percentiles = new Percentiles();
  for (const value of values) percentiles.add(value);
  const sorted = values.toSorted((a, b) => a - b);
  for (const percent of [0, 1, 25, 50, 90, 99, 99.9, 100]) {
    const expected = sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1] ?? 0;
    const told = percentiles.at(percent) ?? NaN;
    if (isExact) assert.equal(told, expected);
    else
      assert(Math.abs(told - expected) <= 0.0101 * Math.abs(expected) + 1e-9, `${percent}: ${told}, not ${expected}`);
  }
}

const value = fc.oneof(fc.double({ noNaN: true, min: -1e12, max: 1e12 }), fc.integer({ min: -5, max: 1000 }));

test('of a few values', () => {
  assert.equal(new Percentiles().at(50), null);
  fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 50 }), (values) => checkAll(values, true)));
});

test('of many values', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 501, maxLength: 2000, size: 'max' }), (values) => checkAll(values, false)),
    { numRuns: 20 },
  );
  checkAll([...Array.from({ length: 600 }, (_, i) => -(1.5 ** (i % 300))), 0, 5e-324, 1.7e308, -1.7e308], false);
});
