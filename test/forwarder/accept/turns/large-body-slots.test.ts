import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LargeBodySlots } from '#forwarder/accept/turns/large-body-slots.ts';
import { systemClock } from '#shared/clock.ts';

const slotsOf = (waitMs: number): LargeBodySlots =>
  new LargeBodySlots({ clock: systemClock, waitMs, tooBusy: () => new Error('too busy') });

test('one at a time of each sender, in order; another sender does not wait', async () => {
  const slots = slotsOf(60_000);
  const got: string[] = [];
  const take = async (sender: string, name: string): Promise<Disposable> => {
    const taken = await slots.enter(sender);
    got.push(name);
    return taken;
  };
  const first = await take('a', 'a1');
  const second = take('a', 'a2');
  const third = take('a', 'a3');
  const other = await take('b', 'b1');
  await turn();
  assert.deepEqual(got, ['a1', 'b1']);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  other[Symbol.dispose]();
  (await take('a', 'a4'))[Symbol.dispose]();
  assert.deepEqual(got, ['a1', 'b1', 'a2', 'a3', 'a4']);
});

test('who has waited too long is refused, and takes nobody’s turn', async () => {
  const slots = slotsOf(1);
  const first = await slots.enter('a');
  await assert.rejects(slots.enter('a'), /too busy/);
  first[Symbol.dispose]();
  (await slots.enter('a'))[Symbol.dispose]();
});
