// Chunks with something bad in them, and chunks that are too large to be held, by way of a session and the real intake:
// what goes to the queue, under which names, what goes to the dead letters, what is counted, and what their senders
// hear.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decodeMulti, encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import type { SessionOptions } from '#forwarder/accept/forward/session-options.ts';
import { FrameFiles } from '#forwarder/accept/frames/frame-files.ts';
import { ForwardSession } from '#forwarder/accept/forward/forward-session.ts';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { FairSlots } from '#forwarder/accept/turns/fair-slots.ts';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { SlicePasses } from '#forwarder/accept/frames/slice-passes.ts';
import { acceptSliced } from '#forwarder/accept/frames/sliced-frame.ts';
import { Unpacker } from '#forwarder/accept/frames/unpacker.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { settings } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { decompress } from '#shared/record/compression.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { sourceOf } from '#shared/record/unpack-slices.ts';
import { RecordingQueue } from '../../intake/recording-queue.ts';
import { forwardOptions, samples } from '../forward/forward-options.ts';
import { Answers } from '../forward/handshake-client.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

interface Given extends Partial<SessionOptions> {
  readonly filesBytesMax?: number;
  readonly folder?: string;
}

async function setUp(t: TestContext, { filesBytesMax = 64 * MIB, folder, ...session }: Given = {}) {
  const metrics = new Metrics({ version: '0', command: 'test' });
  const telemetry = new ForwarderTelemetry(metrics, SILENT);
  const queue = new RecordingQueue();
  const intake = new QueueIntake({
    queue,
    clock: systemClock,
    telemetry,
    bytesMax: 16 * MIB,
    lingerMs: 0,
    sealBytes: 64 * KIB,
    openWaitMs: 1000,
  });
  const dir = folder ?? join(mkdtempSync(join(tmpdir(), 'sliced-')), 'incoming');
  const frameBytesMax = session.frameBytesMax ?? MIB;
  const files = new FrameFiles({ folder: dir, bytesMax: filesBytesMax, heldBytesMax: frameBytesMax });
  const pace = new RefusalPace({ clock: systemClock, heldMax: 100, unreadyReason: () => intake.unreadyReason });
  const limits = { files, ratioMax: 200, frameBytesMax, pace };
  const options = forwardOptions(intake, { telemetry }, { telemetry, ...limits, ...session });
  const server = await startForwardServer('127.0.0.1:0', options);
  const atOnce = { now: 0, most: 0 };
  const acceptSlices = intake.acceptSlices.bind(intake);
  intake.acceptSlices = async (...chunk) => {
    atOnce.now += 1;
    atOnce.most = Math.max(atOnce.most, atOnce.now);
    await acceptSlices(...chunk).finally(() => (atOnce.now -= 1));
  };
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= server.close());
  t.after(async () => {
    await close();
    rmSync(dir, { recursive: true, force: true });
  });
  const open = (): { socket: Socket; answers: Answers } => {
    const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  const value = async (name: string): Promise<number> => {
    const line = (await metrics.render()).body.split('\n').find((text) => text.startsWith(`sluice_${name}`));
    return Number(line?.split(' ').at(-1) ?? Number.NaN);
  };
  return {
    queue,
    intake,
    files,
    dir,
    open,
    metrics,
    value,
    close,
    atOnce,
    counted: (name: string) => samples(metrics, name),
  };
}

/** What the queue holds, by `id-index`, in order. */
async function heldOf(queue: RecordingQueue): Promise<Map<string, unknown>> {
  const held = new Map<string, unknown>();
  for (const { records } of queue.appends) {
    for (const { encoding, batches, value } of records) {
      const entries = [...decodeMulti(await decompress(value, encoding, 64 * MIB))];
      for (const { id, first, count } of decodeBatches(batches) ?? []) {
        for (let i = 0; i < count; i += 1) held.set(`${id.toHex()}-${first + i}`, entries.shift());
      }
      assert.equal(entries.length, 0, 'the counts are those of the entries');
    }
  }
  return held;
}

