import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Found, TimeBisection } from '#shared/queue/kafka/positions/time-bisection.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const DAY_MS = 86_400_000;

interface Kept {
  readonly offset: number;
  readonly timestampMs: number;
}

/** Answers as a broker does, from records in the order of their offsets. */
function firstAt(records: readonly Kept[], timeMs: number): Found {
  return records.find(({ timestampMs }) => timestampMs >= timeMs) ?? null;
}

function find(records: readonly Kept[], wanted: number, nowMs = NOW_MS): { timeMs: number; rounds: number } {
  const search = new TimeBisection(wanted, nowMs);
  let rounds = 0;
  for (let ask = search.askMs; ask !== null; ask = search.askMs) {
    assert(++rounds < 64, 'it ends');
    search.learn(ask, firstAt(records, ask));
  }
  return { timeMs: search.timeMs, rounds };
}

const ages = (...agesMs: number[]): Kept[] => agesMs.map((age, offset) => ({ offset, timestampMs: NOW_MS - age }));

test('cases', () => {
  const check = (what: string, records: readonly Kept[], wanted: number, expectedMs: number, roundsMax: number) => {
    const { timeMs, rounds } = find(records, wanted);
    assert.equal(timeMs, NOW_MS - expectedMs, what);
    assert(rounds <= roundsMax, `${what}: ${rounds} rounds`);
  };
  check('the oldest record that is there', ages(5000, 4000, 3000), 0, 5000, 1);
  check('one record', ages(60_000), 0, 60_000, 1);
  check('the last of two', ages(3 * DAY_MS, 1000), 1, 1000, 20);
  check('of the same time as the first', ages(1000, 1000, 1000), 2, 1000, 12);
  check('a burst long ago, and one now', ages(3 * DAY_MS, 3 * DAY_MS, 10, 9), 2, 10, 20);
  check('a broker whose clock is ahead', ages(-5000, -6000), 1, -5000, 2);
  check('removed meanwhile', ages(5000, 4000).slice(1), 0, 4000, 1);
  check('all removed meanwhile', [], 0, 0, 1);
});

test('whatever the times: within a second up to a minute of age, within two percent above', () => {
  const gaps = fc.array(
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: DAY_MS })),
    {
      minLength: 1,
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(gaps, fc.nat(), fc.integer({ min: 0, max: DAY_MS }), (steps, pick, youngestMs) => {
      let age = steps.reduce((sum, step) => sum + step, youngestMs);
      const records = steps.map((step, i) => ({ offset: i * 3, timestampMs: NOW_MS - (age -= step) }));
      const wanted = records[pick % records.length];
      assert(wanted);
      const { timeMs, rounds } = find(records, wanted.offset);
      const trueAge = NOW_MS - wanted.timestampMs;
      const error = Math.abs(NOW_MS - timeMs - trueAge);
      assert(error <= (trueAge <= 60_000 ? 1000 : 0.02 * trueAge), `${trueAge} ms told as ${NOW_MS - timeMs} ms`);
      assert(rounds <= 24, `${rounds} rounds`);
    }),
  );
});
