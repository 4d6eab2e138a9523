// Bodies within their budgets, over real sockets: what many senders bring at once, and what their bytes grow to.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { IncomingMessage, createServer } from 'node:http';
import { type AddressInfo, Socket, connect } from 'node:net';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { BodyReader } from '#forwarder/accept/body/body-reader.ts';
import { LARGE_BODY_BYTES } from '#forwarder/accept/turns/large-body-slots.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Fixture, JSON_BODY } from '../http/http-fixture.ts';

const KIB = 1024;

class WatchedBudget extends ByteBudget {
  most = 0;

  override take(bytes: number): Permit {
    const permit = super.take(bytes);
    this.most = Math.max(this.most, this.bytesHeld);
    return permit;
  }
}

test('bodies that grow without bounds are opened one after another, each within its own', async () => {
  const bodyBytesMax = 2 * LARGE_BODY_BYTES;
  const unpacking = new WatchedBudget(2 * bodyBytesMax);
  await using fixture = await Fixture.start({}, systemClock, { unpacking, bodyBytesMax });
  const bomb = zstdCompressSync(Buffer.alloc(20 * bodyBytesMax));
  const headers = { ...JSON_BODY, 'content-encoding': 'zstd' };
  const answers = await Promise.all(Array.from({ length: 40 }, () => fixture.post('/app', bomb, headers)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([413]));
  assert.equal(unpacking.most, 2 * bodyBytesMax);
  assert.equal(unpacking.bytesHeld, 0);
});

test('a body in pieces of a byte costs no more than twice its bytes', async () => {
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: 1024 * KIB,
    heldBytesMax: 1024 * KIB,
    smallReserveBytes: 0,
    unpacking: new ByteBudget(1),
    waitMs: 50,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const request = new IncomingMessage(new Socket());
  const body = bodies.read(request, { held, sender: 'a', begin: () => {} });
  const sent = Buffer.alloc(20_000, 'abcdefg');
  for (const byte of sent) request.push(Buffer.of(byte));
  request.push(null);
  assert((await body).equals(sent));
  assert(bodies.bytesHeld <= 2 * sent.length + KIB, `${bodies.bytesHeld} bytes held`);
  held.dispose();
  assert.equal(bodies.bytesHeld, 0);
});

test('large bodies leave a reserve to small ones, as sent and as opened', async () => {
  const unpacking = new ByteBudget(4 * KIB * KIB);
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: 8 * KIB * KIB,
    heldBytesMax: 8 * KIB * KIB,
    smallReserveBytes: 2 * KIB * KIB,
    unpacking,
    waitMs: 5,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const read = (announced: number, sent: Buffer): Promise<Buffer> => {
    const request = new IncomingMessage(new Socket());
    request.headers['content-length'] = String(announced);
    request.push(sent);
    request.push(null);
    return bodies.read(request, { held, sender: 'a', begin: () => {} });
  };
  const turns: string[] = [];
  const opening = { held, sender: 'a', takeTurn: async () => void turns.push('taken') };
  // All that large ones may have is taken.
  const large = bodies.take(8 * KIB * KIB);
  using _bomb = await unpacking.acquire(4 * KIB * KIB);
  await assert.rejects(read(2 * KIB * KIB, Buffer.from('x')), { code: 'intake_full' });
  assert.equal(String(await read(5, Buffer.from('small'))), 'small');
  assert.equal(String(await bodies.decompress(zstdCompressSync('small'), 'zstd', opening)), 'small');
  assert.deepEqual(turns, []);
  await assert.rejects(bodies.decompress(Buffer.alloc(40 * KIB), 'zstd', opening), { code: 'intake_full' });
  assert.deepEqual(turns, ['taken']);
  // Small ones have no more than their reserve.
  using _small = bodies.take(2 * KIB * KIB);
  await assert.rejects(read(5, Buffer.from('small')), { code: 'intake_full' });
  large[Symbol.dispose]();
});

test('of the reserve for small bodies a sender has as much as he leaves free', async () => {
  const MIB = KIB * KIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: 8 * MIB,
    heldBytesMax: 8 * MIB,
    smallReserveBytes: 4 * MIB,
    unpacking: new ByteBudget(8 * MIB),
    waitMs: 5,
    timeoutMs: 60_000,
  });
  using all = new DisposableStack();
  const read = (sender: string, bytes: number, held = all): Promise<Buffer> => {
    const request = new IncomingMessage(new Socket());
    request.push(Buffer.alloc(bytes, 'x'));
    request.push(null);
    request.complete = true;
    return bodies.read(request, { held, sender, begin: () => {} });
  };
  using _large = bodies.take(8 * MIB);
  using first = new DisposableStack();
  await read('a', 0.9 * MIB, first);
  for (let i = 0; i < 2; i += 1) await read('a', 0.9 * MIB);
  await assert.rejects(read('a', 5), { code: 'intake_full' });
  await read('b', 0.4 * MIB);
  // What they grow to is theirs too.
  const opening = { held: all, sender: 'b', takeTurn: async () => {} };
  const noise = randomBytes(16 * KIB);
  await bodies.decompress(zstdCompressSync(Buffer.alloc(0.5 * MIB, noise)), 'zstd', opening);
  await assert.rejects(read('b', 5), { code: 'intake_full' });
  await read('c', 5);
  first.dispose();
  await read('b', 5);
  // A large one of a sender takes nothing of his share of small ones.
  bodies.take(2 * MIB, 'c')[Symbol.dispose]();
  all.dispose();
  assert.equal(bodies.bytesHeld, 8 * MIB);
});

