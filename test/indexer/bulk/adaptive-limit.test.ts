// The adaptive limit against stores of known behaviour, under a clock that costs nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdaptiveLimit } from '#indexer/bulk/adaptive-limit.ts';
import { ConcurrencyLimit } from '#indexer/bulk/concurrency.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { seeded } from '../world.ts';

/** How long a request takes when `inFlight` are at the store, and whether it is refused. */
type Behaviour = (inFlight: number) => { readonly ms: number; readonly refused?: boolean };

/**
 * Requests without end, as many as the limit allows at each moment, from `fromMs` on; the limits seen, and how many
 * were answered.
 */
function drive(limit: AdaptiveLimit, store: Behaviour, { fromMs = 0, forMs }: { fromMs?: number; forMs: number }) {
  const inFlight: { startMs: number; endMs: number; refused: boolean }[] = [];
  const limits: number[] = [];
  let answered = 0;
  for (let nowMs = fromMs; nowMs < fromMs + forMs;) {
    while (inFlight.length < limit.limit) {
      const { ms, refused = false } = store(inFlight.length + 1);
      inFlight.push({ startMs: nowMs, endMs: nowMs + ms, refused });
    }
    limit.reached();
    inFlight.sort((a, b) => a.endMs - b.endMs);
    const ended = inFlight.shift();
    assert(ended);
    nowMs = ended.endMs;
    if (!ended.refused) answered++;
    const roundTripMs = ended.refused ? null : nowMs - ended.startMs;
    limit.answered({ nowMs, roundTripMs, overloaded: ended.refused });
    limits.push(limit.limit);
  }
  return { limits, answered, last: limit.limit, late: limits.slice(limits.length >> 1) };
}

test('a store that takes whatever comes is given the most, one more a round trip', () => {
  const limit = new AdaptiveLimit(16, 2);
  const { limits, last } = drive(limit, () => ({ ms: 100 }), { forMs: 3000 });
  assert.equal(last, 16);
  assert.deepEqual([...new Set(limits)].slice(0, 5), [2, 3, 4, 5, 6]);
});

test('a store that slows down beyond four requests is not given sixteen', () => {
  const random = seeded(3);
  const store: Behaviour = (inFlight) => ({ ms: (inFlight <= 4 ? 100 : 100 * 3 ** (inFlight - 4)) + random() * 10 });
  const { late } = drive(new AdaptiveLimit(16, 2), store, { forMs: 120_000 });
  const mean = late.reduce((sum, n) => sum + n, 0) / late.length;
  assert(mean > 2 && mean < 8, `mean limit ${mean}`);
  assert(Math.max(...late) < 10, `at most ${Math.max(...late)}`);
});

test('a store that refuses what is more than three at once gets about three, and most of what it takes', () => {
  const store: Behaviour = (inFlight) => (inFlight > 3 ? { ms: 5, refused: true } : { ms: 50 });
  const { late, answered } = drive(new AdaptiveLimit(16, 2), store, { forMs: 30_000 });
  assert(Math.max(...late) <= 4, `at most ${Math.max(...late)}`);
  assert(answered > 0.7 * ((30_000 / 50) * 3), `${answered} answered`);
});

test('the limit falls while the store is away, and comes back by itself', () => {
  const limit = new AdaptiveLimit(16, 2);
  assert.equal(drive(limit, () => ({ ms: 50 }), { forMs: 2000 }).last, 16);
  assert.equal(drive(limit, () => ({ ms: 1, refused: true }), { fromMs: 2000, forMs: 3000 }).last, 1);
  assert.equal(drive(limit, () => ({ ms: 80 }), { fromMs: 5000, forMs: 5000 }).last, 16);
});

test('what does not reach the limit raises it no further', () => {
  const limit = new AdaptiveLimit(16, 2);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 50) limit.answered({ nowMs, roundTripMs: 20, overloaded: false });
  assert.equal(limit.limit, 2);
});

test('a slow answer below the limit says nothing of the limit', () => {
  const limit = new AdaptiveLimit(16, 8);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    limit.answered({ nowMs, roundTripMs: nowMs > 5000 ? 900 : 20, overloaded: false });
  }
  assert.equal(limit.limit, 8);
});

test('many refusals in one round trip are one step down', () => {
  const limit = new AdaptiveLimit(20, 20);
  for (let nowMs = 0; nowMs <= 1000; nowMs += 10) {
    limit.reached();
    limit.answered({ nowMs, roundTripMs: 1000, overloaded: false });
  }
  const before = limit.limit;
  for (let i = 0; i < 20; i++) limit.answered({ nowMs: 1001 + i, roundTripMs: null, overloaded: true });
  assert.equal(limit.limit, before);
  limit.answered({ nowMs: 3000, roundTripMs: null, overloaded: true });
  assert.equal(limit.limit, Math.floor(before * 0.9));
});

test('the first thing ever heard may be a refusal', () => {
  const limit = new AdaptiveLimit(16, 2);
  limit.answered({ nowMs: 0, roundTripMs: null, overloaded: true });
  assert.equal(limit.limit, 1);
  for (let nowMs = 1; nowMs < 400; nowMs++) limit.answered({ nowMs, roundTripMs: null, overloaded: true });
  assert.equal(limit.limit, 1);
});

test('slots are given in the order of the calls, and a limit that fell takes none back', async () => {
  const clock = new VirtualClock();
  const slots = new ConcurrencyLimit(3, clock);
  await slots.acquire();
  await slots.acquire();
  const got: string[] = [];
  const waiting = ['third', 'fourth'].map((name) => slots.acquire().then(() => got.push(name)));
  slots.release({ roundTripMs: null, overloaded: true });
  assert.equal(slots.limit, 1);
  await clock.settle();
  assert.deepEqual([got, slots.inUse], [[], 1]);
  slots.release(null);
  await waiting[0];
  assert.deepEqual(got, ['third']);
  slots.release(null);
  await waiting[1];
  assert.deepEqual(got, ['third', 'fourth']);
});
