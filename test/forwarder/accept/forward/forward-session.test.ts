import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decode, decodeMultiStream, encode } from '@msgpack/msgpack';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import type { Chunk, Intake, Undecodable } from '#forwarder/intake/chunk.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { wholeSlices } from '../whole-slices.ts';

const SOMEBODY = { sender: '127.0.0.1', address: '127.0.0.1', principal: ANYONE, rate: null };

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

class FakeIntake implements Intake {
  readonly chunks: Chunk[] = [];
  readonly deadLettered: Undecodable[] = [];
  hasRoom = true;
  readonly unreadyReason = null;
  hold: (chunk: Chunk) => Promise<void> = () => Promise.resolve();
  makeRoom = Promise.withResolvers<void>();

  async accept(chunk: Chunk): Promise<void> {
    this.chunks.push(chunk);
    await this.hold(chunk);
  }
  deadLetter(undecodable: Undecodable): Promise<void> {
    this.deadLettered.push(undecodable);
    return Promise.resolve();
  }
  room(): Promise<void> {
    return this.hasRoom ? Promise.resolve() : this.makeRoom.promise;
  }
}

async function setUp(frameBytesMax = 1_000_000) {
  const intake = new FakeIntake();
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), SILENT);
  const server = createServer({ allowHalfOpen: true });
  let session: ForwardSession | null = null;
  const options = {
    intake: wholeSlices(intake),
    telemetry,
    frameBytesMax,
    unpacking: new ByteBudget(2 * frameBytesMax),
  };
  server.on('connection', (socket) => (session = new ForwardSession(socket, options, SOMEBODY)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    intake,
    socket,
    session: () => session,
    async [Symbol.asyncDispose]() {
      socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** All that the server says until it closes. */
async function answersOf(socket: Socket): Promise<unknown[]> {
  const answers: unknown[] = [];
  for await (const answer of decodeMultiStream(socket)) answers.push(answer);
  return answers;
}

const entry = (log: string): Buffer => Buffer.from(encode([1_700_000_000, { log }]));
const packed = (logs: string[], option: object, pack: (run: Buffer) => Buffer = (run) => run): Buffer =>
  Buffer.from(encode(['app', pack(Buffer.concat(logs.map(entry))), option]));
const logsOf = (chunk: Chunk): string[] => {
  const run = Buffer.concat([Buffer.of(0xdc, chunk.count >> 8, chunk.count & 255), chunk.entries]);
  return (decode(run) as [number, { log: string }][]).map(([, { log }]) => log);
};

test('messages without a chunk id that came together go on as one chunk for each tag', async () => {
  await using the = await setUp();
  const message = (tag: string, log: string) => Buffer.from(encode([tag, 1_700_000_000, { log }]));
  the.socket.end(Buffer.concat([message('a', '1'), message('a', '2'), message('b', '3'), message('a', '4')]));
  assert.deepEqual(await answersOf(the.socket), []);
  assert.deepEqual(
    the.intake.chunks.map((chunk) => [chunk.tag, ...logsOf(chunk)]),
    [
      ['a', '1', '2'],
      ['b', '3'],
      ['a', '4'],
    ],
  );
});

test('of thousands of small frames in one piece some hundred are taken in a turn of the event loop', async () => {
  await using session = await setUp();
  let turn = 0;
  const count = (): void => {
    turn += 1;
    setImmediate(count).unref();
  };
  count();
  const takenIn = new Map<number, number>();
  session.intake.hold = () => {
    takenIn.set(turn, (takenIn.get(turn) ?? 0) + 1);
    return Promise.resolve();
  };
  session.socket.write(Buffer.concat(Array.from({ length: 3000 }, () => encode(['a', 1, {}, { chunk: 'c' }]))));
  let acked = 0;
  for await (const _ of decodeMultiStream(session.socket)) if (++acked === 3000) break;
  assert.ok(Math.max(...takenIn.values()) <= 256, `${Math.max(...takenIn.values())} in one turn`);
});

test('each mode is taken and acked, in order, with the chunk id as it came', async () => {
  await using the = await setUp();
  const frames = [
    encode(['app', 1_700_000_000, { log: 'message' }, { chunk: 'one\n' }]),
    encode(['app', [[1_700_000_000, { log: 'forward' }]], { chunk: Buffer.from('two') }]),
    packed(['p1', 'p2'], { chunk: 'three', size: 99 }),
    packed(['g1'], { chunk: 'four', compressed: 'gzip' }, (run) =>
      Buffer.concat([gzipSync(run), gzipSync(entry('g2'))]),
    ),
    packed(['z1'], { chunk: 'five', compressed: 'zstd' }, (run) =>
      Buffer.concat([zstdCompressSync(run), zstdCompressSync(entry('z2'))]),
    ),
    encode(null),
  ];
  the.socket.end(Buffer.concat(frames));
  assert.deepEqual(await answersOf(the.socket), [
    { ack: 'one\n' },
    { ack: Buffer.from('two') },
    { ack: 'three' },
    { ack: 'four' },
    { ack: 'five' },
  ]);
  assert.deepEqual(the.intake.chunks.map(logsOf), [['message'], ['forward'], ['p1', 'p2'], ['g1', 'g2'], ['z1', 'z2']]);
  assert.deepEqual(
    the.intake.chunks.map(({ encoding }) => encoding),
    ['identity', 'identity', 'identity', 'gzip', 'zstd'],
  );
});

test('acks keep the order of the chunks, whichever is held first', async () => {
  await using the = await setUp();
  const gates = new Map(['1', '2'].map((log) => [log, Promise.withResolvers<void>()]));
  the.intake.hold = (chunk) => gates.get(logsOf(chunk)[0] ?? '')?.promise ?? Promise.resolve();
  the.socket.end(Buffer.concat([packed(['1'], { chunk: 'x1' }), packed(['2'], { chunk: 'x2' })]));
  const answers = answersOf(the.socket);
  gates.get('2')?.resolve();
  await new Promise((resolve) => setTimeout(resolve, 20));
  gates.get('1')?.resolve();
  assert.deepEqual(await answers, [{ ack: 'x1' }, { ack: 'x2' }]);
});

test('a chunk that cannot be held ends the connection without an ack', async () => {
  await using the = await setUp();
  the.intake.hold = () => Promise.reject(new SluiceError('queue_unavailable', 'Cannot append: away'));
  the.socket.write(packed(['1'], { chunk: 'x1' }));
  const failed = answersOf(the.socket).catch(() => []);
  assert.deepEqual(await failed, []);
});

test('what can never be read is dead-lettered whole, then acked', async () => {
  await using the = await setUp();
  const cases = [
    packed([], { chunk: 'a' }, () => Buffer.from('no entry at all')),
    packed(['x'], { chunk: 'b', compressed: 'gzip' }, () => Buffer.from('no gzip at all')),
    Buffer.from(encode(['app', 1_700_000_000, 'no map', { chunk: 'c' }])),
  ];
  the.socket.end(Buffer.concat(cases));
  assert.deepEqual(await answersOf(the.socket), [{ ack: 'a' }, { ack: 'b' }, { ack: 'c' }]);
  assert.equal(the.intake.chunks.length, 0);
  assert.deepEqual(
    the.intake.deadLettered.map(({ reason }) => reason),
    ['chunk_undecodable', 'chunk_undecodable', 'chunk_undecodable'],
  );
  assert.equal(the.intake.deadLettered[0]?.bytes.toString(), 'no entry at all');
});

for (const [title, bytes] of [
  ['a byte that begins no value', Buffer.of(0xc1)],
  ['a length of 4 GiB', Buffer.of(0x93, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff)],
  ['100,000 arrays in each other', Buffer.alloc(100_000, 0x91)],
  ['metrics', Buffer.from(encode(['app', Buffer.from([]), { fluent_signal: 1, chunk: 'm' }]))],
] as const) {
  test(`${title} ends the connection, unacked and not taken`, async () => {
    await using the = await setUp();
    the.socket.write(bytes);
    assert.deepEqual(await answersOf(the.socket).catch(() => []), []);
    assert.equal(the.intake.chunks.length + the.intake.deadLettered.length, 0);
  });
}

test('a decompression bomb is not taken', async () => {
  await using the = await setUp(200_000);
  the.socket.end(packed([], { chunk: 'b', compressed: 'gzip' }, () => gzipSync(Buffer.alloc(50_000_000))));
  await answersOf(the.socket).catch(() => []);
  assert.equal(the.intake.chunks.length, 0);
});

test('reading stops while intake has no room, and goes on when there is', async () => {
  await using the = await setUp();
  the.intake.hasRoom = false;
  the.socket.write(packed(['1'], { chunk: 'x1' }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  the.socket.write(packed(['2'], { chunk: 'x2' }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(the.intake.chunks.length, 0);
  the.intake.hasRoom = true;
  the.intake.makeRoom.resolve();
  the.socket.end();
  assert.deepEqual(await answersOf(the.socket), [{ ack: 'x1' }, { ack: 'x2' }]);
});

test('closing answers what is in flight first', async () => {
  await using the = await setUp();
  const gate = Promise.withResolvers<void>();
  the.intake.hold = () => gate.promise;
  the.socket.write(packed(['1'], { chunk: 'x1' }));
  const answers = answersOf(the.socket).finally(() => the.socket.end());
  while (the.intake.chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const closed = the.session()?.close();
  gate.resolve();
  assert.deepEqual(await answers, [{ ack: 'x1' }]);
  await closed;
});

test('JSON mode: arrays one after another, acked in JSON', async () => {
  await using the = await setUp();
  const texts = [
    '["a",1700000000,{"log":"1"},{"chunk":"x1"}]',
    '\n["a",[[1700000000,{"log":"2"}],[1700000001,{"log":"3"}]],{"chunk":"x2"}] ["a",1700000000,{"log":"4"}]',
  ];
  for (const byte of Buffer.from(texts.join(''))) the.socket.write(Buffer.of(byte));
  the.socket.end();
  let answers = '';
  for await (const piece of the.socket) answers += piece;
  assert.equal(answers, '{"ack":"x1"}{"ack":"x2"}');
  assert.deepEqual(the.intake.chunks.map(logsOf), [['1'], ['2', '3'], ['4']]);
});

test("fluent-bit's equal flushes on one connection are chunks of their own, on another one repeats", async () => {
  await using the = await setUp();
  const name = createHash('sha512').update(entry('GET /healthz')).digest('hex').slice(0, 32);
  const flush = packed(['GET /healthz'], { chunk: name });
  const names = () => the.intake.chunks.map(({ chunkId }) => chunkId && Buffer.from(chunkId).toString('latin1'));
  const acks = decodeMultiStream(the.socket);
  for (let i = 0; i < 3; i++) {
    the.socket.write(flush);
    // The sender hears its own name each time.
    assert.deepEqual((await acks.next()).value, { ack: name });
  }
  assert.equal(names()[0], name);
  assert.equal(new Set(names()).size, 3);

  // Two in one piece, the ack of the first not yet written: the second is a repeat.
  const other = packed(['GET /ready'], { chunk: name });
  the.socket.write(Buffer.concat([other, other]));
  await acks.next();
  await acks.next();
  assert.deepEqual(names().slice(3), [name, name]);
});

test('a random chunk id that comes again on its connection is a repeat', async () => {
  await using the = await setUp();
  const acks = decodeMultiStream(the.socket);
  for (const chunk of ['ZGF0YQ==\n', 'ZGF0YQ==\n']) {
    the.socket.write(packed(['a'], { chunk }));
    await acks.next();
  }
  const [first, second] = the.intake.chunks;
  assert.deepEqual(first, second);
});