const logsOf = (held: ReadonlyMap<string, unknown>): unknown[] =>
  [...held.values()].map((entry) => (entry as [unknown, { log: unknown }])[1].log);
const indexesOf = (held: ReadonlyMap<string, unknown>): number[] =>
  [...held.keys()].map((name) => Number(name.split('-')[1]));
const idsOf = (held: ReadonlyMap<string, unknown>): string[] => [
  ...new Set([...held.keys()].map((name) => name.split('-')[0] ?? '')),
];

const entry = (log: unknown): Buffer => Buffer.from(encode([1_700_000_000, { log }]));
const binOf = (bytes: Buffer): Buffer => {
  const header = Buffer.alloc(5, 0xc6);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
};
/** As Fluentd sends a chunk of its buffer. */
const packed = (run: Buffer, option: Record<string, unknown> = { chunk: 'id' }): Buffer =>
  Buffer.concat([Buffer.of(0x93), encode('app'), binOf(run), encode(option)]);
const forward = (entries: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(5, 0xdd);
  header.writeUInt32BE(entries.length, 1);
  return Buffer.concat([Buffer.of(0x93), encode('app'), header, ...entries, encode({ chunk: 'id' })]);
};

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const [A, B, C] = [entry('a'), entry('b'), entry('c')];
const NIL = Buffer.of(0xc0);
const NO_MAP = Buffer.from(encode([1, 'no map']));

for (const [what, frame, logs, indexes, letters] of [
  ['a nil between', packed(Buffer.concat([A, NIL, B])), ['a', 'b'], [0, 2], [[1, 'entry_malformed', NIL]]],
  ['a record that is no map, first', packed(Buffer.concat([NO_MAP, A])), ['a'], [1], [[0, 'entry_malformed', NO_MAP]]],
  [
    'a torn tail',
    packed(Buffer.concat([A, B, C.subarray(0, 5)])),
    ['a', 'b'],
    [0, 1],
    [[null, 'chunk_undecodable', C.subarray(0, 5)]],
  ],
  [
    'a bad entry and no msgpack',
    packed(Buffer.concat([A, NIL, B, Buffer.of(0xc1), C])),
    ['a', 'b'],
    [0, 2],
    [
      [1, 'entry_malformed', NIL],
      [null, 'chunk_undecodable', Buffer.concat([Buffer.of(0xc1), C])],
    ],
  ],
  ['Forward mode', forward([A, NO_MAP, B]), ['a', 'b'], [0, 2], [[1, 'entry_malformed', NO_MAP]]],
  [
    'gzip with a bad entry',
    packed(gzipSync(Buffer.concat([A, NIL, NIL, B])), { chunk: 'id', compressed: 'gzip' }),
    ['a', 'b'],
    [0, 3],
    [
      [1, 'entry_malformed', NIL],
      [2, 'entry_malformed', NIL],
    ],
  ],
] as const) {
  test(`what is whole of a chunk goes on: ${what}`, async (t) => {
    const { queue, open, counted, value } = await setUp(t);
    const { socket, answers } = open();
    socket.write(frame);
    assert.deepEqual(await answers.next(), { ack: 'id' });
    const held = await heldOf(queue);
    assert.deepEqual(logsOf(held), logs);
    assert.deepEqual(indexesOf(held), indexes);
    assert.deepEqual(
      queue.letters.map((letter) => [letter.index ?? null, letter.reason, Buffer.from(letter.value)]),
      letters,
    );
    const [id] = idsOf(held);
    assert.deepEqual(idsOf(held), [id]);
    for (const letter of queue.letters) assert.equal(decodeBatches(letter.batches)?.[0]?.id.toHex(), id);
    const bad = letters.filter(([index]) => index !== null).length;
    if (bad > 0) {
      const rejected = await counted('events_rejected_total');
      assert.deepEqual(rejected, { '{input="forward",reason="entry_malformed"}': bad });
    }
    const unread = letters.length - bad;
    const chunks = unread > 0 ? { '{input="forward",reason="chunk_undecodable"}': unread } : {};
    assert.deepEqual(await counted('chunks_rejected_total'), chunks);
    assert.equal(await value('ledger_imbalance'), 0);
    assert.equal(await value('events_inflight'), 0);
    // A repeat has the same names.
    socket.write(frame);
    assert.deepEqual(await answers.next(), { ack: 'id' });
    assert.deepEqual([...(await heldOf(queue)).keys()], [...held.keys()]);
  });
}

