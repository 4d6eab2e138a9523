// The syslog and GELF inputs on real sockets, with an intake that holds, refuses or has no room as it is told.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import { startGelfInput } from '#forwarder/accept/gelf/gelf-input.ts';
import { startSyslogInput } from '#forwarder/accept/syslog/syslog-input.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { ANYONE, type Principal } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { type EntrySpan, splitEntries } from '#shared/msgpack/split-entries.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

const unavailable = new SluiceError('queue_unavailable', 'Cannot take events: a test says so');

interface Setup {
  readonly listen?: string;
  readonly messageBytesMax?: number;
  readonly receiveBufferBytes?: number;
  readonly admit?: () => Principal | null;
}

async function start(t: TestContext, input: 'syslog' | 'gelf', setup: Setup = {}) {
  const {
    listen = '127.0.0.1:0',
    messageBytesMax = 65_536,
    receiveBufferBytes = 1 << 20,
    admit = () => ANYONE,
  } = setup;
  const intake = new FakeIntake();
  const metrics = new Metrics({ version: '0', command: 'test' });
  const logged: Record<string, unknown>[] = [];
  const note = (event: string, fields: object = {}) => void logged.push({ event, ...fields });
  const telemetry = new ForwarderTelemetry(metrics, { debug: note, info: note, warn: note, error: note });
  const door = openDoor({ input, admits: () => admit() !== null, telemetry });
  const edge = { intake, telemetry, clock: systemClock, door, admit };
  const common = { ...edge, tag: input, receiveBufferBytes, datagramRates: null };
  const server =
    input === 'syslog'
      ? await startSyslogInput({ ...common, listen, tlsListen: undefined, tls: null, timeZone: 'UTC', messageBytesMax })
      : await startGelfInput({ ...common, listen, messageBytesMax });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) await server.close();
    isClosed = true;
  };
  t.after(close);
  const port = Number(server.addresses[0]?.split(':').at(-1));
  const sample = async (line: string): Promise<number> => {
    const { body } = await metrics.render();
    return Number(
      body
        .split('\n')
        .find((row) => row.startsWith(`sluice_${line} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  };
  return { intake, close, port, sample, logged };
}

async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function sendDatagrams(port: number, datagrams: readonly (string | Buffer)[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const datagram of datagrams) {
    await new Promise<void>((resolve, reject) =>
      socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
  }
  socket.close();
}

type Fields = Record<string, unknown>;

function records(chunks: readonly Chunk[]): Fields[] {
  return chunks.flatMap(({ entries, count }) => {
    const found = spansOf(entries, entries.length);
    const values: Fields[] = [];
    for (const { start, end } of found) {
      for (let at = start; at < end;) {
        const one = nextEntry(entries, at, end);
        values.push(one.record);
        at = one.end;
      }
    }
    assert.equal(values.length, count);
    return values;
  });
}

function spansOf(bytes: Uint8Array, bytesMax: number): EntrySpan[] {
  return [...splitEntries(bytes, bytesMax)].filter((span) => span !== null);
}

function nextEntry(bytes: Uint8Array, at: number, end: number): { record: Fields; end: number } {
  for (const span of spansOf(bytes.subarray(at, end), 1)) {
    const [, record] = decode(bytes.subarray(at + span.start, at + span.end)) as [unknown, Fields];
    return { record, end: at + span.end };
  }
  throw new Error('there is no entry');
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(5);
}

const messagesDeadLettered = (intake: FakeIntake) => intake.deadLettered.reduce((sum, { count = 1 }) => sum + count, 0);
const texts = (intake: FakeIntake) => records(intake.chunks).map((record) => record['message'] ?? record['log']);

test('what comes in one read is one chunk, in order', async (t) => {
  const { intake, port } = await start(t, 'syslog');
  const socket = await connected(t, port);
  socket.write('<13>a\n<14>b\n5 <15>c<16>d\n');
  await intake.arrived(1);
  assert.deepEqual(texts(intake), ['a', 'b', 'c', 'd']);
  const { tag, input, sender, chunkId, count } = intake.chunks[0]!;
  assert.deepEqual(
    { tag, input, sender, chunkId, count },
    { tag: 'syslog', input: 'syslog', sender: '127.0.0.1', chunkId: null, count: 4 },
  );
});

test('a message that was begun is taken when the connection ends, or breaks', async (t) => {
  const { intake, port } = await start(t, 'syslog');
  const ending = await connected(t, port);
  ending.end('<13>ended');
  await intake.arrived(1);
  const breaking = await connected(t, port);
  breaking.write('<13>whole\n<13>broken');
  await intake.arrived(2);
  breaking.resetAndDestroy();
  await intake.arrived(3);
  assert.deepEqual(texts(intake), ['ended', 'whole', 'broken']);
});

test('a long message goes on in parts that the indexer joins', async (t) => {
  const { intake, port } = await start(t, 'syslog', { messageBytesMax: 2048 });
  const socket = await connected(t, port);
  const text = Array.from({ length: 2000 }, (_, i) => i).join('');
  socket.end(`<13>Nov 21 06:46:07 vm app: ${text}\n<13>next\n`);
  await until(() => texts(intake).includes('next'));
  const parts = records(intake.chunks).filter((record) => 'log' in record);
  assert.equal(parts.map((part) => part['log']).join(''), text);
  assert.deepEqual(
    parts.map((part) => part['partial_ordinal']),
    parts.map((_, i) => String(i + 1)),
  );
  assert.deepEqual(
    parts.map((part) => part['partial_last']),
    parts.map((_, i) => String(i === parts.length - 1)),
  );
  assert.equal(new Set(parts.map((part) => part['partial_id'])).size, 1);
  assert.equal(parts[0]?.['service'], 'app');
});

test('what intake refuses is tried again until it is held', async (t) => {
  const { intake, port, close, sample } = await start(t, 'syslog');
  intake.refusal = unavailable;
  const socket = await connected(t, port);
  socket.write('<13>a\n');
  await intake.arrived(2);
  intake.refusal = null;
  const attempts = intake.chunks.length;
  await intake.arrived(attempts + 1);
  await close();
  assert.equal(intake.chunks.length, attempts + 1);
  assert.equal(await sample('events_dropped_total{stage="edge",reason="queue_unavailable"}'), 0);
});

test('what is refused to the end is counted as dropped', async (t) => {
  const { intake, port, close, sample } = await start(t, 'syslog');
  intake.refusal = unavailable;
  const socket = await connected(t, port);
  socket.write('<13>a\n<13>b\n');
  await intake.arrived(1);
  await close();
  await until(async () => (await sample('events_dropped_total{stage="edge",reason="queue_unavailable"}')) === 2);
});

test('reading stops while there is no room', async (t) => {
  const { intake, port } = await start(t, 'syslog');
  intake.fill();
  const socket = await connected(t, port);
  const line = `<13>${'x'.repeat(1000)}\n`;
  let sent = 0;
  // As much as the kernel's buffers take.
  while (socket.write(line.repeat(64)) || socket.writableLength < 1 << 20) {
    sent += 64;
    if (sent > 100_000) assert.fail('it is read');
    await new Promise(setImmediate);
  }
  sent += 64;
  await systemClock.sleep(50);
  assert.equal(intake.chunks.length, 0);
  intake.drain();
  socket.end();
  await until(() => texts(intake).length === sent);
});

test('what was sent before the end is taken', async (t) => {
  const { intake, port, close } = await start(t, 'syslog');
  const socket = await connected(t, port);
  socket.write('<13>first\n');
  await intake.arrived(1);
  socket.write('<13>late\n');
  await close();
  assert.deepEqual(texts(intake), ['first', 'late']);
});

test('datagrams: each a message, those of one turn a chunk', async (t) => {
  const { intake, port } = await start(t, 'syslog');
  const sent = Array.from({ length: 50 }, (_, i) => `<13>${i}`);
  await sendDatagrams(port, sent);
  await until(() => texts(intake).length === 50);
  assert.deepEqual(
    texts(intake),
    sent.map((_, i) => String(i)),
  );
});

test('datagrams that find no room are counted', async (t) => {
  const { intake, port, close, sample } = await start(t, 'syslog');
  await sendDatagrams(port, ['<13>held']);
  await intake.arrived(1);
  intake.fill();
  await sendDatagrams(port, ['<13>lost', '<13>lost', '<13>lost']);
  await until(async () => (await sample('events_dropped_total{stage="edge",reason="udp_no_room"}')) === 3);
  await close();
  assert.equal(await sample('events_received_total{input="syslog"}'), 3, 'the fake intake counts nothing');
  assert.equal(await sample('ledger_imbalance{stage="edge"}'), 0);
  assert.deepEqual(texts(intake), ['held']);
});

const noTable = existsSync('/proc/net/udp') ? false : 'SKIPPED: this machine has no /proc/net/udp';

test('datagrams that the kernel drops are counted', { skip: noTable }, async (t) => {
  const { intake, port, close, sample } = await start(t, 'syslog', { receiveBufferBytes: 64 * 1024 });
  const count = 2000;
  const flood = `const socket = require('node:dgram').createSocket('udp4');
    let left = ${count};
    const send = () => (left-- > 0 ? socket.send('<13>' + 'x'.repeat(1000), ${port}, '127.0.0.1', send) : socket.close());
    send();`;
  // While this process waits for the other one it reads nothing.
  execFileSync(process.execPath, ['-e', flood]);
  const drops = (): Promise<number> => sample('udp_receive_drops_total{input="syslog"}');
  // What is in the kernel's buffer when the input is closed is neither read nor dropped by the kernel.
  await until(async () => (await drops()) + texts(intake).length >= count);
  await close();
  assert.ok((await drops()) > 0);
  assert.equal((await drops()) + texts(intake).length, count);
});

test('who is not let in is not read', async (t) => {
  const { intake, port, sample } = await start(t, 'syslog', { admit: () => null });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('<13>a\n');
  await once(socket, 'close');
  await sendDatagrams(port, ['<13>b']);
  await until(async () => (await sample('events_dropped_total{stage="edge",reason="not_allowed"}')) === 1);
  assert.equal(await sample('auth_failures_total{input="syslog",reason="network_refused"}'), 1);
  assert.deepEqual(intake.chunks, []);
});

test('the tenant and its prefix go with the chunk', async (t) => {
  const admit = () => ({ tenant: 'shop', tagPrefix: 'shop.', tags: null });
  const { intake, port } = await start(t, 'syslog', { admit });
  const socket = await connected(t, port);
  socket.end('<13>a\n');
  await intake.arrived(1);
  await sendDatagrams(port, ['<13>b']);
  await intake.arrived(2);
  for (const { tenant, tag } of intake.chunks)
    assert.deepEqual({ tenant, tag }, { tenant: 'shop', tag: 'shop.syslog' });
});

test('a unix socket, where NUL ends a message too', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-syslog-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { intake } = await start(t, 'syslog', { listen: `unix:${folder}/log` });
  const socket = connect(`${folder}/log`);
  socket.end('<13>Nov 21 06:46:07 a: 1\0<13>Nov 21 06:46:07 a: 2\n');
  await intake.arrived(1);
  assert.deepEqual(texts(intake), ['1', '2']);
  assert.equal(intake.chunks[0]?.sender, 'unix');
  assert.ok(!('host' in (records(intake.chunks)[0] ?? {})));
});

test('GELF over TCP', async (t) => {
  const { intake, port } = await start(t, 'gelf', { messageBytesMax: 20_000 });
  const socket = await connected(t, port);
  const long = JSON.stringify({ short_message: 'x'.repeat(50_000) });
  socket.end(`{"short_message":"a"}\0nothing\0${long}\0{"short_message":"b"}`);
  await until(() => texts(intake).includes('b'));
  assert.deepEqual(texts(intake), ['a', 'b']);
  assert.deepEqual(
    intake.deadLettered.map(({ reason }) => reason),
    ['chunk_undecodable', 'chunk_too_large'],
  );
});

test('GELF over TCP: bad messages that come together share letters, and each is counted', async (t) => {
  const { intake, port, sample, close } = await start(t, 'gelf');
  intake.refusal = new SluiceError('dead_letters_full', 'Cannot hold a dead letter: a test says so');
  const socket = await connected(t, port);
  socket.end('x\0'.repeat(32_768));
  await until(() => messagesDeadLettered(intake) === 32_768);
  // A read is rarely all of it, and each may have some of its own.
  assert.ok(intake.deadLettered.length < 200, `${intake.deadLettered.length} letters`);
  await close();
  assert.equal(await sample('events_dropped_total{stage="edge",reason="dead_letters_full"}'), 32_768);
  assert.equal(await sample('ledger_imbalance{stage="edge"}'), 0);
});

test('GELF datagrams stay in order, however they are packed', async (t) => {
  const { intake, port } = await start(t, 'gelf');
  const pack = [(text: Buffer) => text, (text: Buffer) => gzipSync(text), (text: Buffer) => deflateSync(text)] as const;
  const sent = Array.from({ length: 60 }, (_, i) =>
    pack[i % 3]!(Buffer.from(JSON.stringify({ short_message: String(i), pad: 'x'.repeat((i % 7) * 2000) }))),
  );
  await sendDatagrams(port, sent);
  await until(() => texts(intake).length === sent.length);
  assert.deepEqual(
    texts(intake),
    sent.map((_, i) => String(i)),
  );
});

test('GELF: bombs, garbage and chunks without end cost no more than themselves', async (t) => {
  const { intake, port, close, sample } = await start(t, 'gelf');
  const bomb = gzipSync(Buffer.alloc(30_000_000, '{'), { level: 9 });
  const header = (sequence: number, count: number) =>
    Buffer.from([0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, sequence, count]);
  await sendDatagrams(port, [
    bomb,
    'garbage',
    Buffer.concat([header(0, 2), Buffer.from('{"short_')]),
    Buffer.concat([header(9, 2), Buffer.from('?')]),
    gzipSync('{"short_message":"ok"}').subarray(0, 20),
    '{"short_message":"ok"}',
  ]);
  await intake.arrived(1);
  assert.deepEqual(texts(intake), ['ok']);
  assert.equal(intake.deadLettered.length, 4);
  await close();
  assert.equal(await sample('events_dropped_total{stage="edge",reason="gelf_incomplete"}'), 1);
});

test('gelf: what the dead letters have no place for is dropped at once, and keeps nobody waiting', async (t) => {
  const { intake, port, sample, close } = await start(t, 'gelf');
  intake.refusal = new SluiceError('dead_letters_full', 'Cannot hold a dead letter: a test says so');
  await sendDatagrams(port, Array(50).fill('xx'));
  while (messagesDeadLettered(intake) < 50) await new Promise(setImmediate);
  intake.refusal = null;
  await sendDatagrams(port, ['{"short_message":"good"}']);
  await intake.arrived(1);
  assert.equal(messagesDeadLettered(intake), 50, 'none is tried again');
  await close();
  assert.equal(await sample('events_dropped_total{stage="edge",reason="dead_letters_full"}'), 50);
});
