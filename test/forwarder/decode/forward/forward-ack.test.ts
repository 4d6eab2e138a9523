// The ack: the chunk id as the sender wrote it, byte for byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { encodeAck, encodeJsonAck } from '#forwarder/decode/forward/forward-ack.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const check = (chunk: string, expected: string) =>
  test(chunk, () => assert.equal(encodeAck(hex(chunk)).toString('hex'), hex(expected).toString('hex')));
check('a3 616263', '81 a361636b a3 616263');
check('c4 02 00ff', '81 a361636b c4 02 00ff');
check('da 0001 61', '81 a361636b da 0001 61');
test('as JSON', () => assert.equal(encodeJsonAck(Buffer.from(encode('a"\n'))).toString(), '{"ack":"a\\"\\n"}'));
