// A connection without acks that brings thousands of messages in one read, or none that is whole: steps, and what is
// kept of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ReadEntries } from '#forwarder/accept/unacked/read-entries.ts';
import { KIB, newHeld, open, gelf, syslog } from './stream-session-fixture.ts';

test('small syslog messages: turns between steps, in order, and none is lost when the connection breaks', async () => {
  const { intake, turns, socket, session } = open(syslog());
  const count = 30_000;
  socket.write('x\n'.repeat(count));
  await intake.arrived(1);
  socket.destroy();
  await session.closed;
  assert.equal(
    intake.chunks.reduce((sum, chunk) => sum + chunk.count, 0),
    count,
  );
  assert.equal(turns.given, Math.floor(count / 1024));
  for (const { bytes } of intake.chunks) assert.ok(bytes.length < 512 * KIB, `a chunk of ${bytes.length} bytes`);
});

test('a connection keeps nothing of a burst', async () => {
  const run = new ReadEntries();
  for (let i = 0; i < 30_000; i += 1) run.writer.string('event');
  run.take();
  assert.ok(run.writer.view().buffer.byteLength <= 16 * KIB, `${run.writer.view().buffer.byteLength} bytes`);
  for (const decoder of [gelf(2 * KIB * KIB), syslog()]) {
    for (let i = 0; i < 30; i += 1) {
      decoder.push(Buffer.alloc(60 * KIB, 'x'));
      while (!decoder.read(run, () => undefined)) await decoder.converting;
    }
    decoder.push(Buffer.from('\0\nx'));
    while (!decoder.read(run, () => undefined)) await decoder.converting;
    assert.ok(decoder.memoryBytes <= KIB, `${decoder.memoryBytes} bytes`);
  }
});

test('connections that are idle keep nothing of the large messages that they had', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const run = new ReadEntries();
  const message = Buffer.from(`${JSON.stringify({ short_message: `\n${'x'.repeat(KIB * KIB)}` })}\0`);
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 30 }, () => gelf(2 * KIB * KIB));
  for (const decoder of decoders) {
    for (let at = 0; at < message.length; at += 64 * KIB) {
      decoder.push(Buffer.from(message.subarray(at, at + 64 * KIB)));
      while (!decoder.read(run, () => undefined)) await decoder.converting;
    }
    run.take();
  }
  let kept = Infinity;
  // A thread of V8's sweeps buffers, when it comes to it.
  for (let i = 0; i < 50 && kept >= 15 * KIB * KIB; i += 1) {
    collect();
    await new Promise(setImmediate);
    kept = process.memoryUsage().arrayBuffers - before;
  }
  assert.equal(
    decoders.reduce((sum, { heldBytes }) => sum + heldBytes, 0),
    0,
  );
  assert.ok(kept < 15 * KIB * KIB, `${kept} bytes are kept`);
});

test('who holds most of a message for longest is relieved, not whoever reads', async () => {
  const held = newHeld(4 * KIB * KIB);
  const decoder = () => gelf(2 * KIB * KIB);
  const idle = Array.from({ length: 5 }, () => open(decoder(), { held }));
  for (const { socket } of idle) socket.write(Buffer.alloc(KIB * KIB, 'x'));
  const good = open(decoder(), { held });
  const message = JSON.stringify({ short_message: 'x'.repeat(100 * KIB) });
  good.socket.write(message.slice(0, 90 * KIB));
  await new Promise(setImmediate);
  assert.ok(held.bytes <= 4 * KIB * KIB);
  good.socket.end(`${message.slice(90 * KIB)}\0`);
  await good.session.closed;
  assert.equal(good.intake.deadLettered.length, 0);
  assert.equal(good.intake.chunks.length, 1);
  for (const { socket, session } of idle) {
    socket.destroy();
    await session.closed;
  }
  for (const { intake } of idle) assert.equal(intake.deadLettered.length, 1);
  assert.equal(held.bytes, 0);
});

test('many small beginnings: connections are closed, and what they held is with the dead letters', async () => {
  const held = newHeld(KIB * KIB);
  const idle = Array.from({ length: 30 }, () => open(gelf(2 * KIB * KIB), { held }));
  for (const { socket } of idle) {
    socket.write(Buffer.alloc(50 * KIB, 'x'));
    await new Promise(setImmediate);
  }
  assert.ok(held.bytes <= KIB * KIB);
  const closed = idle.filter(({ ended }) => ended.length > 0);
  assert.equal(closed.length, 10);
  for (const { session, intake, ended } of closed) {
    await session.closed;
    assert.deepEqual(ended, ['slow_when_full']);
    assert.equal(intake.deadLettered[0]?.bytes.length, 50 * KIB);
  }
  for (const { socket } of idle) socket.destroy();
});
