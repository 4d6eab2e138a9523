// Files that grow, and of which nobody tells, are asked several times a second, and no more than they cost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuickLooks } from '#forwarder/collect/turns/quick-looks.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('a file that has grown is woken within a fifth of a second, and no other is', async () => {
  const clock = new VirtualClock();
  const woken: [name: string, atMs: number][] = [];
  using looks = new QuickLooks<{ name: string; hasGrown: boolean }>(clock, ({ name }) => {
    woken.push([name, clock.monotonicMs()]);
  });
  const [grows, rests] = [
    { name: 'grows', hasGrown: true },
    { name: 'rests', hasGrown: false },
  ];
  looks.follow([grows, rests]);
  await clock.advance(450);
  looks.follow([rests]);
  await clock.advance(1000);
  looks.follow([]);
  await clock.advance(1000);
  assert.deepEqual(woken, [
    ['grows', 200],
    ['grows', 400],
  ]);
});

test('where asking takes long, it pauses for longer', () => {
  let nowMs = 0;
  const timers: [ms: number, action: () => void][] = [];
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    timer: (ms, action) => {
      timers.push([ms, action]);
      return { [Symbol.dispose]: () => undefined };
    },
  };
  using looks = new QuickLooks(clock, () => undefined);
  const slow = {
    get hasGrown(): boolean {
      nowMs += 50;
      return false;
    },
  };
  looks.follow([slow]);
  timers.shift()?.[1]();
  assert.deepEqual(
    timers.map(([ms]) => ms),
    [1000],
  );
});
