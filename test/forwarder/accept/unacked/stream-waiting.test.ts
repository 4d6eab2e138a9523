// Streams that wait, for room or for their turn: what waits is counted, nobody goes before, and a stop takes it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '#forwarder/accept/turns/step-scheduler.ts';
import { UnreadRests } from '#forwarder/accept/unacked/unread-rests.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { KIB, newUnacked, newHeld, open, gelf, messagesOf, eventsOf, settled } from './stream-session-fixture.ts';

test('who comes, sends and goes while there is no room waits for room, and is counted', async () => {
  const rests = new UnreadRests(KIB * KIB);
  const held = newHeld();
  const gone = Array.from({ length: 200 }, () => open(gelf(), { rests, held }));
  for (const { intake, socket } of gone) {
    intake.fill();
    socket.write('{"short_message":"good"}\0'.repeat(1000));
    await settled();
    socket.destroy();
    await settled();
  }
  // One alone has a half of it, and a read each.
  assert.ok(rests.bytes > 400 * KIB && rests.bytes < 700 * KIB, `${rests.bytes} bytes`);
  assert.equal(held.bytes, 0);
  assert.equal(
    gone.reduce((sum, { intake }) => sum + eventsOf(intake), 0),
    0,
  );
  for (const { intake } of gone) intake.drain();
  for (const { session } of gone) await session.closed;
  assert.equal(rests.bytes, 0);
  const taken = gone.map(({ intake }) => eventsOf(intake)).filter((count) => count > 0);
  assert.ok(taken.length > 10 && taken.every((count) => count === 1000), `${taken.length}`);
});

test('of those who were woken by the same room, who comes too late waits again', async () => {
  const [intake, turns] = [new FakeIntake(), new Turns(systemClock)];
  intake.fill();
  const many = Array.from({ length: 20 }, () => open(gelf(), { intake, turns }));
  for (const { socket } of many) socket.write('{"short_message":"good"}\0'.repeat(300));
  await settled();
  assert.equal(intake.chunks.length, 0);
  intake.refuse = () => {
    intake.fill();
    return null;
  };
  intake.drain();
  // Each has three steps.
  while (turns.given < 60) await settled();
  assert.equal(intake.chunks.length, 1);
  intake.refuse = () => null;
  intake.drain();
  for (const { socket } of many) socket.end();
  for (const { session } of many) await session.closed;
  assert.equal(eventsOf(intake), 20 * 300);
});

test('a stop takes what was read without room', async () => {
  const { intake, socket, session } = open(gelf());
  intake.fill();
  socket.write('{"short_message":"good"}\0'.repeat(300));
  await settled();
  const closed = session.close();
  socket.destroy();
  await closed;
  assert.equal(eventsOf(intake), 300);
});

test('what waits for its turn is counted: whoever has more than he leaves free is read no further', async () => {
  const rests = new UnreadRests(KIB * KIB);
  // Nobody has a turn.
  const turns = { next: () => new Promise<void>(() => undefined) } as unknown as Turns;
  const many = Array.from({ length: 40 }, () => open(gelf(), { rests, turns }));
  for (const { socket } of many) {
    socket.write('x\0'.repeat(15 * KIB));
    await settled();
  }
  assert.ok(rests.bytes > 400 * KIB && rests.bytes < 600 * KIB, `${rests.bytes} bytes`);
  const idle = open(gelf(), { rests, turns });
  await settled();
  assert.ok(idle.socket.isPaused());
  const other = open(gelf(), { rests, turns, sender: '192.0.2.2' });
  other.socket.write('{"short_message":"good"}\0');
  await other.intake.arrived(1);
  for (const { socket } of [...many, idle, other]) socket.destroy();
});

test('whoever was stopped for what waited is read on when it was taken', async () => {
  const rests = new UnreadRests(20 * KIB);
  const turns = new Turns(systemClock);
  const some = Array.from({ length: 10 }, () => open(gelf(), { rests, turns }));
  for (const { socket } of some) socket.write('x\0'.repeat(3 * KIB));
  for (const { socket } of some) socket.end();
  for (const { session } of some) await session.closed;
  for (const { intake } of some) assert.equal(messagesOf(intake.deadLettered), 3 * KIB);
  assert.equal(rests.bytes, 0);
});

test('turns go round the senders, whatever connections they have', async () => {
  const turns = new Turns(systemClock);
  const order: string[] = [];
  const asked = ['a', 'a', 'a', 'b', 'a', 'c', 'b'].map((sender) => turns.next(sender).then(() => order.push(sender)));
  await Promise.all(asked);
  assert.equal(order.join(''), 'abcabaa');
});

test('what is tried again is counted with what it costs', async () => {
  const intake = new FakeIntake();
  intake.refusal = new SluiceError('queue_unavailable', 'Cannot take events: a test says so');
  const unacked = newUnacked(intake);
  const letter = { tag: 'gelf', input: 'gelf', tenant: null, sender: '192.0.2.1', error: 'why' } as const;
  for (let i = 0; i < 2 * KIB; i += 1) {
    void unacked.deadLetter({ ...letter, bytes: Buffer.from('x'), reason: 'chunk_undecodable' });
  }
  await new Promise(setImmediate);
  assert.equal(unacked.hasRoom, false);
  intake.refusal = null;
  await unacked.close();
});
