import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, decodeMulti, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { countEntries, DEPTH_MAX, INCOMPLETE, MALFORMED, valueEnd } from '#shared/msgpack/extents.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('valueEnd', () => {
  const check = (what: string, bytes: string, expected: number) =>
    test(what, () => assert.equal(valueEnd(hex(bytes), 0, hex(bytes).length), expected));

  check('nothing', '', INCOMPLETE);
  check('positive fixint, something behind it', '7f 00', 1);
  check('negative fixint', 'e0', 1);
  check('nil', 'c0', 1);
  check('the byte that is never used', 'c1', MALFORMED);
  check('the byte that is never used, inside', '92 01 c1', MALFORMED);
  check('fixstr', 'a3 616263', 4);
  check('fixstr, cut', 'a3 6162', INCOMPLETE);
  check('empty fixstr', 'a0', 1);
  check('str 8', 'd9 02 6162', 4);
  check('str 8 without its length', 'd9', INCOMPLETE);
  check('str 16', 'da 0001 61', 4);
  check('str 16 with half a length', 'da 00', INCOMPLETE);
  check('str 32', 'db 00000001 61', 6);
  check('str 32 of 4 GiB', 'db ffffffff 61', INCOMPLETE);
  check('bin 8', 'c4 01 61', 3);
  check('bin 16', 'c5 0001 61', 4);
  check('bin 32', 'c6 00000001 61', 6);
  check('ext 8', 'c7 08 00 0102030405060708', 11);
  check('ext 8, cut', 'c7 08 00 01020304050607', INCOMPLETE);
  check('ext 16', 'c8 0001 05 61', 5);
  check('ext 32', 'c9 00000001 05 61', 7);
  check('fixext 1', 'd4 05 61', 3);
  check('fixext 8', 'd7 00 0102030405060708', 10);
  check('fixext 16', 'd8 05 0102030405060708090a0b0c0d0e0f10', 18);
  check('float 32', 'ca 00000000', 5);
  check('float 64', 'cb 0000000000000000', 9);
  check('uint 64, cut', 'cf 00000000000000', INCOMPLETE);
  check('int 16', 'd1 8000', 3);
  check('empty array', '90', 1);
  check('empty map', '80', 1);
  check('array 16, empty', 'dc 0000', 3);
  check('array 32 of one', 'dd 00000001 c0', 6);
  check('map 16 of one', 'de 0001 a161 01', 6);
  check('map 32 of one', 'df 00000001 a161 01', 8);
  check('map without its last value', '81 a161', INCOMPLETE);
  check('array of 4 G elements', 'dd ffffffff 01', INCOMPLETE);
  check('map of 4 G pairs', 'df ffffffff 01', INCOMPLETE);
  check('nested, empty ones last', '93 90 80 91 80', 5);
  check('a value behind it', '92 01 02 03', 3);

  const nested = (depth: number) => Buffer.from([...Array.from({ length: depth }, () => 0x91), 0xc0]);
  test('as deep as it may be', () => assert.equal(valueEnd(nested(DEPTH_MAX), 0, DEPTH_MAX + 1), DEPTH_MAX + 1));
  test('deeper', () => assert.equal(valueEnd(nested(DEPTH_MAX + 1), 0, DEPTH_MAX + 2), MALFORMED));
  test('deeper than asked for', () => assert.equal(valueEnd(nested(3), 0, 4, 2), MALFORMED));
  test('100,000 deep', () => assert.equal(valueEnd(nested(100_000), 0, 100_001), MALFORMED));

  test('agrees with @msgpack/msgpack on whatever that encodes', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 4 }), (values) => {
        const parts = values.map((value) => encode(value));
        const bytes = Buffer.concat(parts);
        let at = 0;
        for (const part of parts) {
          const end = valueEnd(bytes, at, bytes.length);
          assert.equal(end, at + part.length);
          if (part.length > 1) assert.equal(valueEnd(bytes, at, end - 1), INCOMPLETE);
          at = end;
        }
      }),
    );
  });

  test('never throws, never ends outside, and takes what @msgpack/msgpack takes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const end = valueEnd(bytes, 0, bytes.length);
        assert.ok(end === INCOMPLETE || end === MALFORMED || (end > 0 && end <= bytes.length));
        const theirs = attempt(() => [...decodeMulti(bytes, { rawStrings: true })]);
        if (theirs && theirs.length > 0) assert.ok(end > 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('countEntries', () => {
  const check = (what: string, bytes: string, expected: number) =>
    test(what, () => assert.equal(countEntries(hex(bytes), 0, hex(bytes).length), expected));

  check('nothing', '', 0);
  check('an int', '92 01 80', 1);
  check('two', '92 01 80 92 ce 65920080 81 a161 01', 2);
  check('the second cut', '92 01 80 92 01', INCOMPLETE);
  check('a header alone', '92', INCOMPLETE);
  check('time 0', '92 00 80', 1);
  check('a negative time', '92 ff 80', 1);
  check('int 32', '92 d2 65920080 80', 1);
  check('nil', '92 c0 80', 1);
  check('float 64', '92 cb 41d9648000000000 80', 1);
  check('float 32', '92 ca 4ecb2400 80', 1);
  check('EventTime as fixext 8', '92 d7 00 6592008000000001 80', 1);
  check('EventTime as ext 8', '92 c7 08 00 6592008000000001 80', 1);
  check('fixext 8 of another type', '92 d7 01 6592008000000001 80', MALFORMED);
  check('ext 8 of another length', '92 c7 04 00 65920080 80', MALFORMED);
  check('ext 8 of another type', '92 c7 08 01 6592008000000001 80', MALFORMED);
  check('an EventTime that is cut', '92 d7 00 65', INCOMPLETE);
  check('time with metadata', '92 92 d7 00 6592008000000001 80 80', 1);
  check('time with some metadata', '92 92 01 81 a161 01 80', 1);
  check('time with metadata that is no map', '92 92 01 01 80', MALFORMED);
  check('three in the time', '92 93 01 80 80 80', MALFORMED);
  check('array 16', 'dc 0002 01 80', 1);
  check('array 32', 'dd 00000002 01 80', 1);
  check('time in an array 16', '92 dc 0002 01 80 80', 1);
  check('map 16', '92 01 de 0000', 1);
  check('map 32', '92 01 df 00000000', 1);
  check('one element', '91 01', MALFORMED);
  check('three elements', '93 01 80 80', MALFORMED);
  check('a text as the time', '92 a161 80', MALFORMED);
  check('a boolean as the time', '92 c3 80', MALFORMED);
  check('an array as the record', '92 01 90', MALFORMED);
  check('nil as the record', '92 01 c0', MALFORMED);
  check('no array', '80', MALFORMED);
  check('c1 in a record', '92 01 81 a161 c1', MALFORMED);

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.ok(countEntries(bytes, 0, bytes.length) >= MALFORMED);
      }),
    );
  });
});

const anyValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
  ),
})).value;

function attempt<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}

test('what is found whole is what @msgpack/msgpack decodes', () => {
  const bytes = encode({ a: [1, 2, { b: null }], c: 'text' });
  assert.deepEqual(decode(bytes.subarray(0, valueEnd(bytes, 0, bytes.length))), { a: [1, 2, { b: null }], c: 'text' });
});