test('cut at every byte: the whole entries before the cut, the tail with the dead letters, and an ack', async (t) => {
  const { queue, open, value } = await setUp(t);
  const { socket, answers } = open();
  const entries = Array.from({ length: 6 }, (_, i) => entry('x'.repeat(i * 7)));
  const run = Buffer.concat(entries);
  for (let at = 1; at < run.length; at += 1) {
    queue.appends.length = queue.letters.length = 0;
    socket.write(packed(run.subarray(0, at), { chunk: `${at}` }));
    assert.deepEqual(await answers.next(), { ack: `${at}` });
    let end = 0;
    let whole = 0;
    while (end + (entries[whole]?.length ?? Infinity) <= at) end += entries[whole++]?.length ?? 0;
    assert.equal((await heldOf(queue)).size, whole, `cut at ${at}`);
    const tails = queue.letters.map((letter) => Buffer.from(letter.value));
    assert.deepEqual(tails, end < at ? [run.subarray(end, at)] : []);
  }
  assert.equal(await value('ledger_imbalance'), 0);
});

for (const [encoding, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`${encoding} that is torn at any byte: what comes out goes on, and the dead letters have it all`, async (t) => {
    const { queue, open, value } = await setUp(t);
    const { socket, answers } = open();
    const logs = Array.from({ length: 200 }, (_, i) => `${i} ${crypto.randomUUID()}`);
    const parts = [logs.slice(0, 100), logs.slice(100)].map((part) => pack(Buffer.concat(part.map(entry))));
    const all = Buffer.concat(parts);
    for (let at = 1; at < all.length; at += 131) {
      queue.appends.length = queue.letters.length = 0;
      socket.write(packed(all.subarray(0, at), { chunk: `${at}`, compressed: encoding }));
      assert.deepEqual(await answers.next(), { ack: `${at}` });
      const held = logsOf(await heldOf(queue));
      assert.deepEqual(held, logs.slice(0, held.length));
      assert.ok(at < (parts[0]?.length ?? 0) || held.length >= 100, `${held.length} of a chunk cut at ${at}`);
      assert.deepEqual(
        queue.letters.map((letter) => Buffer.from(letter.value)),
        [all.subarray(0, at)],
      );
    }
    assert.equal(await value('ledger_imbalance'), 0);
  });
}

const lines = (bytes: number): string[] =>
  Array.from(
    { length: Math.ceil(bytes / 160) },
    (_, i) => `line ${i} ${crypto.randomUUID()} ${'lorem ipsum '.repeat(7)}`,
  );
const GZIP = { chunk: 'id', compressed: 'gzip' };
const LARGE = lines(3 * MIB);
const LARGE_RUN = Buffer.concat(LARGE.map(entry));

