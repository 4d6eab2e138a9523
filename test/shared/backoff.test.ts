// Pauses before another try, for any attempt, limits and randomness.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs, steadyBackoffMs } from '#shared/backoff.ts';

const limits = fc.record({ baseMs: fc.integer({ min: 1, max: 10_000 }), capMs: fc.integer({ min: 10_000, max: 1e6 }) });

test('without jitter a pause is twice the one before, up to the cap', () => {
  fc.assert(
    fc.property(limits, fc.nat(2000), (given, attempts) => {
      let model = given.baseMs;
      for (let attempt = 0; attempt < Math.min(attempts, 100); attempt += 1) {
        assert.equal(steadyBackoffMs(attempt, given), model);
        model = Math.min(given.capMs, 2 * model);
      }
      assert(steadyBackoffMs(attempts, given) <= given.capMs);
    }),
  );
});

test('with jitter it is between a quarter of the first and the same without', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(limits, fc.nat(2000), random, (given, attempt, chance) => {
      const ms = backoffMs(attempt, given, () => chance);
      assert(ms >= given.baseMs / 4 && ms <= steadyBackoffMs(attempt, given), `${ms} ms`);
    }),
  );
});
