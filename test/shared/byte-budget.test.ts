// The bound on bytes: against a plain model, whatever is acquired, given back and abandoned, in whatever order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';

const LIMIT = 100;

type Step = { kind: 'acquire'; bytes: number } | { kind: 'give' | 'abandon' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('acquire' as const), bytes: fc.integer({ min: 1, max: 150 }) }),
  fc.record({ kind: fc.constantFrom('give' as const, 'abandon' as const) }),
);

test('what is acquired never passes the limit, is served in order, and all of it comes back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const budget = new ByteBudget(LIMIT);
      const waiting: { bytes: number; abort: AbortController }[] = [];
      const held: Permit[] = [];
      const order: number[] = [];
      let asked = 0;
      const check = (): void => {
        const bytes = held.reduce((sum, permit) => sum + permit.bytes, 0);
        assert.equal(budget.bytesHeld, bytes);
        assert.ok(bytes <= LIMIT || held.length === 1, `${bytes} bytes held`);
        const [first] = waiting;
        assert.ok(!first || (bytes > 0 && bytes + first.bytes > LIMIT), 'nobody waits for what is free');
      };
      for (const next of steps) {
        if (next.kind === 'acquire') {
          const number = asked++;
          const waiter = { bytes: next.bytes, abort: new AbortController() };
          waiting.push(waiter);
          budget.acquire(next.bytes, waiter.abort.signal).then(
            (permit) => {
              waiting.splice(waiting.indexOf(waiter), 1);
              held.push(permit);
              order.push(number);
            },
            () => waiting.splice(waiting.indexOf(waiter), 1),
          );
        } else if (next.kind === 'give') {
          held.shift()?.[Symbol.dispose]();
        } else {
          waiting[0]?.abort.abort();
        }
        await turn();
        check();
      }
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 300 },
  );
});

test('forty who wait for all of it have it one after another', async () => {
  const budget = new ByteBudget(LIMIT);
  let most = 0;
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      using _permit = await budget.acquire(LIMIT);
      most = Math.max(most, budget.bytesHeld);
      await turn();
    }),
  );
  assert.equal(most, LIMIT);
  assert.equal(budget.bytesHeld, 0);
});

test('who gave up takes nothing', async () => {
  const budget = new ByteBudget(LIMIT);
  const first = await budget.acquire(LIMIT);
  const abort = new AbortController();
  const second = budget.acquire(1, abort.signal);
  abort.abort(new Error('too late'));
  await assert.rejects(second, /too late/);
  await assert.rejects(budget.acquire(1, abort.signal), /too late/);
  first[Symbol.dispose]();
  assert.equal(budget.bytesHeld, 0);
});