for (const [what, frame] of [
  ['packed', packed(LARGE_RUN)],
  ['Forward mode', forward(LARGE.map(entry))],
  ['gzip', packed(gzipSync(LARGE_RUN, { level: 1 }), { chunk: 'id', compressed: 'gzip' })],
  [
    'gzip members',
    packed(Buffer.concat([LARGE_RUN.subarray(0, 1e6), LARGE_RUN.subarray(1e6)].map((part) => gzipSync(part))), {
      chunk: 'id',
      compressed: 'gzip',
    }),
  ],
  ['zstd', packed(zstdCompressSync(LARGE_RUN), { chunk: 'id', compressed: 'zstd' })],
] as const) {
  test(`a chunk larger than what is held goes on whole, under the names of a small one: ${what}`, async (t) => {
    // As much as to have the compressed ones in a file too.
    const small = await setUp(t, { frameBytesMax: 200 * KIB });
    const { socket, answers } = small.open();
    socket.write(frame);
    assert.deepEqual(await answers.next(), { ack: 'id' });
    const held = await heldOf(small.queue);
    assert.deepEqual(logsOf(held), LARGE);
    assert.equal(await small.value('ledger_imbalance'), 0);
    assert.equal(small.queue.letters.length, 0);
    await until('the file is gone', () => small.files.bytes === 0);
    const whole = await setUp(t, { frameBytesMax: 32 * MIB });
    const other = whole.open();
    other.socket.write(frame);
    assert.deepEqual(await other.answers.next(), { ack: 'id' });
    assert.deepEqual([...(await heldOf(whole.queue)).keys()], [...held.keys()]);
  });
}

test('the next frame of the connection comes behind a large one, also byte by byte around its ends', async (t) => {
  const { queue, open } = await setUp(t, { frameBytesMax: 200 * KIB });
  const { socket, answers } = open();
  const frame = packed(LARGE_RUN);
  const behind = packed(A, { chunk: 'behind' });
  socket.setNoDelay(true);
  for (let at = 0; at < 40; at += 1) {
    socket.write(frame.subarray(at, at + 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write(frame.subarray(40, -10));
  for (let at = frame.length - 10; at < frame.length; at += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    socket.write(frame.subarray(at, at + 1));
  }
  socket.write(Buffer.concat([behind, frame]));
  for (const ack of ['id', 'behind', 'id']) assert.deepEqual(await answers.next(), { ack });
  assert.equal((await heldOf(queue)).size, LARGE.length + 1);
});

test('a connection that dies in the midst leaves nothing behind', async (t) => {
  const { files, dir, open, queue } = await setUp(t, { frameBytesMax: 200 * KIB });
  const { socket } = open();
  socket.write(packed(LARGE_RUN).subarray(0, 2 * MIB));
  await until('it comes', () => files.bytes > MIB);
  assert.deepEqual(readdirSync(dir), [], 'the file has no name');
  socket.destroy();
  await until('the file is gone', () => files.bytes === 0);
  const open_ = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir);
    } catch {
      return false;
    }
  });
  assert.deepEqual(open_, []);
  assert.equal(queue.appends.length, 0);
});

test('what a killed process left is removed at the start, and nothing else', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sliced-'));
  writeFileSync(join(folder, 'a.frame'), 'left');
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  await setUp(t, { folder });
  assert.deepEqual(readdirSync(folder), ['notes.txt']);
});

for (const [what, given] of [
  ['there are no files', { filesBytesMax: 0 }],
  ['all files together would be too large', { filesBytesMax: 4 * MIB }],
  ['the folder cannot be made', { folder: '/dev/null/frames' }],
] as const) {
  test(`where ${what}, a large frame is refused without an ack, and others go on`, async (t) => {
    const { open, counted, queue, files } = await setUp(t, { ...given, frameBytesMax: 200 * KIB });
    const other = open();
    const { socket, answers } = open();
    const began = Date.now();
    const twice = Buffer.concat([LARGE_RUN, LARGE_RUN]);
    socket.write(packed(twice));
    assert.equal(await answers.next(), null);
    assert.ok(Date.now() - began >= 190, 'it is not told at once');
    other.socket.write(packed(A, { chunk: 'other' }));
    assert.deepEqual(await other.answers.next(), { ack: 'other' });
    assert.equal((await heldOf(queue)).size, 1);
    assert.equal(queue.letters.length, 0);
    const rejected = await counted('chunks_rejected_total');
    assert.equal(
      Object.values(rejected).reduce((sum, n) => sum + n, 0),
      1,
    );
    assert.equal(files.bytes, 0);
  });
}

