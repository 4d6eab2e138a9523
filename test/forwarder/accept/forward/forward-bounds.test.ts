// What a peer must not be able to do: make a session hold more than its share, or lose what was sent before the end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import type { Chunk, Intake, Undecodable } from '#forwarder/intake/chunk.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { Metrics } from '#shared/metrics.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { wholeSlices } from '../whole-slices.ts';

const SOMEBODY = { sender: '127.0.0.1', address: '127.0.0.1', principal: ANYONE, rate: null };

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const MIB = 1024 * 1024;

interface Scene extends AsyncDisposable {
  readonly client: Socket;
  readonly peer: Socket;
  readonly chunks: Chunk[];
  readonly deadLettered: Undecodable[];
}

async function setUp(held: Promise<void> = Promise.resolve()): Promise<Scene> {
  const chunks: Chunk[] = [];
  const deadLettered: Undecodable[] = [];
  const intake: Intake = {
    accept: (chunk) => (chunks.push(chunk), held),
    deadLetter: (undecodable) => (deadLettered.push(undecodable), held),
    hasRoom: true,
    room: () => Promise.resolve(),
    unreadyReason: null,
  };
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT);
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  const client = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => undefined);
  const [peer] = (await once(server, 'connection')) as [Socket];
  const limits = { frameBytesMax: MIB, ratioMax: 200, unpacking: new ByteBudget(2 * MIB) };
  new ForwardSession(peer, { intake: wholeSlices(intake), telemetry, ...limits }, SOMEBODY);
  return {
    client,
    peer,
    chunks,
    deadLettered,
    async [Symbol.asyncDispose]() {
      client.destroy();
      peer.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A frame that is small as sent, and large enough unpacked to go to the thread pool. */
function gzipFrame(chunk: string | null): Uint8Array {
  const entry = encode([1_700_000_000, { log: 'a line of a log '.repeat(32) }]);
  const run = gzipSync(Buffer.concat(Array.from({ length: 500 }, () => entry)));
  return encode(['app', run, { compressed: 'gzip', ...(chunk !== null && { chunk }) }]);
}

for (const chunk of [null, 'x']) {
  test(`compressed frames are all taken though the sender ends behind them ${chunk ? '(acks)' : ''}`, async () => {
    await using the = await setUp();
    the.client.end(Buffer.concat([gzipFrame(chunk), gzipFrame(chunk), gzipFrame(chunk)]));
    const heard: Buffer[] = [];
    for await (const piece of the.client) heard.push(piece);
    assert.equal(the.chunks.length, 3);
    assert.equal(Buffer.concat(heard).length, chunk ? 3 * encode({ ack: chunk }).length : 0);
  });
}

test('messages of many tags hold no more memory than they have bytes', async () => {
  await using the = await setUp();
  const message = (n: number) => encode([`app.${n % 2}`, 1_700_000_000, { log: `line ${n}` }]);
  the.client.end(Buffer.concat(Array.from({ length: 1000 }, (_, n) => message(n))));
  the.client.resume();
  await once(the.client, 'end');
  const buffers = new Set(the.chunks.map(({ bytes }) => bytes.buffer));
  const held = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(held < MIB, `${the.chunks.length} chunks of 1,000 messages hold ${held} bytes`);
});

/** Sends `frame` again and again, reading no answers, until the session reads no more; fails where it never stops. */
async function assertStopsReading({ client, peer }: Scene, frame: Uint8Array): Promise<void> {
  const block = Buffer.concat(Array.from({ length: 1000 }, () => frame));
  const limit = peer.bytesRead + 64 * MIB;
  client.pause();
  while (!peer.isPaused()) {
    assert.ok(peer.bytesRead < limit, `${peer.bytesRead} bytes were read, ${peer.writableLength} bytes of acks wait`);
    if (client.writableLength < MIB) client.write(block);
    await delay(1);
  }
}

test('a peer that reads no acks is read no further', async () => {
  await using the = await setUp();
  await assertStopsReading(the, encode(['app', 1_700_000_000, {}, { chunk: 'x'.repeat(100) }]));
});

test('chunks without entries behind one that waits are bounded too', async () => {
  await using the = await setUp(new Promise(() => undefined));
  the.client.write(encode(['app', 1_700_000_000, {}, { chunk: 'first' }]));
  await assertStopsReading(the, encode(['app', [], { chunk: 'x'.repeat(100) }]));
});

test('what is no Forward at all ends the connection, and does not fill the dead letters byte by byte', async () => {
  await using the = await setUp();
  the.client.end('GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n');
  the.client.resume();
  await once(the.client, 'close');
  assert.ok(the.deadLettered.length <= 1, `${the.deadLettered.length} dead letters`);
});

test('a decompression bomb is a dead letter, and acked, so that it does not come again', async () => {
  await using the = await setUp();
  the.client.end(encode(['app', gzipSync(Buffer.alloc(50 * MIB)), { compressed: 'gzip', chunk: 'b' }]));
  const heard: Buffer[] = [];
  for await (const piece of the.client) heard.push(piece);
  assert.equal(Buffer.concat(heard).toString('hex'), Buffer.from(encode({ ack: 'b' })).toString('hex'));
  assert.equal(the.chunks.length, 0);
  assert.equal(the.deadLettered.length, 1);
});
