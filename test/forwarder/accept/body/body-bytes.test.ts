// The bytes of a body, however they come and whatever was said of their number: the same bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyBytes } from '#forwarder/accept/body/body-bytes.ts';

const MIB = 1024 * 1024;

test('pieces of any size give the same bytes, also of a body that is not as long as it said', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 8 * MIB }), fc.boolean(), (lengths, other, isRight) => {
      const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1));
      const expected = Buffer.concat(pieces);
      const body = new BodyBytes(isRight ? expected.length : other);
      for (const piece of pieces) body.add(piece);
      assert.equal(body.bytes, expected.length);
      assert(body.take().equals(expected));
    }),
  );
});

test('a large body that says its size ends in a buffer to itself, of that size', () => {
  const body = new BodyBytes(3 * MIB);
  while (body.bytes < 3 * MIB) body.add(Buffer.alloc(64 * 1024, 7));
  const { buffer, length } = body.take();
  assert.deepEqual([buffer.byteLength, length], [3 * MIB, 3 * MIB]);
});

test('what is announced and does not come takes no memory', (t) => {
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow');
  const body = new BodyBytes(64 * MIB);
  body.add(Buffer.alloc(64 * 1024, 7));
  assert.deepEqual(
    allocate.mock.calls.map(({ arguments: [size] }) => size).filter((size) => size > MIB),
    [],
  );
});

test("what was copied is freed, unless it is not the body's alone", () => {
  for (const announced of [0, 3 * MIB]) {
    const slab = Buffer.alloc(64 * 1024);
    const handed = Buffer.alloc(MIB);
    const pieces = Array.from({ length: 32 }, () => Buffer.alloc(64 * 1024));
    const body = new BodyBytes(announced);
    for (const piece of [handed, slab.subarray(1), ...pieces]) body.add(piece);
    assert.equal(body.take().length, 3 * MIB + 64 * 1024 - 1);
    assert.deepEqual(
      pieces.filter(({ length }) => length > 0),
      [],
    );
    assert.deepEqual([handed.length, slab.length], [MIB, 64 * 1024]);
  }
});
