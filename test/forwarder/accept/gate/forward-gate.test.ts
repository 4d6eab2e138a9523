// A connection that breaks while its session waits gives back to the reading gate what it held, whatever it waited for.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import { ReadingGate } from '#forwarder/accept/gate/reading-gate.ts';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { wholeSlices } from '../whole-slices.ts';

const SOMEBODY = { sender: '127.0.0.1', address: '127.0.0.1', principal: ANYONE, rate: null };
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const MIB = 1024 * 1024;

const entry = encode([1_700_000_000, { log: 'x' }]);
const message = encode(['app', 1_700_000_000, { log: 'x' }]);
const packed = encode(['app', gzipSync(entry), { compressed: 'gzip', size: 1 }]);
/** The beginning of a frame of half a MiB. */
const begun = Buffer.concat([Buffer.from([0x92, 0xa3, 0x61, 0x70, 0x70, 0xc6, 0, 8, 0, 0]), Buffer.alloc(20_000)]);

/** The server's end of a connection, its session, and what they share. */
async function setUp(limits: { frameTimeoutMs?: number; turn?: TurnBytes } = {}) {
  const intake = new FakeIntake();
  const gate = new ReadingGate(2 * MIB, systemClock);
  const unpacking = new ByteBudget(MIB);
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT);
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  const [peer] = (await once(server, 'connection')) as [Socket];
  const options = {
    intake: wholeSlices(intake),
    telemetry,
    frameBytesMax: MIB,
    ratioMax: 200,
    unpacking,
    gate,
    ...limits,
  };
  const session = new ForwardSession(peer, options, SOMEBODY);
  return {
    intake,
    gate,
    unpacking,
    session,
    client,
    peer,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

type Given = Awaited<ReturnType<typeof setUp>>;

/** What is waited for: what comes, what makes it wait, and what ends that. */
const WAITS: Record<string, [Uint8Array, (given: Given) => unknown, (given: Given) => unknown]> = {
  room: [message, ({ intake }) => intake.fill(), ({ intake }) => intake.drain()],
  'memory for a compressed chunk': [packed, ({ unpacking }) => unpacking.acquire(MIB), () => undefined],
  'its next turn': [Buffer.concat(Array.from({ length: 257 }, () => message)), () => undefined, () => undefined],
};

for (const [what, [frames, stop, goOn]] of Object.entries(WAITS)) {
  test(`a connection that breaks while it waits for ${what} holds nothing of the gate`, async () => {
    // What comes is more than one turn of the event loop has for it.
    await using given = await setUp({ turn: new TurnBytes(1024) });
    await stop(given);
    const { peer, session, gate, client } = given;
    // Behind the session's own listener: it waits as soon as it has read.
    const waits = new Promise<void>((resolve) => {
      peer.on('data', () => {
        if (session.isWaiting && gate.bytesHeld > 0) resolve();
      });
    });
    client.write(Buffer.concat([frames, begun]));
    await waits;
    assert.ok(gate.bytesHeld > 0);
    peer.destroy();
    await once(peer, 'close');
    goOn(given);
    for (let i = 0; i < 20; i += 1) await turn();
    assert.equal(gate.bytesHeld, 0);
  });
}

test('who may not be read has no time limit for its frame', async () => {
  await using given = await setUp({ frameTimeoutMs: 1000 });
  const { gate, peer, session, client } = given;
  const neighbour = gate.enter({ isWaiting: false, bytesRead: 0, flow() {}, evict() {} }, '127.0.0.1');
  gate.update(neighbour, 1);
  client.write(begun);
  await once(peer, 'data');
  gate.update(neighbour, 2 * MIB);
  assert.equal(peer.isPaused(), true, 'it is the turn of the other one');
  for (const ms of [1e9, 2e9]) session.checkTimeouts(ms);
  assert.equal(peer.writableEnded, false);
  gate.leave(neighbour);
  assert.equal(peer.isPaused(), false);
  for (const ms of [3e9, 4e9]) session.checkTimeouts(ms);
  assert.equal(peer.writableEnded || peer.destroyed, true);
});

test('what a paused socket has read already counts for its connection when the session gets it', async () => {
  await using given = await setUp();
  const { gate, peer, session, client } = given;
  const neighbour = gate.enter({ isWaiting: false, bytesRead: 0, flow() {}, evict() {} }, '127.0.0.1');
  gate.update(neighbour, 1);
  client.write(begun);
  await once(peer, 'data');
  assert.equal(session.bytesRead, begun.length);
  gate.update(neighbour, 2 * MIB);
  assert.equal(peer.isPaused(), true);
  client.write(Buffer.alloc(20_000));
  while (peer.bytesRead === begun.length && peer.readableLength === 0) await turn();
  assert.equal(session.bytesRead, begun.length);
  gate.leave(neighbour);
  while (session.bytesRead < begun.length + 20_000) await turn();
});

test('answers that nobody reads are told to the gate, though their peer sends no more', async () => {
  await using given = await setUp();
  const { intake, gate, peer, client } = given;
  intake.hold();
  const wantsAck = encode(['app', 1_700_000_000, {}, { chunk: 'x'.repeat(1000) }]);
  client.write(Buffer.concat(Array.from({ length: 200 }, () => wantsAck)));
  await intake.arrived(200);
  while (gate.bytesHeld > 0) await turn();
  // As if the kernel took nothing.
  peer.cork();
  intake.release();
  while (peer.writableLength === 0) await turn();
  assert.ok(peer.writableLength > 200_000);
  assert.equal(gate.bytesHeld, peer.writableLength);
  client.resume();
  peer.uncork();
  while (gate.bytesHeld > 0) await turn();
});

test('a small chunk and its id do not keep the read that they came in', async () => {
  await using given = await setUp();
  const { intake, peer, client } = given;
  const pieces = new Set<ArrayBufferLike>();
  peer.on('data', (piece: Buffer) => pieces.add(piece.buffer));
  const option = { chunk: 'YQ==' };
  for (const frame of [
    ['app', entry, option],
    ['app', [[1, { log: 'x' }]], option],
    ['app', 1, { log: 'x' }, option],
  ]) {
    client.write(Buffer.concat([Buffer.alloc(50_000, 0xc0), encode(frame)]));
  }
  while (intake.chunks.length < 3) await turn();
  for (const { bytes, chunkId } of intake.chunks) {
    assert(!pieces.has(bytes.buffer));
    assert(chunkId && !pieces.has(chunkId.buffer));
  }
});