test('where no file can be written, a frame that may be held is held', async (t) => {
  const run = Buffer.concat(lines(9 * MIB).map(entry));
  const { open, queue, files } = await setUp(t, { folder: '/dev/null/frames', frameBytesMax: 16 * MIB });
  const { socket, answers } = open();
  socket.write(packed(run));
  assert.deepEqual(await answers.next(), { ack: 'id' });
  assert.equal((await heldOf(queue)).size, lines(9 * MIB).length);
  assert.equal(files.bytes, 0);
});

test('where the queue fails in the midst, nothing is acked, and the repeat has the same names', async (t) => {
  const { open, queue, value, files } = await setUp(t, { frameBytesMax: 200 * KIB });
  let appends = 0;
  queue.beforeHold = () => {
    appends += 1;
    return appends === 5 ? Promise.reject(new SluiceError('queue_unavailable', 'Cannot append')) : Promise.resolve();
  };
  const { socket, answers } = open();
  socket.write(packed(LARGE_RUN));
  assert.equal(await answers.next(), null);
  const before = [...(await heldOf(queue)).keys()];
  assert.ok(before.length > 0 && before.length < LARGE.length);
  assert.equal(await value('ledger_imbalance'), 0);
  assert.equal(await value('events_inflight'), 0);
  await until('the file is gone', () => files.bytes === 0);
  const again = open();
  again.socket.write(packed(LARGE_RUN));
  assert.deepEqual(await again.answers.next(), { ack: 'id' });
  const after = await heldOf(queue);
  assert.equal(after.size, LARGE.length);
  for (const name of before) assert.ok(after.has(name));
});

for (const [what, compressed, press] of [
  ['gzip shrinks it 200 times and more', 'gzip', gzipSync],
  ['zstd shrinks it thousands of times', 'zstd', zstdCompressSync],
] as const) {
  test(`a chunk of health checks is taken, however much ${what}`, async (t) => {
    const ratioMax = settings['frame.max_ratio'].default ?? 0;
    const { open, queue } = await setUp(t, { ratioMax, frameBytesMax: 16 * MIB });
    const line = entry(`GET /healthz HTTP/1.1 200 kube-probe/1.31 ${'a'.repeat(200)}`);
    const run = Buffer.concat(Array.from({ length: Math.ceil((9 * MIB) / line.length) }, () => line));
    const frame = press(run);
    assert.ok(frame.length * 200 < run.length);
    const { socket, answers } = open();
    socket.write(packed(frame, { chunk: 'health', compressed }));
    assert.deepEqual(await answers.next(), { ack: 'health' });
    assert.equal(queue.letters.length, 0);
    assert.equal((await heldOf(queue)).size, run.length / line.length);
  });
}

test('a bomb goes to the dead letters as it came, and is acked', async (t) => {
  const { open, queue } = await setUp(t, { ratioMax: 100 });
  const { socket, answers } = open();
  const run = Buffer.concat(Array.from({ length: 200_000 }, () => entry('the same '.repeat(10))));
  const bomb = gzipSync(run);
  assert.ok(run.length / bomb.length > 100);
  socket.write(packed(bomb, { chunk: 'bomb', compressed: 'gzip' }));
  assert.deepEqual(await answers.next(), { ack: 'bomb' });
  assert.equal(queue.appends.length, 0);
  assert.deepEqual(
    queue.letters.map(({ reason, value }) => [reason, Buffer.from(value)]),
    [['chunk_too_large', bomb]],
  );
});

