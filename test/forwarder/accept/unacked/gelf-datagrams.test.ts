// Datagrams of GELF and syslog beside each other: large ones and small ones, of one sender and of others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decodeMulti } from '@msgpack/msgpack';
import { GelfDatagrams } from '#forwarder/accept/gelf/gelf-datagrams.ts';
import { LARGE_MESSAGE_BYTES, LargeMessages } from '#forwarder/accept/convert/large-messages.ts';
import { SyslogDatagrams } from '#forwarder/accept/syslog/syslog-datagrams.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { Unacked } from '#forwarder/accept/unacked/unacked-retry.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

const KIB = 1024;
const MESSAGE_BYTES_MAX = 256 * KIB;

/** Converts nothing before it is told to. */
class HeldUp extends LargeMessages {
  readonly #gate = Promise.withResolvers<void>();

  override async convert(text: Buffer): ReturnType<LargeMessages['convert']> {
    await this.#gate.promise;
    return super.convert(text);
  }

  release(): void {
    this.#gate.resolve();
  }
}

function common(clock: Clock = systemClock) {
  const intake = new FakeIntake();
  const silent = () => undefined;
  const metrics = new Metrics({ version: '0', command: 'test' });
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const telemetry = new ForwarderTelemetry(metrics, log);
  const unacked = new Unacked({ intake, telemetry, clock });
  const admit = () => ANYONE;
  const options = { input: 'gelf', tag: 'gelf', datagramRates: null, unacked, telemetry, clock, admit } as const;
  const messages = (): unknown[] =>
    intake.chunks.flatMap(({ entries, sender }) =>
      Array.from(decodeMulti(entries), (entry) => {
        const [, record] = entry as [unknown, Record<string, unknown>];
        return `${sender} ${String(record['message'])}`;
      }),
    );
  return { options, intake, messages, metrics };
}

function open(large: LargeMessages, clock?: Clock) {
  const { options, ...rest } = common(clock);
  return { ...rest, datagrams: new GelfDatagrams({ ...options, large, messageBytesMax: MESSAGE_BYTES_MAX }) };
}

const message = (name: string, bytes = 0): Buffer =>
  Buffer.from(JSON.stringify({ short_message: name, pad: 'x'.repeat(bytes) }));

/** The message in datagrams as large as they can be. */
function chunksOf(text: Buffer, id: number): Buffer[] {
  const size = 65_000;
  const count = Math.ceil(text.length / size);
  return Array.from({ length: count }, (_, i) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f, 0, 0, 0, 0, 0, 0, 0, id, i, count]),
      text.subarray(i * size, (i + 1) * size),
    ]),
  );
}

test('large messages: whole, packed or in chunks, each in the order of its sender, and of no other', async () => {
  await using large = new HeldUp({ clock: systemClock });
  const { intake, datagrams, messages } = open(large);
  datagrams.take(gzipSync(message('a1', 150 * KIB)), 'a');
  datagrams.take(message('a2'), 'a');
  for (const chunk of chunksOf(message('a3', 200 * KIB), 1)) datagrams.take(chunk, 'a');
  datagrams.take(gzipSync(message('a4')), 'a');
  datagrams.take(gzipSync(message('b1')), 'b');
  datagrams.take(message('b2'), 'b');
  datagrams.take(message('c1'), 'c');
  while (messages().length < 3) await new Promise(setImmediate);
  assert.deepEqual(new Set(messages()), new Set(['b b1', 'b b2', 'c c1']));
  large.release();
  await datagrams[Symbol.asyncDispose]();
  assert.deepEqual(
    messages().filter((one) => String(one).startsWith('a')),
    ['a a1', 'a a2', 'a a3', 'a a4'],
  );
  assert.equal(intake.deadLettered.length, 0);
});

