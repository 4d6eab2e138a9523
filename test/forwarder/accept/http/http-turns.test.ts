// Requests that wait for their turn, or to hand over hundreds of chunks: who is gone, and who has waited too long.

import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { HttpTurns } from '#forwarder/accept/http/http-turns.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Fixture, request } from './http-fixture.ts';

const WAIT_MS = 5000;
const SLOTS_OF_ONE = 16;
/** Documents of one turn, in whole steps of 256. */
const STORED = 16 * 256;

function setUp(): { readonly clock: VirtualClock; readonly turns: HttpTurns; readonly request: IncomingMessage } {
  const clock = new VirtualClock();
  const turns = new HttpTurns({ clock, waitMs: WAIT_MS, tooBusy: () => new Error('too busy') });
  return { clock, turns, request: new IncomingMessage(new Socket()) };
}

test('whoever has waited too long to hand over many chunks is refused, and has no slot', async () => {
  const { clock, turns, request } = setUp();
  const slots: Disposable[] = [];
  while (slots.length < SLOTS_OF_ONE) slots.push(await turns.crowd('a', request));
  let outcome = 'waits';
  turns.crowd('a', request).then(
    () => (outcome = 'has a slot'),
    (error: Error) => (outcome = error.message),
  );
  await clock.advance(WAIT_MS - 1);
  assert.equal(outcome, 'waits');
  await clock.advance(1);
  assert.equal(outcome, 'too busy');
  slots[0]?.[Symbol.dispose]();
  using _next = await turns.crowd('a', request);
  assert.equal(request.socket.listenerCount('close'), 0);
});

test('whoever is gone waits neither for a slot nor for a turn, and nothing is kept of it', async () => {
  const { turns, request } = setUp();
  for (let slots = 0; slots < SLOTS_OF_ONE; slots += 1) await turns.crowd('a', request);
  await turns.wait(1024 * 1024, 'a', request);
  const gone = new IncomingMessage(new Socket());
  const waits = [turns.crowd('a', gone), turns.wait(1024, 'a', gone)];
  gone.socket.destroy();
  for (const wait of waits) await assert.rejects(wait, { code: 'request_malformed' });
  assert.equal(gone.socket.listenerCount('close'), 0);
  await assert.rejects(turns.crowd('b', gone), { code: 'request_malformed' });
});

/** The items that a client has to send again are told apart from those that are stored. */
test('whoever has waited too long in the middle of a bulk request is told of each item', async () => {
  const clock = new VirtualClock();
  await using fixture = await Fixture.start({ roomWaitMs: WAIT_MS }, clock, { bodyBytesMax: 16 * 1024 * 1024 });
  const { intake } = fixture;
  const [first, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const accept = intake.accept.bind(intake);
  const counts = { a: 0, b: 0 };
  intake.accept = async (chunk: Chunk): Promise<void> => {
    const tag = chunk.tag === 'a' ? 'a' : 'b';
    counts[tag] += 1;
    const isLastOfTurn = counts.a === STORED;
    await accept(chunk);
    if (tag === 'b') await others.promise;
    else if (isLastOfTurn) await first.promise;
  };
  const arrived = async (tag: 'a' | 'b', count: number): Promise<void> => {
    while (counts[tag] < count) await new Promise(setImmediate);
  };
  const bulk = async (index: string, documents: number) => {
    const items = Array.from({ length: documents }, (_, id) => `{"index":{"_id":"${id}"}}\n{}\n`).join('');
    return (await fixture.raw()).write(request(`/${index}/_bulk`, items));
  };
  const long = await bulk('a', STORED + 100);
  await arrived('a', STORED);
  const crowd = await Promise.all(Array.from({ length: SLOTS_OF_ONE }, () => bulk('b', 700)));
  await arrived('b', (SLOTS_OF_ONE - 1) * 256);
  // The last of the others has the slot of the first request now, which waits for another one.
  first.resolve();
  await arrived('b', SLOTS_OF_ONE * 256);
  await clock.advance(WAIT_MS);
  const answer = await long.until(/\]\}/);
  assert.match(answer, /^HTTP\/1.1 200/);
  assert.equal(answer.match(/"status":201/g)?.length, STORED);
  assert.equal(answer.match(/"status":429|"status":503/g)?.length, 100);
  others.resolve();
  for (const { socket } of [long, ...crowd]) socket.destroy();
});
