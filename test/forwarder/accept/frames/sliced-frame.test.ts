// Chunks that are too large to be held, by way of a session and the real intake: what goes to the queue, under which
// names, and what their senders hear.

import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import {
  KIB,
  MIB,
  setUp,
  heldOf,
  logsOf,
  entry,
  packed,
  forward,
  until,
  A,
  B,
  NIL,
  LARGE,
  LARGE_RUN,
} from './sliced-frame-fixture.ts';

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
