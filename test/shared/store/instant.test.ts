// Moments as text and as nanoseconds.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { clampInstant, formatInstant, INSTANT_MAX, nanosOf, parseInstant, secondsOf } from '#shared/store/instant.ts';

it('reads moments', () => {
  const check = (text: string, expected: bigint | null) => assert.equal(parseInstant(text), expected, text);
  check('1970-01-01T00:00:00Z', 0n);
  check('1970-01-01', 0n);
  check('1970-01-01T00:00', 0n);
  check('1970-01-01T00:00:00.000000001Z', 1n);
  check('1970-01-01t00:00:00.5z', 500_000_000n);
  check('1970-01-01 00:00:01,25Z', 1_250_000_000n);
  check('1970-01-01T01:00:00+01:00', 0n);
  check('1970-01-01T01:00:00+0100', 0n);
  check('1970-01-01T01:00:00+01', 0n);
  check('1969-12-31T23:59:59.999999999Z', -1n);
  check('2262-04-11T23:47:16.854775807Z', INSTANT_MAX);
  check('2024-02-29T00:00:00Z', 1_709_164_800_000_000_000n);
  check('2026-13-01', null);
  check('2026-01-01T25:00:00Z', null);
  check('2026-01-01T00:00:00.0000000001Z', null);
  check('yesterday', null);
  check('', null);
  check('1700000000', null);
});

it('writes what it reads', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 60n), max: INSTANT_MAX }), (ns) => {
      assert.equal(parseInstant(formatInstant(ns)), ns);
    }),
  );
});

it('takes seconds and nanoseconds apart, at their edges too', () => {
  const nanos = fc.oneof(
    fc.bigInt({ min: 0n, max: 999_999_999n }),
    fc.constantFrom(0n, 1n, 999_999_999n, 500_000_000n),
  );
  const seconds = fc.oneof(
    fc.bigInt({ min: 0n, max: INSTANT_MAX / 1_000_000_000n - 1n }),
    fc.constantFrom(0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 9_223_372_035n),
  );
  fc.assert(
    fc.property(seconds, nanos, (whole, rest) => {
      const ns = whole * 1_000_000_000n + rest;
      assert.deepEqual([secondsOf(ns), nanosOf(ns, Number(whole))], [Number(whole), Number(rest)], String(ns));
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual([secondsOf(INSTANT_MAX), nanosOf(INSTANT_MAX, 9_223_372_036)], [9_223_372_036, 854_775_807]);
});

it('clamps to what a store can hold', () => {
  assert.equal(clampInstant(-1n), 0n);
  assert.equal(clampInstant(INSTANT_MAX + 1n), INSTANT_MAX);
  assert.equal(clampInstant(5n), 5n);
});
