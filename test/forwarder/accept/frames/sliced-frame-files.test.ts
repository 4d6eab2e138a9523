// Frames that go to a file as they come: where no file can be had, what becomes of a large message, and what a killed
// process left.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { KIB, MIB, setUp, heldOf, entry, binOf, packed, until, A, lines, LARGE_RUN } from './sliced-frame-fixture.ts';

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
