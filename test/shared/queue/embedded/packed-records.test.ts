// Frames and headers come out as they went in.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeHeaders, encodeHeaders, packRecords, unpackRecords } from '#shared/queue/embedded/log/packed-records.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('frames', () => {
  it('come out as they went in', () => {
    const stored = fc.record(
      {
        offset: fc.maxSafeNat(),
        timeMs: fc.maxSafeNat(),
        headers: bytes,
        value: bytes,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(stored), (records) => {
        assert.deepEqual([...unpackRecords(packRecords(records))], records);
      }),
    );
  });
});

describe('headers', () => {
  it('come out as they went in, whatever their names', () => {
    const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, bytes, { noNullPrototype: true }), (headers) => {
        const decoded = decodeHeaders(encodeHeaders(headers));
        const plain = Object.fromEntries(Object.entries(decoded).map(([key, value]) => [key, Uint8Array.from(value)]));
        assert.deepEqual(plain, headers);
      }),
    );
  });
});
