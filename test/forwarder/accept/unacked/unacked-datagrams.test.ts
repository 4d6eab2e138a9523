// Datagrams of the syslog and GELF inputs on real sockets: chunks of a turn, and what is dropped and counted.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import { start, sendDatagrams, until, messagesDeadLettered, texts } from './unacked-fixture.ts';

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
    const text = '<13>' + 'x'.repeat(1000);
    const send = () => (left-- > 0 ? socket.send(text, ${port}, '127.0.0.1', send) : socket.close());
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