test('a message in chunks may have no more bytes than another one', async () => {
  await using large = new LargeMessages({ clock: systemClock });
  const { intake, datagrams, messages } = open(large);
  for (const chunk of chunksOf(message('too large', MESSAGE_BYTES_MAX), 1)) datagrams.take(chunk, 'a');
  datagrams.take(message('good'), 'a');
  await datagrams[Symbol.asyncDispose]();
  assert.deepEqual(messages(), ['a good']);
  assert.deepEqual(
    intake.deadLettered.map(({ reason, bytes }) => [reason, bytes.length]),
    [['chunk_too_large', MESSAGE_BYTES_MAX]],
  );
});

test('large messages that find no room are dropped, and counted; small ones pass', async () => {
  await using large = new HeldUp({ clock: systemClock });
  Object.defineProperty(large, 'hasRoom', { value: false });
  const { datagrams, messages, metrics } = open(large);
  datagrams.take(gzipSync(message('large', LARGE_MESSAGE_BYTES)), 'a');
  datagrams.take(message('small'), 'a');
  await datagrams[Symbol.asyncDispose]();
  assert.deepEqual(messages(), ['a small']);
  assert.match((await metrics.render()).body, /events_dropped_total\{stage="edge",reason="udp_no_room"\} 1\n/);
});

test('a stop waits for large messages no longer than it may; what is left is counted', async () => {
  const clock = new VirtualClock();
  await using large = new HeldUp({ clock });
  const { datagrams, messages, metrics } = open(large, clock);
  for (const name of ['a1', 'a2', 'a3']) datagrams.take(gzipSync(message(name, 150 * KIB)), 'a');
  datagrams.take(message('b1'), 'b');
  const ended = datagrams[Symbol.asyncDispose]();
  await clock.advance(5000);
  await ended;
  assert.deepEqual(messages(), ['b b1']);
  assert.match((await metrics.render()).body, /events_dropped_total\{stage="edge",reason="shutting_down"\} 3\n/);
});

test('one sender cannot fill what waits', async () => {
  await using large = new HeldUp({ clock: systemClock });
  const { datagrams, messages } = open(large);
  const noise = (name: string) => gzipSync(message(name, 100 * KIB), { level: 0 });
  for (let i = 0; i < 100; i++) datagrams.take(noise(`a${i}`), 'a');
  datagrams.take(gzipSync(message('b')), 'b');
  while (messages().length < 1) await new Promise(setImmediate);
  assert.deepEqual(messages(), ['b b']);
  large.release();
  await datagrams[Symbol.asyncDispose]();
  const taken = messages().filter((one) => String(one).startsWith('a')).length;
  assert.ok(taken >= 30 && taken <= 50, `${taken} of 100 were taken`);
});

test('datagrams that come together: no more of them in a turn than it may have, in order', async () => {
  await using large = new LargeMessages({ clock: systemClock });
  const { datagrams, messages } = open(large);
  const names = Array.from({ length: 32 }, (_, i) => `m${i}`);
  for (const name of names) datagrams.take(message(name, 60 * KIB), 'a');
  // At the end of a run's 256 KiB it goes on at once.
  const taken = messages().length;
  await datagrams[Symbol.asyncDispose]();
  assert.ok(taken < 10, `${taken} in the turn in which they came`);
  assert.deepEqual(
    messages(),
    names.map((name) => `a ${name}`),
  );
});

test('the same of syslog', async () => {
  const { options, messages } = common();
  const datagrams = new SyslogDatagrams({ ...options, input: 'syslog', tag: 'syslog', zone: new TimeZone('UTC') });
  const names = Array.from({ length: 32 }, (_, i) => `m${i}`);
  for (const name of names) datagrams.take(Buffer.from(`<13>${name} ${'x'.repeat(60 * KIB)}`), 'a');
  const taken = messages().length;
  await datagrams[Symbol.asyncDispose]();
  assert.ok(taken < 10, `${taken} in the turn in which they came`);
  assert.deepEqual(
    messages().map((one) => String(one).slice(0, 5).trim()),
    names.map((name) => `a ${name}`),
  );
});