for (const [what, frame, frameBytesMax] of [
  ['held', packed(Buffer.from('920080'.repeat(120_000), 'hex')), MIB],
  ['by gzip', packed(gzipSync(Buffer.from('920080'.repeat(2_000_000), 'hex')), GZIP), MIB],
  ['in slices', packed(Buffer.from('920080'.repeat(2_000_000), 'hex')), 200 * KIB],
  ['in Forward mode', forward(Array.from({ length: 120_000 }, () => Buffer.of(0x92, 0, 0x80))), MIB],
] as const) {
  test(`events of hardly a byte are a dead letter once, and are acked: ${what}`, async (t) => {
    const { open, queue, counted, value } = await setUp(t, { frameBytesMax });
    const { socket, answers } = open();
    socket.write(Buffer.concat([frame, packed(A, { chunk: 'behind' })]));
    assert.deepEqual(await answers.next(), { ack: 'id' });
    assert.deepEqual(await answers.next(), { ack: 'behind' });
    assert.deepEqual(
      queue.letters.map(({ reason }) => reason),
      ['too_many_events'],
    );
    assert.deepEqual(logsOf(await heldOf(queue)), ['a']);
    const chunks = await counted('chunks_rejected_total');
    assert.deepEqual(chunks, { '{input="forward",reason="too_many_events"}': 1 });
    assert.equal(await value('ledger_imbalance'), 0);
    assert.equal(await value('events_inflight'), 0);
  });
}

test('equal flushes are two also where they come in slices, and a repeat on another connection is one', async (t) => {
  const { open, queue, value } = await setUp(t, { frameBytesMax: 200 * KIB });
  const chunk = 'c'.repeat(32);
  for (const run of [LARGE_RUN, Buffer.concat([A, NIL, B])]) {
    queue.appends.length = 0;
    const { socket, answers } = open();
    const events = run === LARGE_RUN ? LARGE.length : 2;
    for (const times of [1, 2]) {
      socket.write(packed(run, { chunk }));
      assert.deepEqual(await answers.next(), { ack: chunk });
      assert.equal((await heldOf(queue)).size, times * events);
    }
    const other = open();
    other.socket.write(packed(run, { chunk }));
    assert.deepEqual(await other.answers.next(), { ack: chunk });
    assert.equal((await heldOf(queue)).size, 2 * events);
  }
  assert.equal(await value('equal_chunks_total'), 2);
});

class WatchedBudget extends ByteBudget {
  most = 0;

  override take(bytes: number): Permit {
    const permit = super.take(bytes);
    this.most = Math.max(this.most, this.bytesHeld);
    return permit;
  }
}

test('bombs of many connections are opened one after another, within what all inputs share', async (t) => {
  const unpacking = new WatchedBudget(2 * MIB);
  const { open, queue, value } = await setUp(t, { unpacking, ratioMax: 1e6 });
  const bomb = zstdCompressSync(Buffer.concat(Array.from({ length: 8000 }, () => entry('x'.repeat(1000)))));
  const frame = packed(bomb, { chunk: 'bomb', compressed: 'zstd' });
  const senders = Array.from({ length: 12 }, open);
  for (const { socket } of senders) socket.write(frame);
  // Whoever is gone takes nothing.
  const gone = Array.from({ length: 12 }, open);
  for (const { socket } of gone) socket.write(frame, () => socket.destroy());
  for (const { answers } of senders) assert.deepEqual(await answers.next(), { ack: 'bomb' });
  await until('all is settled', async () => (await value('events_inflight')) === 0 && unpacking.bytesHeld === 0);
  assert.ok(unpacking.most > 0 && unpacking.most <= 2 * MIB, `${unpacking.most}`);
  assert.equal((await heldOf(queue)).size, 8000);
});

test('entries that are as large as may be are held within the same budget', async (t) => {
  const unpacking = new WatchedBudget(8 * MIB);
  const { open, queue } = await setUp(t, { unpacking, ratioMax: 1e6, frameBytesMax: 4 * MIB });
  const run = Buffer.concat([A, entry('x'.repeat(3.5 * MIB)), entry('y'.repeat(9 * MIB)), B]);
  const frame = packed(zstdCompressSync(run), { chunk: 'large', compressed: 'zstd' });
  const senders = Array.from({ length: 6 }, open);
  for (const { socket } of senders) socket.write(frame);
  for (const { answers } of senders) assert.deepEqual(await answers.next(), { ack: 'large' });
  assert.equal(unpacking.most, 8 * MIB);
  await until('all is given back', () => unpacking.bytesHeld === 0);
  assert.deepEqual(indexesOf(await heldOf(queue)), [0, 1, 3]);
  const reasons = queue.letters.map(({ reason, index }) => `${reason} ${index}`);
  assert.deepEqual(reasons, Array(senders.length).fill('entry_malformed 2'));
});

