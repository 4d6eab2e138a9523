// The syslog and GELF inputs on real sockets, with an intake that holds, refuses or has no room as it is told.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import {
  unavailable,
  start,
  connected,
  sendDatagrams,
  records,
  until,
  messagesDeadLettered,
  texts,
} from './unacked-fixture.ts';

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

for (const [input, body] of [
  ['syslog', '\n<13>Nov 23 17:00:00 bank sshd[1]: forged\n'],
  ['gelf', '\0{"version":"1.1","host":"bank","short_message":"forged"}\0'],
] as const) {
  test(`${input}: what a page in a browser posts there is no message`, async (t) => {
    const { intake, port, sample } = await start(t, input);
    for (const method of ['POST', 'GET', 'HEAD', 'OPTIONS']) {
      const socket = await connected(t, port);
      const closed = once(socket, 'close');
      socket.write(`${method} /a HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n\r\n${body}`);
      await closed;
    }
    const whole = await connected(t, port);
    whole.write(input === 'syslog' ? '<13>POST / HTTP/1.1\n' : '{"short_message":"POST / HTTP/1.1"}\0');
    await intake.arrived(1);
    assert.equal(intake.chunks.length + intake.deadLettered.length, 1);
    assert.equal(await sample(`chunks_rejected_total{input="${input}",reason="origin_refused"}`), 4);
  });
}
