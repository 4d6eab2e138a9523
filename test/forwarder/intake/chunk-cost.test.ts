// What a chunk in hand really costs, in live bytes: no more than it is counted with. Otherwise senders of small chunks
// hold many times `intake.max_bytes`, and the process runs out of memory.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { CHUNK_OVERHEAD_BYTES } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { RecordingQueue } from '#test/forwarder/intake/recording-queue.ts';

const MIB = 1024 * 1024;
const CHUNKS = 10_000;
const CONNECTIONS = 10;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What a session uses of a socket; it goes nowhere. */
class NoSocket extends EventEmitter {
  readonly writable = true;
  readonly writableLength = 0;
  readonly destroyed = false;
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  readonly writableEnded = false;
  written = 0;
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  end(): void {}
  destroy(): void {}
  write(bytes: Uint8Array): boolean {
    this.written += bytes.length;
    return true;
  }
}

function setUp() {
  const queue = new RecordingQueue();
  const metrics = new Metrics({ version: '0', command: 'test' });
  const telemetry = new ForwarderTelemetry(metrics, SILENT);
  const bytes = { bytesMax: 1024 * MIB, sealBytes: MIB };
  const intake = new QueueIntake({ queue, telemetry, clock: systemClock, lingerMs: 1, openWaitMs: 1000, ...bytes });
  return { queue, telemetry, metrics, intake };
}

async function inHand(metrics: Metrics): Promise<number> {
  return Number(/^sluice_intake_bytes (\d+)$/m.exec((await metrics.render()).body)?.[1]);
}

/** Live bytes, of the heap and outside of it, when nothing is under way but what waits for the queue. */
async function liveBytes(): Promise<number> {
  for (let rounds = 0; rounds < 3; rounds += 1) {
    collect();
    await systemClock.sleep(10);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const ackBytes = encode({ ack: 'c' }).length;

/** Live bytes of each of so many chunks of such a frame that wait for the queue, and for their acks. */
async function bytesOfForward(value: unknown, chunks: number): Promise<number> {
  const frame = Buffer.from(encode(value));
  const { queue, telemetry, metrics, intake } = setUp();
  const gate = Promise.withResolvers<void>();
  queue.beforeHold = () => gate.promise;
  const sockets = Array.from({ length: CONNECTIONS }, () => new NoSocket());
  const options = { intake, telemetry, frameBytesMax: MIB, unpacking: new ByteBudget(MIB), turn: forwardTurn() };
  const peer = { sender: '127.0.0.1', address: '127.0.0.1', principal: ANYONE, rate: null };
  for (const socket of sockets) new ForwardSession(socket as EventEmitter as Socket, options, peer);
  const before = await liveBytes();
  for (const socket of sockets) {
    // In reads of 64 KiB at most, as they come.
    const each = Math.min(chunks / CONNECTIONS, Math.floor((64 * 1024) / frame.length));
    for (let sent = 0; sent < chunks / CONNECTIONS; sent += each) {
      while (socket.isPaused) await new Promise(setImmediate);
      const count = Math.min(each, chunks / CONNECTIONS - sent);
      socket.emit('data', Buffer.alloc(count * frame.length, frame));
    }
  }
  while ((await inHand(metrics)) < chunks * CHUNK_OVERHEAD_BYTES) await systemClock.sleep(10);
  const after = await liveBytes();
  gate.resolve();
  await intake.close();
  await new Promise(setImmediate);
  const written = sockets.reduce((sum, socket) => sum + socket.written, 0);
  assert.equal(written, chunks * ackBytes);
  return (after - before) / chunks;
}

/** The same of documents with ids. */
async function bytesOfDocuments(count: number): Promise<number> {
  const { queue, intake } = setUp();
  const gate = Promise.withResolvers<void>();
  queue.beforeHold = () => gate.promise;
  const entry = Buffer.from(encode([1, {}]));
  const origin = { tag: 'a', input: 'elasticsearch', tenant: null, sender: '127.0.0.1' } as const;
  const before = await liveBytes();
  const accepted: Promise<void>[] = [];
  for (let i = 0; i < count; i += 1) {
    const bytes = entry.subarray(0);
    const named = { chunkId: Buffer.from(`${i}`), content: { crc32: i, length: 2 } };
    accepted.push(intake.accept({ ...origin, ...named, encoding: 'identity', bytes, entries: bytes, count: 1 }));
  }
  const after = await liveBytes();
  gate.resolve();
  await Promise.all(accepted);
  return (after - before) / count;
}

const padded = { chunk: 'c', padding: 'x'.repeat(4000) };

for (const [what, bytesOf] of [
  ['messages that want acks', (count: number) => bytesOfForward(['a', 1, {}, { chunk: 'c' }], count)],
  ['messages with a large option', (count: number) => bytesOfForward(['a', 1, {}, padded], count)],
  ['chunks of an entry with a large option', (count: number) => bytesOfForward(['a', [[1, {}]], padded], count)],
  ['documents with ids', bytesOfDocuments],
] as const) {
  test(`the smallest ${what} cost no more than they are counted with`, async (t) => {
    // What the code itself costs is there from the first time on.
    await bytesOf(CHUNKS / 4);
    const each = await bytesOf(CHUNKS);
    t.diagnostic(`${each.toFixed(0)} bytes of ${CHUNK_OVERHEAD_BYTES}`);
    assert(each <= CHUNK_OVERHEAD_BYTES, `${each.toFixed(0)} bytes`);
  });
}
