// GELF: what Docker sent (test/fixtures/gelf), cut at every place and damaged; the fields of a message; chunks and
// their bounds.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type GaveUp, GelfChunks, isGelfChunk } from '#forwarder/decode/gelf/gelf-chunks.ts';
import { captured, sentBy } from '#test/fixtures/gelf/captured.ts';
import { readDatagrams, readMessage, readStream } from './gelf-stream.ts';

for (const one of captured) {
  const sent = sentBy(one);
  describe(`${one.from}: ${one.how}`, () => {
    if (one.transport === 'udp') {
      test('datagrams', () => assert.deepEqual(readDatagrams(sent), one.messages));
      test('chunks in the reverse order, and each twice', () => {
        const chunks = sent.filter(isGelfChunk);
        const expected = readDatagrams(chunks);
        assert.equal(readDatagrams(chunks.flatMap((chunk) => [chunk, chunk]).toReversed()).length, expected.length);
      });
      return;
    }
    const bytes = Buffer.concat(sent);
    test('whole', () => assert.deepEqual(readStream([bytes]), one.messages));
    test('cut at every place', () => {
      for (let at = 0; at <= bytes.length; at += at > 3000 && at < 20_000 ? 997 : 1) {
        const cut = readStream([bytes.subarray(0, at), bytes.subarray(at)]);
        assert.deepEqual(cut.length, one.messages.length, `cut at ${at}`);
        if (at % 64 === 0) assert.deepEqual(cut, one.messages, `cut at ${at}`);
      }
    });
    test('byte by byte', () => {
      const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
      assert.deepEqual(readStream(pieces), one.messages);
    });
  });
}

function check(message: object | string, expected: unknown): void {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  assert.deepEqual(readMessage(Buffer.from(text)), expected, text);
}

test('the fields of a message', () => {
  check(
    { version: '1.1', host: 'h', short_message: 's', level: 3 },
    { time: 0, host: 'h', message: 's', level: 'err' },
  );
  check({ short_message: 's', full_message: 's\n  at f' }, { time: 0, message: 's\n  at f' });
  check({ short_message: 's', full_message: 'trace' }, { time: 0, short_message: 's', message: 'trace' });
  check({ short_message: 's', full_message: '' }, { time: 0, message: 's', full_message: '' });
  check({ full_message: 'f' }, { time: 0, message: 'f' });
  check({ short_message: 5 }, { time: 0, message: 5 });
  check({ _a: 1, _b: 'x', __c: null }, { time: 0, a: 1, b: 'x', _c: null });
  check({ _host: 'x', _level: 'y', _message: 'z', _: 1 }, { time: 0, _host: 'x', _level: 'y', _message: 'z', _: 1 });
  check({ level: 8 }, { time: 0, level: 8 });
  check({ level: 'warn', facility: 'f', line: 7 }, { time: 0, level: 'warn', facility: 'f', line: 7 });
  check({}, { time: 0 });
});

test('the time of a message', () => {
  check('{"timestamp":1795243615.123456789}', { time: '2026-11-21T06:46:55.123456789Z' });
  check('{"timestamp":1795243615}', { time: '2026-11-21T06:46:55Z' });
  check('{"timestamp":"1795243615.5"}', { time: '2026-11-21T06:46:55.5Z' });
  check('{"timestamp":1.7952436155E9}', { time: '2026-11-21T06:46:55.5Z' });
  // Milliseconds, and what is no number, stay for the reader to see.
  check('{"timestamp":1795243615272}', { time: 0, timestamp: 1_795_243_615_272 });
  check('{"timestamp":"now"}', { time: 0, timestamp: 'now' });
});

test('what is no message', () => {
  check('', 'malformed: a message is a JSON object');
  check('[]', 'malformed: a message is a JSON object');
  check('{"a":1} {', 'malformed: there is more after the message (byte 8)');
  check('{"a":', 'malformed: it ends where a value is missing (byte 5)');
});

test('any text is a message or malformed', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      // The decoder that the test looks with refuses this key.
      fc.pre(!text.includes('__proto__'));
      readMessage(Buffer.from(text));
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void readMessage(Buffer.concat([Buffer.from('{"'), bytes]))));
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (pieces) => void readStream(pieces.map((piece) => Buffer.from(piece)))),
  );
});

test('a text that is too long is told, and the next one is read', () => {
  const long = `{"a":"${'x'.repeat(3000)}"}`;
  for (const stream of [`${long}\0{"b":1}\0`, `{"b":1}\0${long}\0`, `${long}\0\0${long}\0{"b":1}`]) {
    const bytes = Buffer.from(stream);
    const expected = readStream([bytes], 1000);
    assert.deepEqual(
      expected.filter((one) => one !== 'too_large'),
      [{ time: 0, b: 1 }],
    );
    for (let at = 0; at < bytes.length; at += 13) {
      const seen = readStream([bytes.subarray(0, at), bytes.subarray(at)], 1000);
      assert.deepEqual(seen, expected, `cut at ${at}`);
    }
  }
});