test('small bombs of a crowd wait for each other, and a body of somebody else for one or two of them', async () => {
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: KIB * KIB,
    heldBytesMax: 64 * KIB * KIB,
    smallReserveBytes: 256 * KIB,
    unpacking: new ByteBudget(1),
    waitMs: 60_000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const opened: string[] = [];
  const open = async (sender: string): Promise<void> => {
    const packed = zstdCompressSync(Buffer.alloc(KIB));
    await bodies.decompress(packed, 'zstd', { held, sender, takeTurn: () => Promise.resolve() });
    opened.push(sender);
  };
  await Promise.all([...Array.from({ length: 20 }, () => open('crowd')), open('good')]);
  assert(opened.indexOf('good') <= 3, opened.join(' '));
});

test('who waited for memory to open a body has room too, or waits for it', async () => {
  const unpacking = new ByteBudget(4 * KIB);
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: KIB,
    heldBytesMax: KIB,
    smallReserveBytes: 0,
    unpacking,
    waitMs: 5,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const bomb = await unpacking.acquire(4 * KIB);
  const opened = bodies.decompress(zstdCompressSync('x'), 'zstd', { held, sender: 'a', takeTurn: async () => {} });
  const refused = assert.rejects(opened, { code: 'intake_full' });
  using _full = bodies.take(KIB);
  bomb[Symbol.dispose]();
  await refused;
  assert.equal(unpacking.bytesHeld, 0);
});