/** As the process makes them: what passes may take lies beside what the largest thing may. */
function passesBeside(bytes: number) {
  const unpacking = new WatchedBudget(18 * MIB + bytes);
  return { unpacking, passes: new SlicePasses({ unpacking, bytesMax: 18 * MIB }) };
}

const ZSTD = { chunk: 'id', compressed: 'zstd' };
const BOMB = packed(zstdCompressSync(Buffer.concat(Array.from({ length: 8000 }, () => entry('x'.repeat(1000))))), ZSTD);

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

test('an entry takes a part of the budget; a larger one costs only itself, and damage waits for nobody', async (t) => {
  const { unpacking, passes } = passesBeside(8 * MIB);
  const limits = { entryBytesMax: 2 * MIB, frameBytesMax: 4 * MIB, ratioMax: 1e6 };
  const { open, queue } = await setUp(t, { unpacking, passes, ...limits });
  const run = Buffer.concat([A, entry('x'.repeat(1.5 * MIB)), entry('y'.repeat(9 * MIB)), B]);
  const whole = zstdCompressSync(run);
  const torn = Buffer.concat([whole, zstdCompressSync(entry(crypto.randomUUID().repeat(1e5))).subarray(0, -20)]);
  const senders = Array.from({ length: 6 }, open);
  for (const [i, { socket }] of senders.entries()) socket.write(packed(i % 2 === 0 ? whole : torn, ZSTD));
  for (const { answers } of senders) assert.deepEqual(await answers.next(), { ack: 'id' });
  assert.ok(unpacking.most <= 26 * MIB, `${unpacking.most}`);
  await until('all is given back', () => unpacking.bytesHeld === 0 && passes.running === 0);
  const indexes = indexesOf(await heldOf(queue));
  assert.deepEqual([...new Set(indexes)], [0, 1, 3]);
  const letters = queue.letters.filter(({ index }) => index === 2);
  assert.deepEqual(
    letters.map(({ reason, cut, value }) => [reason, cut, value.length]),
    senders.map(() => ['entry_malformed', true, 2 * MIB]),
  );
  assert.equal(queue.letters.length, senders.length + 3, 'and each torn one has its rest');
});

test('what a frame may grow to has an end, whatever its ratio', async (t) => {
  const { open, queue, counted } = await setUp(t, { ratioMax: 1e6, unpackedBytesMax: 9 * MIB });
  const { socket, answers } = open();
  const line = entry('the same '.repeat(100));
  const runOf = (bytes: number): Buffer => Buffer.concat(Array(Math.floor(bytes / line.length)).fill(line));
  socket.write(packed(zstdCompressSync(runOf(9 * MIB)), ZSTD));
  assert.deepEqual(await answers.next(), { ack: 'id' });
  assert.equal(queue.letters.length, 0);
  queue.appends.length = 0;
  const bomb = zstdCompressSync(runOf(9 * MIB + 2 * line.length));
  socket.write(packed(bomb, ZSTD));
  assert.deepEqual(await answers.next(), { ack: 'id' });
  assert.equal(queue.appends.length, 0);
  assert.deepEqual(
    queue.letters.map(({ reason, error, value }) => [reason, error, bomb.equals(value)]),
    [['chunk_too_large', `Cannot decompress the chunk: it holds more than ${9 * MIB} bytes`, true]],
  );
  assert.deepEqual(await counted('chunks_rejected_total'), { '{input="forward",reason="chunk_too_large"}': 1 });
});

