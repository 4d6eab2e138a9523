// Threads that do not start, or die: whose fault it is, and who has another one.

import assert from 'node:assert/strict';
import { beforeEach, test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { ConversionThread } from '#forwarder/accept/convert/conversion-thread.ts';
import type { ConversionOptions } from '#forwarder/dialects/conversions.ts';
import { systemClock } from '#shared/clock.ts';
import { type StandIns, failing, standIns } from './stand-in-workers.ts';

const options: ConversionOptions<'body'> = {
  format: 'ndjson',
  time: { seconds: 1, nanoseconds: 0 },
  takeTime: true,
  bytesMax: 1024,
};

let workers: StandIns;

beforeEach((t) => {
  workers = standIns(t as TestContext);
});

async function entriesOf(conversion: ConversionThread): Promise<number> {
  const converted = await conversion.convert('body', Buffer.from('{"a":1}\n{"a":2}\n'), options);
  assert(converted.kind === 'entries', converted.kind);
  return converted.count;
}

test('a thread that did not start is started for the next body; the one that came for it may come again', async () => {
  await using conversion = new ConversionThread({ clock: systemClock });
  workers.instead = [failing, failing];
  const refused = { code: 'conversion_unavailable', message: /EAGAIN/, kind: { http: 503, retryable: true } };
  const [first, second, third] = await Promise.allSettled([1, 2, 3].map(() => entriesOf(conversion)));
  for (const outcome of [first, second]) {
    assert(outcome?.status === 'rejected');
    const { code, message, kind } = outcome.reason;
    assert.deepEqual([code, kind.http, kind.retryable], [refused.code, 503, true]);
    assert.match(message, refused.message);
  }
  assert.deepEqual(third, { status: 'fulfilled', value: 2 });
});

test('a thread that died while it had nothing to do is no fault of the next body', async () => {
  await using conversion = new ConversionThread({ clock: systemClock });
  const threads: Worker[] = [];
  const watched = (start: () => Worker): Worker => {
    const thread = start();
    threads.push(thread);
    return thread;
  };
  workers.instead = [watched, watched];
  assert.equal(await entriesOf(conversion), 2);
  await threads[0]?.terminate();
  assert.equal(await entriesOf(conversion), 2);
  assert.equal(threads.length, 2);
});

test('a thread that dies before it has the body is no fault of it', async () => {
  await using conversion = new ConversionThread({ clock: systemClock });
  const threads: Worker[] = [];
  workers.instead = [
    (start) => {
      const thread = start();
      threads.push(thread);
      return thread;
    },
  ];
  assert.equal(await entriesOf(conversion), 2);
  // It does not answer any more how much it has worked, and ends.
  const [thread] = threads;
  assert(thread);
  thread.cpuUsage = () => {
    void thread.terminate();
    return new Promise(() => {});
  };
  await assert.rejects(entriesOf(conversion), { code: 'conversion_unavailable' });
  assert.equal(await entriesOf(conversion), 2);
});

test('a thread that is closed while its thread does not start ends', async () => {
  const conversion = new ConversionThread({ clock: systemClock });
  workers.instead = [failing];
  const waiting = [entriesOf(conversion), entriesOf(conversion)].map((body) => assert.rejects(body));
  await conversion[Symbol.asyncDispose]();
  await Promise.all(waiting);
});
