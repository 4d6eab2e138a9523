import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { Waiters } from '#shared/waiters.ts';

test('all that wait are woken at once; whoever goes away leaves nothing', async () => {
  const waiters = new Waiters();
  const gone = new AbortController();
  const woken: string[] = [];
  const waits = [waiters.wait().then(() => woken.push('a')), waiters.wait(gone.signal).then(() => woken.push('b'))];
  gone.abort();
  assert.equal(waiters.count, 1);
  await waits[1];
  assert.deepEqual(woken, ['b']);
  waiters.wake();
  await Promise.all(waits);
  assert.deepEqual([woken, waiters.count], [['b', 'a'], 0]);
  await waiters.wait(gone.signal);
  assert.equal(waiters.count, 0);
});

test('of a crowd the first go on at once, and others in later turns while there is something for them', async () => {
  const waiters = new Waiters();
  const woken: number[] = [];
  const waits = Array.from({ length: 100 }, (_, i) => waiters.wait().then(() => woken.push(i)));
  let mayGoOn = true;
  const wake = (): void => {
    if (mayGoOn) waiters.wakeSome(wake);
  };
  wake();
  // A second one in the same turn wakes nobody more.
  wake();
  assert.equal(waiters.count, 68);
  await new Promise(setImmediate);
  assert.equal(waiters.count, 36);
  mayGoOn = false;
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  assert.equal(waiters.count, 36);
  mayGoOn = true;
  wake();
  await Promise.all(waits);
  assert.deepEqual(
    woken,
    Array.from({ length: 100 }, (_, i) => i),
  );
});

type Step =
  { readonly kind: 'wait' | 'wake' | 'wake_some' | 'turn' } | { readonly kind: 'leave'; readonly who: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'wait' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('wake_some' as const, 'turn' as const) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'wake' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(200) }) },
);

test('against a list: who waits is woken in order, once, and by nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const waiters = new Waiters();
      const all: AbortController[] = [];
      const [ended, expected]: [number[], number[]] = [[], []];
      let waiting: number[] = [];
      let isDue = false;
      const wakeSome = (): void => {
        if (!isDue) expected.push(...waiting.splice(0, 32));
        isDue ||= waiting.length > 0;
        waiters.wakeSome(() => (isDue = false));
      };
      for (const one of steps) {
        if (one.kind === 'wait') {
          const [who, over] = [all.length, new AbortController()];
          all.push(over);
          waiting.push(who);
          void waiters.wait(over.signal).then(() => ended.push(who));
        } else if (one.kind === 'leave') {
          all[one.who]?.abort();
          if (waiting.includes(one.who)) expected.push(one.who);
          waiting = waiting.filter((who) => who !== one.who);
        } else if (one.kind === 'wake') {
          expected.push(...waiting.splice(0));
          waiters.wake();
        } else if (one.kind === 'wake_some') {
          wakeSome();
        } else {
          await turn();
        }
        assert.equal(waiters.count, waiting.length);
      }
      await turn();
      assert.deepEqual(ended, expected);
    }),
  );
});
