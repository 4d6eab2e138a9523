// The handshake's frames, as others send and read them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { decodePing, encodeHelo, encodePong, encodeRefusal, type Ping } from '#forwarder/decode/forward/handshake.ts';

const words = { hostname: 'node-1', salt: 'salt', keyDigest: 'k'.repeat(128), user: 'u', passwordDigest: 'p' };
const texts = (ping: Ping | null) => ping && Object.fromEntries(Object.entries(ping).map(([k, v]) => [k, String(v)]));

test('HELO has a nonce of its own, and a salt where users are asked for', () => {
  const decoded = (auth: Buffer | null) => decode(encodeHelo(Buffer.alloc(16, 1), auth));
  const salt = Buffer.alloc(16, 2);
  assert.deepEqual(decoded(null), ['HELO', { nonce: Buffer.alloc(16, 1), auth: '', keepalive: true }]);
  assert.deepEqual(decoded(salt), ['HELO', { nonce: Buffer.alloc(16, 1), auth: salt, keepalive: true }]);
});

test('PONG says yes with a digest, or no with a reason', () => {
  assert.deepEqual(decode(encodePong('server', 'digest')), ['PONG', true, '', 'server', 'digest']);
  assert.deepEqual(decode(encodeRefusal('why')), ['PONG', false, 'why', '', '']);
});

test('a PING is read whether its words are str or bin', () => {
  const values = Object.values(words);
  assert.deepEqual(texts(decodePing(Buffer.from(encode(['PING', ...values])))), words);
  assert.deepEqual(texts(decodePing(Buffer.from(encode(['PING', ...values.map((word) => Buffer.from(word))])))), words);
});

test('a PING that is cut, or has bytes left over, is none', () => {
  const ping = Buffer.from(encode(['PING', ...Object.values(words)]));
  for (let cut = 0; cut < ping.length; cut += 1) assert.equal(decodePing(ping.subarray(0, cut)), null, `cut at ${cut}`);
  assert.equal(decodePing(Buffer.concat([ping, Buffer.of(0xc0)])), null);
});

test('whatever shape a PING has, it is read or refused, never thrown at', () => {
  const word = fc.oneof(
    fc.string(),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(null, true, 7, -1, 1.5, [], {}, ['PING'], { a: [] }),
  );
  const shape = fc.oneof(
    fc.tuple(fc.constant('PING'), word, word, word, word, word),
    fc.array(word, { maxLength: 8 }),
    fc.tuple(fc.constant('PING'), fc.string({ minLength: 1 }), word, word, word, word),
  );
  fc.assert(
    fc.property(shape, (elements) => {
      const ping = decodePing(Buffer.from(encode(elements)));
      const isWord = (value: unknown) => typeof value === 'string' || Buffer.isBuffer(value);
      const hostname = elements[1];
      const isName = isWord(hostname) && String(hostname) !== '';
      if (ping) assert.ok(elements.length === 6 && elements.every(isWord) && isName);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodePing(Buffer.from(bytes))));
});
