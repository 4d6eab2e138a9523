// Large messages for which there is no thread: it is not their fault, so none of them is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LARGE_MESSAGE_BYTES, LargeMessages } from '#forwarder/accept/convert/large-messages.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { failing, standIns } from './stand-in-workers.ts';

const text = Buffer.from(JSON.stringify({ short_message: 'x'.repeat(LARGE_MESSAGE_BYTES) }));

/** Sleeps at once, and counts. */
class SleeplessClock implements Clock {
  slept = 0;
  epochMs = () => systemClock.epochMs();
  monotonicMs = () => systemClock.monotonicMs();
  timer = (ms: number, action: () => void) => systemClock.timer(ms, action);
  sleep = async (): Promise<void> => void (this.slept += 1);
}

async function kindOf(large: LargeMessages): Promise<string> {
  const converted = await large.convert(text);
  return converted.kind === 'entry' ? `entry of ${converted.bytes.length > LARGE_MESSAGE_BYTES}` : converted.why;
}

test('a message for which no thread started is converted by the next one', async (t) => {
  const workers = standIns(t);
  workers.instead = [failing, failing];
  const clock = new SleeplessClock();
  await using large = new LargeMessages({ clock });
  assert.deepEqual(await Promise.all([kindOf(large), kindOf(large)]), ['entry of true', 'entry of true']);
  assert.deepEqual([clock.slept, workers.started], [2, 1]);
  assert(large.hasRoom);
});

test('where none starts for long, messages are converted here, those behind without waiting as long', async (t) => {
  const workers = standIns(t);
  workers.instead = Array.from({ length: 7 }, () => failing);
  const clock = new SleeplessClock();
  await using large = new LargeMessages({ clock });
  assert.equal(await kindOf(large), 'entry of true');
  assert.equal(clock.slept, 5);
  assert.equal(await kindOf(large), 'entry of true');
  assert.equal(clock.slept, 5);
  assert.equal(workers.instead.length, 0);
  // There are threads again.
  assert.equal(await kindOf(large), 'entry of true');
  assert.equal(workers.started, 1);
});

test('a message whose thread dies under it is converted by the next one', async (t) => {
  const workers = standIns(t);
  workers.instead = [
    (start) => {
      const thread = start();
      const post = thread.postMessage.bind(thread);
      thread.postMessage = (message: { readonly method: string }, ...rest: readonly never[]) => {
        if (message.method === 'convert') void thread.terminate();
        else post(message, ...rest);
      };
      return thread;
    },
  ];
  await using large = new LargeMessages({ clock: new SleeplessClock() });
  assert.equal(await kindOf(large), 'entry of true');
  assert.equal(workers.started, 2);
});

test('what waits for a thread when we stop is converted here', async (t) => {
  const workers = standIns(t);
  workers.instead = [failing, failing, failing, failing];
  const large = new LargeMessages({ clock: systemClock });
  const waiting = [kindOf(large), kindOf(large)];
  await new Promise(setImmediate);
  large.hurry();
  assert.deepEqual(await Promise.all(waiting), ['entry of true', 'entry of true']);
  await large[Symbol.asyncDispose]();
  assert.match(await kindOf(large), /the input has ended/);
});

test('what its users have given up by its end costs nothing more', async (t) => {
  const workers = standIns(t);
  workers.instead = [failing, failing, failing, failing];
  const large = new LargeMessages({ clock: systemClock });
  const waiting = [kindOf(large), kindOf(large)];
  await new Promise(setImmediate);
  await large[Symbol.asyncDispose]();
  for (const kind of await Promise.all(waiting)) assert.match(kind, /the input has ended/);
});