test('a crowd that begins while there is room brings no more than a little above the limit', async () => {
  const heldBytesMax = 512 * KIB;
  const senders = 100;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: 1024 * KIB,
    heldBytesMax,
    smallReserveBytes: 0,
    unpacking: new ByteBudget(1),
    waitMs: 50,
    timeoutMs: 60_000,
  });
  let most = 0;
  const refused = Promise.withResolvers<void>();
  const server = createServer({ highWaterMark: 16 * KIB }, (request, response) => {
    using held = new DisposableStack();
    request.on('data', () => (most = Math.max(most, bodies.bytesHeld)));
    const stack = held.move();
    bodies
      .read(request, { held: stack, sender: 'a', begin: () => {} })
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
  const bodies = new BodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => room.promise,
    },
    // It stands still: nothing ends for having taken too long.
    clock: new VirtualClock(),
    bodyBytesMax: KIB,
    heldBytesMax: KIB,
    smallReserveBytes: 0,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const requestThat = (goes: boolean): IncomingMessage => {
    const request = new IncomingMessage(new Socket());
    if (goes) request.destroy();
    return request;
  };
  const begun: string[] = [];
  const refused = (request: IncomingMessage, name: string): Promise<void> =>
    assert.rejects(bodies.read(request, { held, sender: 'a', begin: () => void begun.push(name) }), {
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

test('bodies that stand still go on one after another, however often all of them were given up before', async () => {
  let [isFull, hasOpened] = [false, false];
  const room = Promise.withResolvers<void>();
  const bodies = new BodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => (hasOpened ? new Promise(() => {}) : room.promise),
    },
    clock: new VirtualClock(),
    bodyBytesMax: KIB,
    heldBytesMax: KIB * KIB,
    smallReserveBytes: 0,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  let resumed = 0;
  /** One that stands still after a piece, with another one ready. */
  const begun = async (name: string): Promise<IncomingMessage> => {
    isFull = false;
    const request = new IncomingMessage(new Socket());
    bodies.read(request, { held, sender: name, begin: () => {} }).catch(() => {});
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
  const MIB = KIB * KIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: new VirtualClock(),
    bodyBytesMax: MIB,
    heldBytesMax: MIB,
    smallReserveBytes: 16 * MIB,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  using _large = bodies.take(MIB);
  let looks = 0;
  const requests = Array.from({ length: 100 }, (_, i) => {
    const request = new IncomingMessage(new Socket());
    Object.defineProperty(request, 'complete', { get: () => (looks++, false) });
    bodies.read(request, { held, sender: `sender ${i}`, begin: () => {} }).catch(() => {});
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

test('of small bodies, those of whoever has his share stand still at once; the others go on until nobody has room', async () => {
  const MIB = KIB * KIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: new VirtualClock(),
    bodyBytesMax: 2 * MIB,
    heldBytesMax: MIB,
    smallReserveBytes: MIB,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const begun = (sender: string): IncomingMessage => {
    const request = new IncomingMessage(new Socket());
    bodies.read(request, { held, sender, begin: () => {} }).catch(() => {});
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
  const MIB = KIB * KIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: new VirtualClock(),
    bodyBytesMax: 16 * MIB,
    heldBytesMax: 32 * MIB,
    smallReserveBytes: MIB,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  const begun = (sender: string): { request: IncomingMessage; read: Promise<number> } => {
    const request = new IncomingMessage(new Socket());
    request.headers['content-length'] = String(16 * MIB);
    const held = new DisposableStack();
    const read = bodies.read(request, { held, sender, begin: () => {} }).then(
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
  const MIB = KIB * KIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax: 16 * MIB,
    heldBytesMax: 32 * MIB,
    smallReserveBytes: MIB,
    unpacking: new ByteBudget(1),
    waitMs: 60_000,
    timeoutMs: 60_000,
  });
  const pieces = 15 * 16;
  const read = async (): Promise<number> => {
    const request = new IncomingMessage(new Socket());
    request.headers['content-length'] = String(15 * MIB);
    let sent = 0;
    request._read = () => void request.push(sent++ < pieces ? Buffer.alloc(64 * KIB) : null);
    using held = new DisposableStack();
    return (await bodies.read(request, { held, sender: 'a', begin: () => {} })).length;
  };
  assert.deepEqual(await Promise.all([read(), read(), read()]), [15 * MIB, 15 * MIB, 15 * MIB]);
});

test('an endless body whose end came while its last piece was taken has come whole', async () => {
  let isFull = false;
  const room = Promise.withResolvers<void>();
  const bodies = new BodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => room.promise,
    },
    clock: new VirtualClock(),
    bodyBytesMax: KIB,
    heldBytesMax: KIB,
    smallReserveBytes: 0,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  for (const fills of [false, true]) {
    const request = new IncomingMessage(new Socket());
    request.complete = true;
    request.push('a piece');
    request.push(null);
    const begun = { bytesHeld: 0, entries: 0 };
    const mayGoOn = async (): Promise<void> => {
      // In the one case it ends before room is asked for, in the other while it is waited for.
      if (!fills) await once(request, 'close');
      else void once(request, 'close').then(() => ((isFull = false), room.resolve()));
      isFull = fills;
    };
    const pieces: string[] = [];
    for await (const piece of bodies.pieces(request, { sender: 'a', begun, begin: () => {}, mayGoOn })) {
      pieces.push(String(piece));
    }
    assert.deepEqual(pieces, ['a piece']);
    assert(request.destroyed);
  }
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

test('what waits while intake is stuck is answered in time, at once where its peer left, and leaves nothing', async () => {
  const clock = new VirtualClock();
  const intake = new StuckIntake();
  const bodies = new BodyReader({
    intake,
    clock,
    bodyBytesMax: 4 * KIB * KIB,
    heldBytesMax: 4 * KIB * KIB,
    smallReserveBytes: KIB * KIB,
    unpacking: new ByteBudget(1),
    waitMs: 5000,
    timeoutMs: 60_000,
  });
  using held = new DisposableStack();
  const options = { held, sender: 'a', begin: () => {} };
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
    const [stays, also, goes] = [1, 2, 3].map(() => new IncomingMessage(new Socket()));
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
