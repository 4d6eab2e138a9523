// Bodies that stand still while there is no room: which of them, in what order they go on, and what that costs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { VirtualClock } from '#test/memory/clock.ts';
import { KIB, MIB, bodyReader, newRequest } from './body-readers.ts';

test('bodies that stand still go on one after another, however often all of them were given up before', async () => {
  let [isFull, hasOpened] = [false, false];
  const room = Promise.withResolvers<void>();
  const bodies = bodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => (hasOpened ? new Promise(() => {}) : room.promise),
    },
    clock: new VirtualClock(),
    heldBytesMax: MIB,
  });
  using held = new DisposableStack();
  let resumed = 0;
  /** One that stands still after a piece, with another one ready. */
  const begun = async (name: string): Promise<IncomingMessage> => {
    isFull = false;
    const request = newRequest();
    bodies.read(request, { held, sender: name, sendContinue: () => {} }).catch(() => {});
    await new Promise(setImmediate);
    request.prependListener('data', () => {
      isFull = true;
    });
    request.push('a piece');
    await new Promise(setImmediate);
    request.push('another');
    assert(request.isPaused());
    return request;
  };
  for (let i = 0; i < 5; i += 1) {
    const request = await begun('gone');
    request.destroy();
    await once(request, 'close');
  }
  const standing = [];
  for (const name of 'abcde') standing.push(await begun(name));
  for (const request of standing) {
    const { resume } = request;
    request.resume = () => {
      resumed += 1;
      return resume.call(request);
    };
  }
  isFull = false;
  room.resolve();
  hasOpened = true;
  for (let i = 0; i < 3; i += 1) await new Promise(setImmediate);
  assert.equal(resumed, 1);
  assert(standing.every((request) => request.isPaused()));
  for (const request of standing) request.destroy();
});

test('while large bodies have no room, a piece of a small one costs the same however many are read', async () => {
  const bodies = bodyReader({
    clock: new VirtualClock(),
    bodyBytesMax: MIB,
    heldBytesMax: MIB,
    smallReserveBytes: 16 * MIB,
  });
  using held = new DisposableStack();
  using _large = bodies.take(MIB);
  let looks = 0;
  const requests = Array.from({ length: 100 }, (_, i) => {
    const request = newRequest();
    Object.defineProperty(request, 'complete', { get: () => (looks++, false) });
    bodies.read(request, { held, sender: `sender ${i}`, sendContinue: () => {} }).catch(() => {});
    return request;
  });
  for (let piece = 0; piece < 10; piece += 1) {
    for (const request of requests) request.push('a piece');
    await new Promise(setImmediate);
  }
  assert.equal(bodies.bytesHeld - MIB, 100 * (512 + 10 * 2 * 'a piece'.length));
  assert(looks <= 2 * requests.length, `${looks} looks at 100 bodies of 10 pieces`);
  for (const request of requests) request.destroy();
});

test('small bodies of a sender with its share stand still at once; others go on until nobody has room', async () => {
  const bodies = bodyReader({
    clock: new VirtualClock(),
    bodyBytesMax: 2 * MIB,
    heldBytesMax: MIB,
    smallReserveBytes: MIB,
  });
  using held = new DisposableStack();
  const begun = (sender: string): IncomingMessage => {
    const request = newRequest();
    bodies.read(request, { held, sender, sendContinue: () => {} }).catch(() => {});
    return request;
  };
  const [a, alsoA, b, large] = [begun('a'), begun('a'), begun('b'), begun('c')];
  const stand = async (): Promise<boolean[]> => {
    await new Promise(setImmediate);
    return [a, alsoA, b, large].map((request) => request.isPaused());
  };
  large.push(Buffer.alloc(1100 * KIB));
  assert.deepEqual(await stand(), [false, false, false, true]);
  a.push(Buffer.alloc(512 * KIB));
  assert.deepEqual(await stand(), [true, true, false, true]);
  b.push(Buffer.alloc(100 * KIB));
  assert.deepEqual(await stand(), [true, true, false, true]);
  const late = begun('d');
  await stand();
  const others = bodies.take(400 * KIB);
  b.push('x');
  assert.deepEqual([await stand(), late.isPaused()], [[true, true, true, true], true]);
  for (const request of [a, alsoA, b, large, late]) request.destroy();
  others[Symbol.dispose]();
});

test('a network that brings large bodies without end leaves room for those of another', async () => {
  const bodies = bodyReader({
    clock: new VirtualClock(),
    bodyBytesMax: 16 * MIB,
    heldBytesMax: 32 * MIB,
    smallReserveBytes: MIB,
  });
  const begun = (sender: string): { request: IncomingMessage; read: Promise<number> } => {
    const request = newRequest(16 * MIB);
    const held = new DisposableStack();
    const read = bodies.read(request, { held, sender, sendContinue: () => {} }).then(
      ({ length }) => (held.dispose(), length),
      () => (held.dispose(), -1),
    );
    return { request, read };
  };
  /** Brings what is read. */
  const push = async (request: IncomingMessage, bytes: number): Promise<void> => {
    for (let left = bytes; left > 0 && !request.isPaused(); left -= 64 * KIB) {
      request.push(Buffer.alloc(Math.min(left, 64 * KIB)));
      await new Promise(setImmediate);
    }
  };
  const many = Array.from({ length: 12 }, () => begun('a'));
  for (const { request } of many) await push(request, 4 * MIB);
  assert(many.some(({ request }) => request.isPaused()));
  const [stays, ends] = [bodies.bytesHeld, begun('b')];
  assert(stays <= 31 * MIB, `${stays} bytes`);
  await push(ends.request, MIB + KIB);
  ends.request.push(null);
  assert.equal(await ends.read, MIB + KIB);
  // Of the other's, one goes on, and comes whole where it fits.
  const flows = many.filter(({ request }) => !request.isPaused());
  assert(flows.length <= 1);
  for (const { request } of many) request.destroy();
  await Promise.all(many.map(({ read }) => read));
  assert.equal(bodies.bytesHeld, 0);
});

test('two large bodies of a network that has its share do not wait for each other', async () => {
  const bodies = bodyReader({
    bodyBytesMax: 16 * MIB,
    heldBytesMax: 32 * MIB,
    smallReserveBytes: MIB,
    waitMs: 60_000,
  });
  const pieces = 15 * 16;
  const read = async (): Promise<number> => {
    const request = newRequest(15 * MIB);
    let sent = 0;
    request._read = () => void request.push(sent++ < pieces ? Buffer.alloc(64 * KIB) : null);
    using held = new DisposableStack();
    return (await bodies.read(request, { held, sender: 'a', sendContinue: () => {} })).length;
  };
  assert.deepEqual(await Promise.all([read(), read(), read()]), [15 * MIB, 15 * MIB, 15 * MIB]);
});
