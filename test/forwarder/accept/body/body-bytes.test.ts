// The bytes of a body, however they come: the same bytes, in one buffer of their size where that is known.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyBytes } from '#forwarder/accept/body/body-bytes.ts';

const MIB = 1024 * 1024;

test('pieces of any size give the same bytes', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, fc.boolean(), (lengths, isAnnounced) => {
      const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1));
      const expected = Buffer.concat(pieces);
      const body = new BodyBytes(isAnnounced ? expected.length : 0);
      for (const piece of pieces) body.add(piece);
      assert.equal(body.bytes, expected.length);
      assert(body.take().equals(expected));
    }),
  );
});

test('a large body that says its size has a buffer to itself, of that size', () => {
  const body = new BodyBytes(3 * MIB);
  const piece = Buffer.alloc(64 * 1024, 7);
  while (body.bytes < 3 * MIB) body.add(piece);
  const { buffer, length } = body.take();
  assert.deepEqual([buffer.byteLength, length], [3 * MIB, 3 * MIB]);
});

test('a body that ends early has what came', () => {
  const body = new BodyBytes(3 * MIB);
  body.add(Buffer.from('abc'));
  assert.equal(body.take().toString(), 'abc');
});
