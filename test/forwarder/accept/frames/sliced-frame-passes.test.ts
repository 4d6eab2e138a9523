// How many frames are taken in slices at once, whose turn it is, and that whoever is gone waits for nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import { FairSlots } from '#forwarder/accept/turns/fair-slots.ts';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { acceptSliced } from '#forwarder/accept/frames/sliced-frame.ts';
import { Unpacker } from '#forwarder/accept/frames/unpacker.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { sourceOf } from '#shared/record/unpack-slices.ts';
import { forwardOptions } from '../forward/forward-options.ts';
import { Answers } from '../forward/handshake-client.ts';
import {
  KIB,
  MIB,
  setUp,
  heldOf,
  packed,
  until,
  A,
  GZIP,
  LARGE_RUN,
  passesBeside,
  BOMB,
} from './sliced-frame-fixture.ts';

test('of frames in slices two are taken at once, with their decoders; the others wait, and are acked', async (t) => {
  const { unpacking, passes } = passesBeside(2 * MIB);
  const { open, queue, atOnce } = await setUp(t, { unpacking, passes, ratioMax: 1e6 });
  const held = Promise.withResolvers<void>();
  t.after(() => held.resolve());
  queue.beforeHold = () => held.promise;
  const senders = Array.from({ length: 10 }, open);
  for (const { socket } of senders) socket.write(BOMB);
  await until('two are on their way', () => atOnce.now === 2 && passes.running === 2);
  assert.equal(unpacking.bytesHeld, 18 * MIB);
  // A small chunk passes them by.
  const small = open();
  small.socket.write(packed(gzipSync(A), GZIP));
  held.resolve();
  assert.deepEqual(await small.answers.next(), { ack: 'id' });
  for (const { answers } of senders) assert.deepEqual(await answers.next(), { ack: 'id' });
  assert.equal(atOnce.most, 2);
  assert.ok(unpacking.most <= 20 * MIB, `${unpacking.most}`);
  await until('all is given back', () => unpacking.bytesHeld === 0 && passes.running === 0);
  assert.equal((await heldOf(queue)).size, 8001);
});

test('connections that die in a pass, or while they wait, hold nothing; a slow one holds no pass', async (t) => {
  const { unpacking, passes } = passesBeside(2 * MIB);
  const { open, queue, files, value } = await setUp(t, { unpacking, passes, ratioMax: 1e6, frameBytesMax: 200 * KIB });
  const slow = open();
  slow.socket.write(packed(LARGE_RUN).subarray(0, MIB));
  await until('it comes', () => files.bytes > 0);
  const held = Promise.withResolvers<void>();
  t.after(() => held.resolve());
  queue.beforeHold = () => held.promise;
  const gone = Array.from({ length: 20 }, open);
  for (const { socket } of gone) socket.write(BOMB);
  await until('two are on their way', () => passes.running === 2 && passes.waiting === 18);
  // Nobody who is not read is seen to be gone: each has its turn, or is found gone then.
  for (const { socket } of gone) socket.destroy();
  held.resolve();
  await until('nothing is held', () => unpacking.bytesHeld === 0 && passes.running === 0);
  const other = open();
  other.socket.write(packed(LARGE_RUN));
  assert.deepEqual(await other.answers.next(), { ack: 'id' });
  slow.socket.write(packed(LARGE_RUN).subarray(MIB));
  assert.deepEqual(await slow.answers.next(), { ack: 'id' });
  assert.equal(await value('events_inflight'), 0);
  assert.equal(await value('ledger_imbalance'), 0);
});

test('a server that closes does not wait for frames whose turn has not come; they are not acked', async (t) => {
  const { unpacking, passes } = passesBeside(2 * MIB);
  const { open, queue, close, atOnce } = await setUp(t, { unpacking, passes, ratioMax: 1e6 });
  const held = Promise.withResolvers<void>();
  t.after(() => held.resolve());
  queue.beforeHold = () => held.promise;
  const senders = Array.from({ length: 6 }, open);
  for (const { socket } of senders) socket.write(BOMB);
  await until('two are on their way', () => atOnce.now === 2);
  const closed = close();
  held.resolve();
  const answers = await Promise.all(senders.map((sender) => sender.answers.next()));
  await closed;
  assert.equal(answers.filter((answer) => answer !== null).length, 2, 'what was begun is brought to its end');
  assert.equal(atOnce.most, 2);
  assert.equal(passes.running, 0);
});

test('whoever is gone waits no longer for the room of its tenant, which may come in hours or never', async (t) => {
  const { unpacking, passes } = passesBeside(2 * MIB);
  const { intake } = await setUp(t);
  const room = { hasRoom: false, room: () => new Promise<void>(() => undefined) };
  const turns = new FairSlots(1);
  const bytes = gzipSync(A);
  const origin = { tag: 'app', input: 'forward', tenant: 'a', sender: 'node-1' } as const;
  const limits = { heldBytesMax: MIB, entryBytesMax: MIB, ratioMax: 200, unpackedBytesMax: MIB, network: '192.0.2.1' };
  for (const isEarly of [true, false]) {
    const gone = new AbortController();
    if (isEarly) gone.abort(new Error('gone'));
    const given = { ...limits, passes, room, signal: gone.signal };
    const frame = { origin, chunkId: null, encoding: 'gzip', source: sourceOf(bytes) } as const;
    const turn = forwardTurn();
    const waits = { turns, turn, network: '192.0.2.1', room, signal: gone.signal };
    const unpacker = new Unpacker({ budget: unpacking, ...waits });
    const all = [acceptSliced(frame, given, intake), unpacker.unpack(bytes, 'gzip', MIB)];
    const ends = Promise.all(all.map((one) => assert.rejects(one, /gone/)));
    gone.abort(new Error('gone'));
    await ends;
  }
  assert.equal(passes.running + passes.waiting + unpacking.bytesHeld, 0);
});

test('turns are counted by the network of an address, whatever its senders call themselves', async (t) => {
  const entered: string[] = [];
  const { unpacking, passes } = passesBeside(2 * MIB);
  const enter = passes.enter.bind(passes);
  passes.enter = (sender, ...rest) => {
    entered.push(sender);
    return enter(sender, ...rest);
  };
  const { intake } = await setUp(t);
  const options = forwardOptions(intake, {}, { intake, unpacking, passes, ratioMax: 1e6 }).session;
  const peers = [
    ['node-1', '192.0.2.1'],
    ['node-2', '192.0.2.1'],
    ['node-3', '2001:db8::1'],
    ['node-4', '2001:db8::2'],
  ] as const;
  for (const [sender, address] of peers) {
    const server = createServer((socket) => {
      new ForwardSession(socket, options, { sender, address, principal: ANYONE, rate: null });
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(BOMB);
    assert.deepEqual(await new Answers(socket).next(), { ack: 'id' });
  }
  const v6 = '20010db800000000::/64';
  assert.deepEqual(entered, ['192.0.2.1', '192.0.2.1', v6, v6]);
});