test('values that are nested too deep: a dead letter has all of each, and the event loop goes on', async (t) => {
  const { open, queue } = await setUp(t);
  const deep = Buffer.concat([Buffer.alloc(101, 0x91), Buffer.of(7)]);
  const values = 10_000;
  const { socket, answers } = open();
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  turn();
  const run = Buffer.concat([A, ...Array.from({ length: values }, () => deep), B]);
  socket.write(packed(gzipSync(run), { chunk: 'deep', compressed: 'gzip' }));
  assert.deepEqual(await answers.next(), { ack: 'deep' });
  isDone = true;
  assert.ok(turns >= (2 * values) / 256, `${turns} turns`);
  assert.deepEqual(indexesOf(await heldOf(queue)), [0, values + 1]);
  const bytes = Buffer.concat(queue.letters.map(({ value }) => Buffer.from(value)));
  assert.ok(bytes.equals(run.subarray(A.length, run.length - B.length)), 'no byte is lost');
  assert.deepEqual(Buffer.from(queue.letters[0]?.value ?? []), deep);
});

test('a message that is larger than what is held goes to the dead letters, and is acked', async (t) => {
  const { open, queue } = await setUp(t, { frameBytesMax: 100 * KIB });
  const { socket, answers } = open();
  socket.write(encode(['app', 1_700_000_000, { log: 'x'.repeat(300 * KIB) }, { chunk: 'm' }]));
  assert.deepEqual(await answers.next(), { ack: 'm' });
  assert.equal(queue.letters[0]?.reason, 'chunk_too_large');
  assert.equal(queue.letters[0].cut, true);
});

test('a message that may be held is taken, also where it came by way of a file', async (t) => {
  const { open, queue } = await setUp(t, { frameBytesMax: 32 * MIB });
  const { socket, answers } = open();
  socket.write(encode(['app', 1_700_000_000, { log: 'x'.repeat(10 * MIB) }, { chunk: 'm' }]));
  assert.deepEqual(await answers.next(), { ack: 'm' });
  const held = await heldOf(queue);
  assert.equal(held.size + queue.letters.length, 1);
});

for (const [what, frame] of [
  ['an option that is none', Buffer.concat([Buffer.of(0x93), encode('app'), binOf(LARGE_RUN), encode('none')])],
  ['a tag that is none', Buffer.concat([Buffer.of(0x93), encode(7), binOf(LARGE_RUN), encode({ chunk: 'id' })])],
  ['a compression that is unknown', packed(LARGE_RUN, { chunk: 'id', compressed: 'lz4' })],
] as const) {
  test(`a large frame with ${what} goes to the dead letters`, async (t) => {
    const { open, queue, files } = await setUp(t, { frameBytesMax: 200 * KIB });
    const { socket } = open();
    socket.end(frame);
    await once(socket, 'close');
    assert.equal(queue.appends.length, 0);
    assert.equal(queue.letters[0]?.reason, 'chunk_undecodable');
    await until('the file is gone', () => files.bytes === 0);
  });
}

test('large metrics are refused', async (t) => {
  const { open, queue } = await setUp(t, { frameBytesMax: 200 * KIB });
  const { socket, answers } = open();
  socket.write(packed(LARGE_RUN, { chunk: 'id', fluent_signal: 1 }));
  assert.equal(await answers.next(), null);
  assert.equal(queue.appends.length + queue.letters.length, 0);
});

test('many bad entries cost at most a thousand letters and what their bytes need', async (t) => {
  const { open, queue, counted, value } = await setUp(t, { frameBytesMax: 4 * MIB });
  const { socket, answers } = open();
  const run = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.concat([A, NIL, NIL])));
  socket.write(packed(run));
  assert.deepEqual(await answers.next(), { ack: 'id' });
  const held = await heldOf(queue);
  assert.equal(held.size, 20_000);
  assert.deepEqual(indexesOf(held).slice(0, 3), [0, 3, 6]);
  assert.equal(queue.letters.filter(({ index }) => index !== undefined).length, 1000);
  const bytes = queue.letters.reduce((sum, letter) => sum + letter.value.length, 0);
  assert.equal(bytes, 40_000);
  assert.deepEqual(await counted('events_rejected_total'), { '{input="forward",reason="entry_malformed"}': 40_000 });
  assert.equal(await value('ledger_imbalance'), 0);
});
