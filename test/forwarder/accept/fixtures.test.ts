// What real senders sent (test/fixtures/forward), through a session on a real socket: whole, cut at every place, and byte by byte.
// However the network cuts it, the same events reach intake, and the sender hears the same bytes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward-session.ts';
import type { Chunk, Intake } from '#forwarder/chunk.ts';
import { ForwarderTelemetry } from '#forwarder/telemetry.ts';
import { Metrics } from '#shared/metrics.ts';
import { bytesOf, captured, type Captured } from '#test/fixtures/forward/captured.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** What came of a connection: what intake was given, and all that the sender heard. */
interface Outcome {
  readonly events: readonly Taken[];
  readonly answers: string;
}

/** Messages that want no ack share a chunk when they come together, so neighbours of one tag are one here in any case. */
interface Taken {
  readonly tag: string;
  readonly chunk: string | null;
  readonly encoding: string;
  count: number;
  bytes: Buffer;
  entries: Buffer;
}

describe('captured connections', () => {
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT);
  const accepted: Chunk[] = [];
  const intake: Intake = {
    accept: (chunk) => Promise.resolve(void accepted.push(chunk)),
    bury: ({ error }) => Promise.reject(new Error(`nothing of a real sender is undecodable: ${error}`)),
    hasRoom: true,
    room: () => Promise.resolve(),
    unreadyReason: null,
  };
  let server: Server;
  before(async () => {
    server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  /** Sends the pieces so that the session reads them one at a time; resolves when it has closed the connection. */
  async function outcomeOf(pieces: readonly Buffer[]): Promise<Outcome> {
    accepted.length = 0;
    const { address, port } = serverAddress(server);
    const client = connect({ port, host: address, noDelay: true });
    const [peer] = (await once(server, 'connection')) as [Socket];
    new ForwardSession(peer, { intake, telemetry, frameBytesMax: 1024 * 1024 });
    const heard: Buffer[] = [];
    client.on('data', (answer: Buffer) => heard.push(answer));
    const closed = once(client, 'close');
    for (const piece of pieces) {
      const read = untilRead(peer, peer.bytesRead + piece.length);
      client.write(piece);
      await read;
    }
    client.end();
    await closed;
    return { events: accepted.reduce(takeIn, []), answers: Buffer.concat(heard).toString('latin1') };
  }

  for (const connection of captured) {
    describe(`${connection.from}, ${connection.how}`, () => {
      const bytes = bytesOf(connection);

      test('whole: what the fixture tells of itself', async () => {
        const { events, answers } = await outcomeOf([bytes]);
        assert.deepEqual(summary(events), connection.frames.reduce(mergeFrames, []));
        assert.equal(answers, acksOf(connection, bytes));
      });

      test('byte by byte', async () => {
        const whole = await outcomeOf([bytes]);
        assert.deepEqual(await outcomeOf(Array.from(bytes, (byte) => Buffer.of(byte))), whole);
      });

      test('cut at every place', async () => {
        const whole = await outcomeOf([bytes]);
        for (const at of cutsOf(bytes)) {
          assert.deepEqual(await outcomeOf([bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`);
        }
      });
    });
  }
});

function serverAddress(server: Server): { address: string; port: number } {
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return address;
}

/** Resolves when the session has been handed `bytes` in all. */
function untilRead(socket: Socket, bytes: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (socket.bytesRead < bytes) return;
    socket.off('data', look);
    resolve();
  };
  socket.on('data', look);
  return promise;
}

/** Everywhere but inside a long text, which looks the same everywhere. */
function cutsOf(bytes: Buffer): number[] {
  const places = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
  return places.filter((at) => bytes[at] !== 0x78 || bytes[at - 1] !== 0x78);
}

function takeIn(taken: Taken[], { tag, chunkId, encoding, count, bytes, entries }: Chunk): Taken[] {
  const chunk = chunkId === null ? null : Buffer.from(chunkId).toString('latin1');
  const last = taken.at(-1);
  if (last && chunk === null && last.chunk === null && last.tag === tag && encoding === 'identity') {
    last.count += count;
    last.bytes = Buffer.concat([last.bytes, bytes]);
    last.entries = Buffer.concat([last.entries, entries]);
  } else {
    taken.push({ tag, chunk, encoding, count, bytes: Buffer.from(bytes), entries: Buffer.from(entries) });
  }
  return taken;
}

interface Summary {
  readonly tag: string;
  readonly chunk: string | null;
  readonly encoding: string;
  count: number;
}

function summary(events: readonly Taken[]): Summary[] {
  return events.map(({ tag, chunk, encoding, count }) => ({ tag, chunk, encoding, count }));
}

function mergeFrames(merged: Summary[], { tag, chunk, encoding, count }: Captured['frames'][number]): Summary[] {
  const last = merged.at(-1);
  if (last && chunk === null && last.chunk === null && last.tag === tag && encoding === 'identity') last.count += count;
  else merged.push({ tag, chunk, encoding, count });
  return merged;
}

/** Every chunk id acked once, in order, in the connection's own language. */
function acksOf({ frames }: Captured, bytes: Buffer): string {
  const isJson = bytes[0] === 0x5b;
  return frames
    .filter(({ chunk }) => chunk !== null)
    .map(({ chunk: ack }) => (isJson ? JSON.stringify({ ack }) : Buffer.from(encode({ ack })).toString('latin1')))
    .join('');
}