const limits = { timeoutMs: 5000, bytesMax: 20_000, messagesMax: 8, senderBytesMax: 10_000, senderMessagesMax: 4 };

function newChunks() {
  const gaveUp: GaveUp[] = [];
  return { chunks: new GelfChunks(limits, (why) => gaveUp.push(why)), gaveUp };
}

function chunk(id: number, sequence: number, count: number, text = 'x'): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x1e0f);
  header.writeBigUInt64BE(BigInt(id), 2);
  header[10] = sequence;
  header[11] = count;
  return Buffer.concat([header, Buffer.from(text)]);
}

test('chunks in any order', () => {
  const { chunks, gaveUp } = newChunks();
  assert.equal(chunks.add(chunk(1, 2, 3, 'c'), 'a', 0), 'wait');
  assert.equal(chunks.add(chunk(1, 0, 3, 'a'), 'a', 0), 'wait');
  assert.equal(chunks.add(chunk(1, 0, 3, '?'), 'a', 0), 'wait', 'twice');
  assert.equal(chunks.add(chunk(1, 1, 3, '?'), 'b', 0), 'wait', 'of another sender');
  assert.deepEqual(chunks.add(chunk(1, 1, 3, 'b'), 'a', 0), Buffer.from('abc'));
  assert.deepEqual(chunks.add(chunk(2, 0, 1, 'one'), 'a', 0), Buffer.from('one'));
  assert.deepEqual(gaveUp, []);
  chunks.expire(5000);
  assert.deepEqual(gaveUp, ['incomplete']);
  assert.equal(chunks.bytes, 0);
  assert.equal(chunks.dueMs, null);
});

test('what can be no chunk', () => {
  const { chunks } = newChunks();
  for (const [sequence, count] of [
    [0, 0],
    [1, 1],
    [3, 2],
    [0, 129],
    [200, 255],
  ] as const)
    assert.equal(chunks.add(chunk(1, sequence, count), 'a', 0), 'malformed');
  assert.equal(chunks.add(Buffer.of(0x1e, 0x0f, 1), 'a', 0), 'malformed');
  assert.equal(chunks.add(chunk(1, 0, 2), 'a', 0), 'wait');
  assert.equal(chunks.add(chunk(1, 1, 3), 'a', 0), 'malformed', 'another count');
});

test('a sender that never ends its messages loses its own, the oldest first', () => {
  const { chunks, gaveUp } = newChunks();
  chunks.add(chunk(1, 0, 2, 'kept'), 'quiet', 0);
  for (let id = 0; id < 100; id += 1) chunks.add(chunk(id, 0, 128), 'loud', 1);
  assert.equal(gaveUp.length, 96);
  for (let id = 200; id < 220; id += 1) chunks.add(chunk(id, 0, 128, 'x'.repeat(4000)), 'loud', 2);
  assert.ok(chunks.bytes <= limits.senderBytesMax + 2048);
  assert.deepEqual(chunks.add(chunk(1, 1, 2, '!'), 'quiet', 3), Buffer.from('kept!'));
});

test('a part of a byte counts as what it costs, and only its bytes are told as lost', () => {
  const lost: number[] = [];
  const chunks = new GelfChunks(limits, (_why, bytes) => lost.push(bytes));
  for (let sequence = 0; sequence < 127; sequence += 1) chunks.add(chunk(1, sequence, 128), 'a', 0);
  assert.ok(lost.length > 0, 'a buffer of a byte takes hundreds');
  assert.ok(lost.every((bytes) => bytes < 40));
  assert.ok(chunks.bytes <= limits.senderBytesMax);
});

test('whoever has an IPv6 network of 64 bits is one sender', () => {
  const { chunks, gaveUp } = newChunks();
  chunks.add(chunk(1, 0, 2, 'kept'), '2001:db8:0:1::1', 0);
  for (let host = 1; host <= 100; host += 1) chunks.add(chunk(1, 0, 2), `2001:db8::${host}`, 1);
  assert.equal(gaveUp.length, 96);
  assert.deepEqual(chunks.add(chunk(1, 1, 2, '!'), '2001:db8:0:1::1', 2), Buffer.from('kept!'));
});

test('many senders together are bounded', () => {
  const { chunks, gaveUp } = newChunks();
  for (let sender = 0; sender < 50; sender += 1)
    chunks.add(chunk(1, 0, 2, 'x'.repeat(5000)), `sender ${sender}`, sender);
  assert.ok(chunks.bytes <= limits.bytesMax);
  assert.equal(gaveUp.length, 50 - Math.floor(limits.bytesMax / (5000 + 1024 + 320)));
  assert.ok(gaveUp.every((why) => why === 'no_room'));
  chunks.clear();
  assert.equal(chunks.bytes, 0);
  assert.equal(gaveUp.length, 50);
});
