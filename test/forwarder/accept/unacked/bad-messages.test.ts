// Messages of a stream that can never be events: a few dead letters of their own, and the others share some.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadMessages, type BadMessage } from '#forwarder/accept/unacked/bad-messages.ts';
import { DEAD_LETTER_OVERHEAD_BYTES } from '#forwarder/intake/chunk.ts';
import { KIB, IN_FLIGHT_BYTES_MAX, open, gelf, messagesOf, textOf } from './stream-session-fixture.ts';

test('bad messages of a read: a few letters of their own, one of the others, a turn for each 128', async () => {
  const { intake, turns, socket, session } = open(gelf());
  const sent = Array.from({ length: 5000 }, (_, i) => `${i}\0`).join('');
  socket.write(sent);
  socket.write('{"short_message":"good"}\0');
  await intake.arrived(1);
  assert.equal(intake.deadLettered.length, 9);
  assert.equal(messagesOf(intake.deadLettered), 5000);
  assert.equal(textOf(intake.deadLettered), sent);
  assert.equal(turns.given, Math.floor(5000 / 128));
  assert.match(intake.deadLettered[8]!.error, /with it 4991 more that came together/);
  socket.end();
  await session.closed;
});

test('good messages among bad ones are one chunk', async () => {
  const { intake, socket, session } = open(gelf());
  socket.end('{"short_message":"good"}\0bad\0'.repeat(100));
  await session.closed;
  assert.deepEqual(
    intake.chunks.map(({ count }) => count),
    [100],
  );
  assert.equal(messagesOf(intake.deadLettered), 100);
});

test('letters that wait are counted with what they cost, and reading stops on them', async () => {
  const { intake, socket, session } = open(gelf());
  intake.hold();
  let reads = 0;
  while (!socket.isPaused()) {
    socket.write('x\0');
    reads += 1;
    await new Promise(setImmediate);
  }
  assert.ok(
    intake.deadLettered.length <= IN_FLIGHT_BYTES_MAX / DEAD_LETTER_OVERHEAD_BYTES + 1,
    `${intake.deadLettered.length} letters`,
  );
  assert.equal(messagesOf(intake.deadLettered), reads);
  intake.release();
  socket.end();
  await session.closed;
});

test('a letter of many is bounded, whatever they are', () => {
  const letters: BadMessage[] = [];
  const bad = new BadMessages(async (letter) => void letters.push(letter));
  for (let i = 0; i < 2000; i += 1) bad.add(Buffer.alloc(1000, 'x'), 'chunk_undecodable', 'why');
  bad.flush();
  assert.equal(messagesOf(letters), 2000);
  assert.equal(letters.length, 8 + Math.ceil((1992 * 1001) / (256 * KIB - 1000)));
  for (const { bytes } of letters) assert.ok(bytes.length <= 256 * KIB);
});
