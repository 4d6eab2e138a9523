// When a follower asks again: as soon as the store says that something has come, without waiting for its next turn; and
// nothing that comes while it asks is left until then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#shared/clock.ts';
import { WakeUp } from '#shared/store/wake-up.ts';
import type { Arrived, ReadableStore } from '#shared/store/store.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { following } from '../../../services/sluice/search/follow/following.ts';

const unstopped = new AbortController().signal;
const NOTHING: Arrived = { documents: [], place: 0, isMore: false };

function storeOf(nextArrival?: () => Promise<void>, arrived = () => Promise.resolve(NOTHING)): ReadableStore {
  return {
    arrived,
    ...(nextArrival && { nextArrival }),
    pages: () => assert.fail('it is asked for what arrived'),
    search: () => assert.fail('it is asked for what arrived'),
  };
}

/** A poll, and the rest behind it. */
function turnOf(store: ReadableStore, clock: Clock) {
  const follower = following(store, {}, { clock });
  return async (signal = unstopped): Promise<void> => {
    for await (const _ of follower.poll(signal));
    await follower.rest(0, signal);
  };
}

test('it asks again as soon as something comes, though the clock stands still', async () => {
  const news = new WakeUp();
  const turn = turnOf(
    storeOf(() => news.next),
    new VirtualClock(),
  );
  for (let i = 0; i < 3; i++) {
    const resting = turn();
    news.wake();
    await resting;
  }
});

test('what comes while it asks is not left for later', async () => {
  const news = new WakeUp();
  let asked = 0;
  const store = storeOf(
    () => news.next,
    () => {
      // Behind what it finds.
      if (++asked <= 3) news.wake();
      return Promise.resolve(NOTHING);
    },
  );
  const turn = turnOf(store, new VirtualClock());
  for (let i = 0; i < 3; i++) await turn();
  const stop = new AbortController();
  const resting = turn(stop.signal);
  stop.abort(new Error('nothing came any more'));
  await assert.rejects(resting, { message: 'nothing came any more' });
});

test('where nothing is said it asks now and then; waiting for long keeps nothing', async () => {
  const clock = new VirtualClock();
  let listeners = 0;
  const never = new Promise<void>(() => undefined);
  const counted = Object.assign(never, {
    // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
    then: (...given: Parameters<typeof never.then>) => {
      listeners += 1;
      return Promise.prototype.then.apply(never, given);
    },
  });
  for (const store of [storeOf(), storeOf(() => counted)]) {
    const turn = turnOf(store, clock);
    for (let i = 0; i < 20; i++) {
      const resting = turn();
      await clock.advance(250);
      await resting;
    }
  }
  assert.equal(listeners, 1);
});

test('after a poll that took long it rests, though something has come', async () => {
  const clock = new VirtualClock();
  const news = new WakeUp();
  const follower = following(
    storeOf(() => news.next),
    {},
    { clock },
  );
  for await (const _ of follower.poll(unstopped));
  news.wake();
  let isOver = false;
  const resting = follower.rest(30, unstopped).then(() => (isOver = true));
  await clock.advance(29);
  assert(!isOver);
  await clock.advance(1);
  await resting;
});
