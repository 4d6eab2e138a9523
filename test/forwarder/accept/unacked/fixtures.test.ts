// What real senders sent (test/fixtures/forward), and a stream of every mode and trap of the protocol that they were
// seen to send, through a session on a real socket: whole, cut at every place, and byte by byte. However the network
// cuts it, the same events reach intake, and the sender hears the same bytes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import type { Chunk, Intake } from '#forwarder/intake/chunk.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { Metrics } from '#shared/metrics.ts';
import { bytesOf, captured, type Captured } from '#test/fixtures/forward/captured.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { wholeSlices } from '../whole-slices.ts';

const SOMEBODY = { sender: '127.0.0.1', address: '127.0.0.1', principal: ANYONE, rate: null };

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

type CapturedFrame = Captured['frames'][number];

interface Connection {
  readonly title: string;
  readonly bytes: Buffer;
  readonly frames: readonly CapturedFrame[];
}

const connections: Connection[] = [
  ...captured.map((one) => ({ title: `${one.from}, ${one.how}`, bytes: bytesOf(one), frames: one.frames })),
  { title: 'every mode and trap, one after another', ...trapStream() },
];

/** What came of a connection: what intake was given, and all that the sender heard. */
interface Outcome {
  readonly events: readonly Taken[];
  readonly answers: string;
}

/**
 * Messages that want no ack share a chunk when they come together, so neighbours of one tag are one here in any case.
 */
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
    deadLetter: ({ error }) => Promise.reject(new Error(`nothing of a real sender is undecodable: ${error}`)),
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
    const limits = { frameBytesMax: 1024 * 1024, unpacking: new ByteBudget(1024 * 1024) };
    new ForwardSession(peer, { intake: wholeSlices(intake), telemetry, ...limits }, SOMEBODY);
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

  for (const { title, bytes, frames } of connections) {
    describe(title, () => {
      test('whole: what the fixture tells of itself', async () => {
        const { events, answers } = await outcomeOf([bytes]);
        assert.deepEqual(summary(events), frames.reduce(mergeFrames, []));
        assert.equal(answers, acksOf(frames, bytes));
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

function mergeFrames(merged: Summary[], { tag, chunk, encoding, count }: CapturedFrame): Summary[] {
  const last = merged.at(-1);
  if (last && chunk === null && last.chunk === null && last.tag === tag && encoding === 'identity') last.count += count;
  else merged.push({ tag, chunk, encoding, count });
  return merged;
}

/** Every chunk id acked once, in order, in the connection's own language. */
function acksOf(frames: readonly CapturedFrame[], bytes: Buffer): string {
  const isJson = bytes[0] === 0x5b;
  return frames
    .filter(({ chunk }) => chunk !== null)
    .map(({ chunk: ack }) => (isJson ? JSON.stringify({ ack }) : Buffer.from(encode({ ack })).toString('latin1')))
    .join('');
}

/** facts.md, "Forward protocol, as senders really speak it", as one connection. */
function trapStream(): Omit<Connection, 'title'> {
  const pieces: Uint8Array[] = [];
  const frames: CapturedFrame[] = [];
  const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
  const array = (...items: Uint8Array[]) => Buffer.concat([Buffer.of(0x90 | items.length), ...items]);
  const add = (frame: Uint8Array, kind: CapturedFrame['kind'], facts: Partial<CapturedFrame> = {}) => {
    pieces.push(frame);
    frames.push({ kind, tag: 'app', encoding: 'identity', count: 1, chunk: null, ...facts });
  };
  const tag = encode('app');
  const time = hex('d7 00 6553f100 00000001');
  const record = encode({ log: 'a line', n: 2 ** 53, é: [null, true, 1.5] });
  const oddRecord = hex(
    '84 c4016b a2fffe a95f5f70726f746f5f5f cfffffffffffffffff a161 cb7ff8000000000000 a161 cb7ff0000000000000',
  );
  const entry = array(time, record);
  const wideEntry = Buffer.concat([hex('dc0002 c708006553f10000000001'), oddRecord]);
  const metadataEntry = array(array(time, encode({})), record);
  const run = Buffer.concat([entry, wideEntry, metadataEntry]);
  const asStr = (bytes: Uint8Array) =>
    Buffer.concat([hex('da'), Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
  const option = (chunk: string, more: object = {}) => encode({ size: 77, chunk, ...more });

  pieces.push(hex('c0'));
  for (const when of [
    time,
    hex('c708006553f10000000001'),
    hex('00'),
    hex('c0'),
    encode(1.5),
    array(time, encode({})),
  ]) {
    add(array(tag, when, record), 'message');
  }
  add(array(tag, time, oddRecord, option('message')), 'message', { chunk: 'message' });
  pieces.push(hex('c0 c0'));
  add(array(tag, Buffer.concat([hex('dc0003'), run]), option('forward\n')), 'forward', {
    count: 3,
    chunk: 'forward\n',
  });
  add(Buffer.concat([hex('dd00000003'), tag, hex('dd00000003'), run, option('wide')]), 'forward', {
    count: 3,
    chunk: 'wide',
  });
  add(array(tag, encode(run), encode({ fluent_signal: 0, size: 3 })), 'packed', { count: 3 });
  add(array(tag, asStr(run), option('str')), 'packed', { count: 3, chunk: 'str' });
  const packed = { gzip: gzipSync, zstd: zstdCompressSync };
  for (const encoding of ['gzip', 'zstd'] as const) {
    const press = packed[encoding];
    const members = Buffer.concat([press(run.subarray(0, 7)), press(run.subarray(7)), press(entry)]);
    const compressed = { compressed: encoding };
    add(array(tag, encode(members), option(encoding, compressed)), 'packed', { encoding, count: 4, chunk: encoding });
    add(array(tag, asStr(press(run)), option('s', compressed)), 'packed', { encoding, count: 3, chunk: 's' });
  }
  add(array(encode('other'), time, record), 'message', { tag: 'other' });
  return { bytes: Buffer.concat(pieces), frames };
}
