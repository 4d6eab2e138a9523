// Bodies within their bounds of size, memory and time, some of them over real sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { VirtualClock } from '#test/memory/clock.ts';
import { KIB, MIB, bodyReader, newRequest } from './body-readers.ts';

test('a body in pieces of a byte costs no more than twice its bytes', async () => {
  const bodies = bodyReader({
    bodyBytesMax: 1024 * KIB,
    heldBytesMax: 1024 * KIB,
    waitMs: 50,
  });
  using held = new DisposableStack();
  const request = newRequest();
  const body = bodies.read(request, { held, sender: 'a', sendContinue: () => {} });
  const sent = Buffer.alloc(20_000, 'abcdefg');
  for (const byte of sent) request.push(Buffer.of(byte));
  request.push(null);
  assert((await body).equals(sent));
  assert(bodies.bytesHeld <= 2 * sent.length + KIB, `${bodies.bytesHeld} bytes held`);
  held.dispose();
  assert.equal(bodies.bytesHeld, 0);
});

test('a crowd that begins while there is room brings no more than a little above the limit', async () => {
  const heldBytesMax = 512 * KIB;
  const senders = 100;
  const bodies = bodyReader({
    bodyBytesMax: 1024 * KIB,
    heldBytesMax,
    waitMs: 50,
  });
  let most = 0;
  const refused = Promise.withResolvers<void>();
  const server = createServer({ highWaterMark: 16 * KIB }, (request, response) => {
    using held = new DisposableStack();
    request.on('data', () => (most = Math.max(most, bodies.bytesHeld)));
    const stack = held.move();
    bodies
      .read(request, { held: stack, sender: 'a', sendContinue: () => {} })
      .catch((error: { code: string }) => {
        if (error.code === 'intake_full') refused.resolve();
      })
      .finally(() => {
        stack.dispose();
        response.end();
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  for (let i = 0; i < senders; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    // Half of what it says it will bring, so that it never ends.
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${400 * KIB}\r\n\r\n`);
    socket.write(Buffer.alloc(200 * KIB));
    sockets.push(socket);
  }
  await refused.promise;
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  // A read, and what its stream had gathered before it stood still.
  assert.ok(most <= heldBytesMax + 192 * KIB, `${most} bytes held`);
});

test('whoever is gone waits for no room, and is not read', async () => {
  let [room, isFull] = [Promise.withResolvers<void>(), true];
  const bodies = bodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => room.promise,
    },
    // It stands still: nothing ends for having taken too long.
    clock: new VirtualClock(),
  });
  using held = new DisposableStack();
  const requestThat = (goes: boolean): IncomingMessage => {
    const request = newRequest();
    if (goes) request.destroy();
    return request;
  };
  const begun: string[] = [];
  const refused = (request: IncomingMessage, name: string): Promise<void> =>
    assert.rejects(bodies.read(request, { held, sender: 'a', sendContinue: () => void begun.push(name) }), {
      code: 'request_malformed',
    });
  const early = requestThat(true);
  await once(early, 'close');
  await refused(early, 'gone before');
  const waiting = requestThat(false);
  const waits = refused(waiting, 'gone while it waits');
  waiting.destroy();
  await waits;
  const late = requestThat(false);
  const told = refused(late, 'gone when there is room');
  isFull = false;
  room.resolve();
  late.destroy();
  await told;
  [room, isFull] = [Promise.withResolvers<void>(), false];
  await refused(early, 'gone while there is room');
  assert.deepEqual(begun, []);
  assert.equal(bodies.bytesHeld, 0);
});

/** Full for ever; knows who waits. */
class StuckIntake {
  readonly hasRoom = false;
  unreadyReason: string | null = null;
  waiting = 0;

  async room(over?: AbortSignal): Promise<void> {
    if (over?.aborted) return;
    this.waiting += 1;
    await new Promise<void>((resolve) => over?.addEventListener('abort', () => resolve(), { once: true }));
    this.waiting -= 1;
  }
}

test('what waits while intake is stuck is answered in time, at once if its peer left, and leaves nothing', async () => {
  const clock = new VirtualClock();
  const intake = new StuckIntake();
  const bodies = bodyReader({
    intake,
    clock,
    bodyBytesMax: 4 * MIB,
    heldBytesMax: 4 * MIB,
    smallReserveBytes: MIB,
  });
  using held = new DisposableStack();
  const options = { held, sender: 'a', sendContinue: () => {} };
  const begun = { bytesHeld: 0, entries: 0 };
  const pieces = (request: IncomingMessage): Promise<unknown> =>
    bodies.pieces(request, { ...options, begun, mayGoOn: async () => {} }).next();
  const open = async (request: IncomingMessage): Promise<unknown> => {
    // Its body was read to its end.
    request.complete = true;
    request.push(null);
    request.resume();
    await once(request, 'end');
    return bodies.decompress(zstdCompressSync('x'), 'zstd', { held, sender: 'a', request, takeTurn: async () => {} });
  };
  const ways = { read: (request: IncomingMessage) => bodies.read(request, options), pieces, open };
  for (const [name, wait] of Object.entries(ways)) {
    const [stays, also, goes] = [1, 2, 3].map(() => newRequest());
    assert(stays && also && goes);
    const gone = assert.rejects(wait(goes), { code: 'request_malformed' }, name);
    const refused = assert.rejects(wait(stays), { code: 'intake_full' }, name);
    await new Promise(setImmediate);
    (name === 'open' ? goes.socket : goes).destroy();
    await gone;
    assert.equal(intake.waiting, 1, name);
    await clock.advance(4999);
    assert.equal(intake.waiting, 1, name);
    await clock.advance(1);
    await refused;
    intake.unreadyReason = 'Kafka cannot be reached';
    const toldWhy = assert.rejects(wait(also), { code: 'queue_unavailable' }, name);
    await new Promise(setImmediate);
    await clock.advance(5000);
    await toldWhy;
    intake.unreadyReason = null;
    assert.equal(intake.waiting, 0, name);
  }
});

test('a body that is longer than it said, as a function may be handed, is read whole', async () => {
  const bodies = bodyReader({ bodyBytesMax: 8 * MIB, heldBytesMax: 16 * MIB, waitMs: 50 });
  using held = new DisposableStack();
  const request = newRequest();
  request.headers['content-length'] = String(2 * MIB);
  const body = bodies.read(request, { held, sender: 'a', sendContinue: () => {} });
  const sent = Array.from({ length: 48 }, (_, i) => Buffer.alloc(64 * KIB, i + 1));
  const whole = Buffer.concat(sent);
  for (const piece of sent) request.push(piece);
  request.push(null);
  assert((await body).equals(whole));
  assert(bodies.bytesHeld >= whole.length, `${bodies.bytesHeld} are held`);
});

test('senders take turns at the memory for what small bodies make; who has gone keeps none', async () => {
  const bodies = bodyReader({});
  const order: string[] = [];
  const granted: Disposable[] = [];
  const ask = async (sender: string, request = newRequest()) => {
    const permit = await bodies.acquireShared(2 * MIB, sender, request);
    order.push(sender);
    granted.push(permit);
  };
  const served = async () => {
    granted.shift()?.[Symbol.dispose]();
    for (let i = 0; i < 3; i += 1) await new Promise(setImmediate);
  };
  await Promise.all(Array.from({ length: 16 }, () => ask('a')));
  const waiting = Array.from({ length: 40 }, () => ask('a'));
  const goes = newRequest();
  const gone = assert.rejects(ask('c', goes), { code: 'request_malformed' });
  waiting.push(ask('b'));
  await new Promise(setImmediate);
  goes.socket.destroy();
  await gone;
  for (let i = 0; i < 3; i += 1) await served();
  assert(order.slice(16).includes('b'), order.slice(16).join(' '));
  while (granted.length > 0) await served();
  await Promise.all(waiting);
  assert.deepEqual([order.length, order.includes('c')], [57, false]);
  using _all = await bodies.acquireShared(32 * MIB, 'c', newRequest());
});
