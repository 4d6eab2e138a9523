// What a chunk may grow to: bombs, chunks that shrink well, and large entries, within the memory that all connections
// share.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { settings } from '#shared/config/settings.ts';
import {
  KIB,
  MIB,
  setUp,
  heldOf,
  logsOf,
  indexesOf,
  entry,
  packed,
  forward,
  until,
  A,
  B,
  GZIP,
  passesBeside,
  WatchedBudget,
  ZSTD,
} from './sliced-frame-fixture.ts';

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
