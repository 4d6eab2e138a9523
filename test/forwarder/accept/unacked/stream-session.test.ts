// A connection without acks that brings thousands of messages in one read: steps, dead letters, and what is counted of
// them.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeMulti } from '@msgpack/msgpack';
import { BadMessages, type BadMessage } from '#forwarder/accept/unacked/bad-messages.ts';
import { ReadEntries } from '#forwarder/accept/unacked/read-entries.ts';
import { GelfDecoder } from '#forwarder/accept/gelf/gelf-decoder.ts';
import { HeldMessages } from '#forwarder/accept/unacked/held-messages.ts';
import { LargeMessages, PERHAPS_LARGE_BYTES } from '#forwarder/accept/convert/large-messages.ts';
import type { StreamDecoder } from '#forwarder/accept/unacked/stream-decoder.ts';
import { StreamSession } from '#forwarder/accept/unacked/stream-session.ts';
import { SyslogDecoder } from '#forwarder/accept/syslog/syslog-decoder.ts';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';
import { Turns } from '#forwarder/accept/turns/turns.ts';
import { Unacked } from '#forwarder/accept/unacked/unacked.ts';
import { UnreadRests } from '#forwarder/accept/unacked/unread-rests.ts';
import { LETTER_OVERHEAD_BYTES } from '#forwarder/intake/chunk.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

const KIB = 1024;
const IN_FLIGHT_BYTES_MAX = 4 * KIB * KIB;

function newUnacked(intake: FakeIntake): Unacked {
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log);
  return new Unacked({ intake, telemetry, clock: systemClock });
}

function newHeld(bytesMax = 16 * KIB * KIB): HeldMessages {
  return new HeldMessages({ bytesMax, timeoutMs: 300_000, clock: systemClock, hasRoom: () => true });
}

interface Given {
  readonly intake?: FakeIntake;
  readonly held?: HeldMessages;
  readonly rests?: UnreadRests;
  readonly turns?: Turns;
  readonly sender?: string;
}

function open(decoder: StreamDecoder, given: Given = {}) {
  const { intake = new FakeIntake() } = given;
  const unacked = newUnacked(intake);
  const { held = newHeld(), rests = new UnreadRests(8 * KIB * KIB), sender = '192.0.2.1' } = given;
  const { turns = new Turns(systemClock) } = given;
  const ended: string[] = [];
  const socket = new PassThrough();
  const session = new StreamSession(socket as unknown as Socket, {
    input: 'gelf',
    tag: 'gelf',
    sender,
    principal: ANYONE,
    rate: null,
    decoder,
    unacked,
    clock: systemClock,
    held,
    rests,
    turns,
    turnBytes: new TurnBytes(128 * KIB),
    ended: (reason) => ended.push(reason),
  });
  return { intake, unacked, turns, socket, session, ended };
}

const large = new LargeMessages({ clock: systemClock });
after(() => large[Symbol.asyncDispose]());
const gelf = (bytesMax = 64 * KIB, other = large) => new GelfDecoder(bytesMax, other);

function syslog(): SyslogDecoder {
  const newPartId = () => 'part';
  const options = { messageBytesMax: 64 * KIB, zone: new TimeZone('UTC'), clock: systemClock };
  return new SyslogDecoder({ ...options, sender: '192.0.2.1', newPartId });
}

const messagesOf = (letters: readonly BadMessage[]) => letters.reduce((sum, { count = 1 }) => sum + count, 0);
const textOf = (letters: readonly BadMessage[]) =>
  letters.map(({ bytes, count }) => Buffer.from(bytes).toString() + (count === undefined ? '\0' : '')).join('');

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
    intake.deadLettered.length <= IN_FLIGHT_BYTES_MAX / LETTER_OVERHEAD_BYTES + 1,
    `${intake.deadLettered.length} letters`,
  );
  assert.equal(messagesOf(intake.deadLettered), reads);
  intake.release();
  socket.end();
  await session.closed;
});

const eventsOf = ({ chunks }: FakeIntake) => chunks.reduce((sum, { count }) => sum + count, 0);
const settled = async () => {
  for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
};

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

test('turns go round the senders, whatever connections they have', async () => {
  const turns = new Turns(systemClock);
  const order: string[] = [];
  const asked = ['a', 'a', 'a', 'b', 'a', 'c', 'b'].map((sender) => turns.next(sender).then(() => order.push(sender)));
  await Promise.all(asked);
  assert.equal(order.join(''), 'abcabaa');
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

test('a letter of many is bounded, whatever they are', () => {
  const letters: BadMessage[] = [];
  const bad = new BadMessages(async (letter) => void letters.push(letter));
  for (let i = 0; i < 2000; i += 1) bad.add(Buffer.alloc(1000, 'x'), 'chunk_undecodable', 'why');
  bad.flush();
  assert.equal(messagesOf(letters), 2000);
  assert.equal(letters.length, 8 + Math.ceil((1992 * 1001) / (256 * KIB - 1000)));
  for (const { bytes } of letters) assert.ok(bytes.length <= 256 * KIB);
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
