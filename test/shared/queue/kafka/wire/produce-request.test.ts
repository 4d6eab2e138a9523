// Produce requests: the checksum by known values, and the bytes of a small request by hand. That a broker takes them
// and gives back the same is in test/contract/queue-append.test.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '#shared/queue/kafka/wire/crc32c.ts';
import { encodeProduceRequest } from '#shared/queue/kafka/wire/produce-request.ts';

describe('crc32c', () => {
  const check = (bytes: Uint8Array, expected: number): void => assert.equal(crc32c(bytes, 0, bytes.length), expected);

  it('has the values of RFC 3720, B.4, and of the usual check', () => {
    check(new Uint8Array(), 0);
    check(Buffer.from('123456789'), 0xe3069283);
    check(new Uint8Array(32), 0x8a9136aa);
    check(new Uint8Array(32).fill(0xff), 0x62a8ab43);
    check(
      Uint8Array.from({ length: 32 }, (_, i) => i),
      0x46dd794e,
    );
    check(
      Uint8Array.from({ length: 32 }, (_, i) => 31 - i),
      0x113fdb5c,
    );
  });

  it('is that of the part, wherever it lies', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 9 }), (part, before) => {
        const whole = Buffer.concat([before, part, before]);
        assert.equal(crc32c(whole, before.length, before.length + part.length), crc32c(part, 0, part.length));
      }),
    );
  });
});

describe('produce request', () => {
  it('is laid out as drawn', () => {
    const value = Buffer.from('value');
    const request = encodeProduceRequest(
      {
        acks: -1,
        timeout: 1000,
        topicData: [
          { topic: 'tö', partitions: [{ partition: 7, messages: [{ value, headers: { é: Buffer.from('h') } }] }] },
        ],
      },
      1,
    );
    const expected = [
      'ffff ffff 000003e8 00000001',
      '0003 74c3b6 00000001',
      '00000007 0000004e',
      '0000000000000000 00000042 ffffffff 02',
      'xxxxxxxx 0000 00000000 0000000000000001 0000000000000001 ffffffffffffffff ffff ffffffff 00000001',
      '20 00 00 00 01 0a 76616c7565',
      '02 04 c3a9 02 68',
    ]
      .join('')
      .replaceAll(' ', '');
    const hex = request.toString('hex');
    const crcAt = expected.indexOf('x');
    assert.equal(hex.slice(0, crcAt), expected.slice(0, crcAt));
    assert.equal(hex.slice(crcAt + 8), expected.slice(crcAt + 8));
    assert.equal(request.readUInt32BE(crcAt / 2), crc32c(request, crcAt / 2 + 4, request.length));
  });

  it('has the size that it says, whatever is in it', () => {
    const headers = fc.dictionary(fc.string(), fc.uint8Array({ maxLength: 200 }));
    const value = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(70_000)));
    const messages = fc.array(fc.record({ value, headers }), { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(messages, (some) => {
        const topicData = [{ topic: 't', partitions: [{ partition: 0, messages: some }] }];
        // It asserts that by itself; and the batch ends where the request does.
        const request = encodeProduceRequest({ acks: -1, timeout: 1, topicData }, 1);
        assert.equal(request.readInt32BE(23), request.length - 27);
      }),
      { numRuns: 50 },
    );
  });
});
