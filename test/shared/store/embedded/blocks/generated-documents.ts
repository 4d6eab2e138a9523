// Documents of any kind for the tests of blocks, and what a block gives back.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockReader } from '#shared/store/embedded/blocks/decode-block.ts';
import { type BlockDocument, encodeBlock, type EncodedBlock } from '#shared/store/embedded/blocks/encode-block.ts';

/** Keys that collide, and such as JavaScript has a meaning for. */
const key = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'a.b', '.', '__proto__', '1', '\0', '"', '\\', 'message', '@timestamp', 'event'),
  fc.string(),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '2026-03-01T12:00:00.000Z',
      '2026-03-01T12:00:00.123456789Z',
      '1969-03-01T12:00:00Z',
      'Straße ΑΣ İ',
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  ),
})).any;
const line = fc
  .tuple(fc.string(), fc.string({ unit: 'binary' }), fc.string(), value)
  .map(([before, message, behind, other]) => [message, { original: `${before}${message}${behind}`, other }] as const);
const text = fc.oneof(
  fc.dictionary(key, value, { maxKeys: 6 }).map((document) => JSON.stringify(document)),
  line.map(([message, event]) => JSON.stringify({ message, event })),
  line.map(([message, event]) => JSON.stringify({ event, message: message.slice(1) })),
  line.map(([, event]) => JSON.stringify({ event })),
);
const instant = fc.oneof(fc.constantFrom(0n, 1n, 1772366400123456789n, 2n ** 63n - 1n), fc.bigInt(0n, 2n ** 63n - 1n));
export const integer = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: 0, max: 10 }));
export const id = fc.oneof(
  fc.tuple(fc.uint8Array({ minLength: 20, maxLength: 20 })).map(([bytes]) => Buffer.from(bytes).toString('base64url')),
  fc.uint8Array({ minLength: 22, maxLength: 22 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  fc.tuple(fc.constantFrom('0', 'a', 'f'), fc.nat(20)).map(([digit, n]) => `${digit.repeat(32)}-${n}`),
  fc.string({ minLength: 1, maxLength: 40 }).map((one) => one.toWellFormed()),
  fc.constantFrom(`${'a'.repeat(32)}-007`, 'b'.repeat(27), 'c'.repeat(30), `${'A'.repeat(32)}-1`),
);
export const document: fc.Arbitrary<BlockDocument> = fc.record(
  {
    id,
    row: fc.nat(),
    time: instant,
    sequence: integer,
    ingestedMs: integer,
    created: fc.option(instant),
    origin: fc.nat(100),
    text,
  },
  { noNullPrototype: true },
);

/** As it went in: not taken apart yet. */
export function documentOf(reader: BlockReader, row: number): BlockDocument {
  const { apart, ...document } = reader.document(row);
  assert(apart !== undefined);
  return document;
}

export function readerOf(documents: readonly BlockDocument[]): BlockReader {
  return readerOfBlock(encodeBlock(documents));
}

export function readerOfBlock({ head, beside }: EncodedBlock): BlockReader {
  return new BlockReader(head, (number) => beside.get(number) ?? assert.fail(`no part ${number}`));
}
