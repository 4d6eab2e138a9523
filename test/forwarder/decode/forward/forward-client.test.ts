// The client's side of Forward mirrors the server's: what one writes the other reads, and no bytes make it throw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { encodeAck } from '#forwarder/decode/forward/forward-ack.ts';
import * as client from '#forwarder/decode/forward/forward-client.ts';
import {
  decodePing,
  encodeHelo,
  encodePong,
  encodeRefusal,
  handshakeDigest,
} from '#forwarder/decode/forward/handshake.ts';

const nonce = Buffer.alloc(16, 7);
const facts = { hostname: 'node-1', salt: 'a salt', key: 'the key' };

test('a handshake', () => {
  const helo = client.decodeHelo(encodeHelo(nonce, null));
  assert.deepEqual(helo, { nonce, asksForUser: false });
  assert.equal(client.decodeHelo(encodeHelo(nonce, Buffer.alloc(16)))?.asksForUser, true);
  const ping = decodePing(client.encodePing({ nonce, asksForUser: false }, facts));
  assert.equal(ping?.keyDigest.toString(), handshakeDigest('a salt', 'node-1', nonce, 'the key'));
  const check = (key: string, expected: boolean): void => {
    const pong = client.decodePong(encodePong('server', handshakeDigest('a salt', 'server', nonce, key)));
    assert.equal(pong !== null && client.isPongOf(pong, { nonce, asksForUser: false }, facts), expected);
  };
  check('the key', true);
  check('another key', false);
  // Who does not know the key has one digest that is made of it: ours.
  const sentBack = client.decodePong(encodePong('node-1', ping.keyDigest.toString()));
  assert.equal(client.isPongOf(sentBack!, { nonce, asksForUser: false }, facts), false);
  assert.deepEqual(client.decodePong(encodeRefusal('no')), { isAdmitted: false, reason: 'no', server: '', digest: '' });
});

test('an ack is of its chunk', () => {
  assert.equal(client.decodeAck(encodeAck(encode('abc'))), 'abc');
  for (const other of [{ ack: 1 }, { nack: 'abc' }, { ack: 'abc', more: 1 }, ['ack', 'abc'], null]) {
    assert.equal(client.decodeAck(Buffer.from(encode(other))), null);
  }
});

test('any bytes are something or nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const frame = Buffer.from(bytes);
      client.decodeHelo(frame);
      client.decodePong(frame);
      client.decodeAck(frame);
      const cut = encodeHelo(nonce, null).subarray(0, bytes.length);
      client.decodeHelo(cut);
    }),
  );
});
