// Messages of a stream that are large: converted elsewhere, in order, while their connection is not read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti } from '@msgpack/msgpack';
import { LargeMessages, PERHAPS_LARGE_BYTES } from '#forwarder/accept/convert/large-messages.ts';
import { systemClock } from '#shared/clock.ts';
import type { FakeIntake } from '../forward/fake-intake.ts';
import { KIB, open, gelf } from './stream-session-fixture.ts';

const messagesIn = ({ chunks }: FakeIntake): unknown[] =>
  chunks.flatMap(({ entries }) =>
    Array.from(decodeMulti(entries), (entry) => (entry as [unknown, Record<string, unknown>])[1]['message']),
  );
const numbers = '1e-7,'.repeat(25_000);
const big = (name: string): string => `{"short_message":"${name}","_n":[${numbers}1]}`;

test('a large message is converted elsewhere: in order, and its connection is not read meanwhile', async () => {
  const decoder = gelf(KIB * KIB);
  const { intake, socket, session } = open(decoder);
  socket.write(`{"short_message":"first"}\0${big('big')}\0{"short_message":"last"}\0`);
  await new Promise(setImmediate);
  assert.ok(decoder.converting, 'it took no turn of ours');
  assert.ok(socket.isPaused());
  assert.deepEqual(messagesIn(intake), ['first']);
  socket.end(`${big('at the end')}\0{"short_message":"end"}`);
  await session.closed;
  assert.deepEqual(messagesIn(intake), ['first', 'big', 'last', 'at the end', 'end']);
  assert.equal(intake.deadLettered.length, 0);
});

test('a large message that is none is for the dead letters, also of a connection that broke', async () => {
  const { intake, socket, session } = open(gelf(KIB * KIB));
  const bad = big('bad').slice(0, -1);
  socket.write(`${bad}\0{"short_message":"behind"}\0`);
  await new Promise(setImmediate);
  socket.destroy();
  await session.closed;
  assert.equal(intake.deadLettered.length, 1);
  assert.equal(Buffer.from(intake.deadLettered[0]!.bytes).toString(), bad);
  assert.match(intake.deadLettered[0]!.error, /^not a GELF message: it ends where/);
  assert.deepEqual(messagesIn(intake), ['behind']);
});

test('a message that costs more than it may is for the dead letters, and those behind it are converted', async () => {
  let budgetMs = 0;
  await using costly = new LargeMessages({ clock: systemClock, budgetMs: () => budgetMs });
  const { intake, socket, session } = open(gelf(16 * KIB * KIB, costly));
  const text = `{"short_message":"costly","_n":[${numbers.repeat(40)}1]}`;
  socket.write(`${text}\0`);
  while (intake.deadLettered.length === 0) await new Promise(setImmediate);
  assert.ok(Buffer.from(intake.deadLettered[0]!.bytes).equals(Buffer.from(text)));
  assert.match(intake.deadLettered[0]!.error, /more processor time than/);
  budgetMs = 60_000;
  socket.end(`${big('behind')}\0`);
  await session.closed;
  assert.deepEqual(messagesIn(intake), ['behind']);
});

class FullMessages extends LargeMessages {
  isFull = true;
  readonly #freed = Promise.withResolvers<void>();

  override get hasRoom(): boolean {
    return !this.isFull;
  }

  override room(): Promise<void> {
    return this.#freed.promise;
  }

  free(): void {
    this.isFull = false;
    this.#freed.resolve();
  }
}

test('while large messages wait, no others are made whole; small ones pass', async () => {
  await using full = new FullMessages({ clock: systemClock });
  const [large1, large2, small] = [1, 2, 3].map(() => open(gelf(KIB * KIB, full)));
  assert(large1 && large2 && small);
  const half = big('large').slice(0, PERHAPS_LARGE_BYTES + 1);
  const rest = big('large').slice(half.length);
  for (const { socket } of [large1, large2]) socket.write(half);
  small.socket.write('{"short_message":"small"}\0{"short');
  await small.intake.arrived(1);
  assert.deepEqual(
    [large1, large2, small].map(({ socket }) => socket.isPaused()),
    [true, true, false],
  );
  large1.socket.destroy();
  await large1.session.closed;
  assert.equal(large1.intake.deadLettered.length, 1, 'who is gone does not wait');
  full.free();
  large2.socket.end(`${rest}\0`);
  await large2.session.closed;
  assert.deepEqual(messagesIn(large2.intake), ['large']);
  small.socket.end('_message":"behind"}');
  await small.session.closed;
  assert.deepEqual(messagesIn(small.intake), ['small', 'behind']);
});
