import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { jsonToMsgpack } from '#shared/json/json-to-msgpack.ts';
import { JSON_DEPTH_MAX } from '#shared/json/json-value.ts';

function check(text: string | Uint8Array, expected: unknown): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const result = jsonToMsgpack(bytes);
  assert(result instanceof Uint8Array, `${String(text)}: ${JSON.stringify(result)}`);
  assert.deepEqual(decode(result, { useBigInt64: true }), expected, String(text));
}

function checkBytes(text: string | Uint8Array, hex: string): void {
  const result = jsonToMsgpack(typeof text === 'string' ? Buffer.from(text) : text);
  assert(result instanceof Uint8Array, `${String(text)}: ${JSON.stringify(result)}`);
  assert.equal(result.toString('hex'), hex.replaceAll(' ', ''), String(text));
}

function checkProblem(text: string, at: number, why: RegExp): void {
  const result = jsonToMsgpack(Buffer.from(text));
  assert(!(result instanceof Uint8Array), `${text} was taken`);
  assert.equal(result.at, at, `${text}: ${result.why}`);
  assert.match(result.why, why);
}

test('values', () => {
  check('null', null);
  check(' true ', true);
  check('\r\n\tfalse\n', false);
  check('[]', []);
  check('[ 1 , [ ] , { } ]', [1, [], {}]);
  check('{}', {});
  check('{ "a" : { "b" : [ null ] } }', { a: { b: [null] } });
  check(
    JSON.stringify(Array.from({ length: 70_000 }, () => 1)),
    Array.from({ length: 70_000 }, () => 1),
  );
});

test('numbers keep their value', () => {
  checkBytes('0', '00');
  checkBytes('-1', 'ff');
  checkBytes('-0', 'cb 8000000000000000');
  checkBytes('-0.0', 'cb 8000000000000000');
  checkBytes('1.0', 'cb 3ff0000000000000');
  checkBytes('1.5', 'cb 3ff8000000000000');
  checkBytes('4294967295', 'ce ffffffff');
  check('999999999999999', 999_999_999_999_999n);
  check('9007199254740993', 9007199254740993n);
  check('9223372036854775807', 2n ** 63n - 1n);
  check('-9223372036854775808', -(2n ** 63n));
  check('18446744073709551615', 2n ** 64n - 1n);
  check('18446744073709551616', '18446744073709551616');
  check('-9223372036854775809', '-9223372036854775809');
  check('18446744073709552000', 18446744073709552000);
  check('123456789012345680000', 123456789012345680000);
  check('1234567890123456789012345678901234567890', '1234567890123456789012345678901234567890');
  check('0.1', 0.1);
  check('-123.456', -123.456);
  check('0.30000000000000004', 0.30000000000000004);
  check('1e3', 1000);
  check('1E+2', 100);
  check('25e-1', 2.5);
  check('5e-324', 5e-324);
  check('1e999', '1e999');
  check('-1e999', '-1e999');
  check('1e-999', 0);
});

test('a string of any length, with anything at any place', () => {
  for (const letter of [
    '"',
    '\\',
    '\n',
    '\u0001',
    '\u001f',
    ' ',
    '!',
    '#',
    '[',
    ']',
    '\x7f',
    'é',
    '€',
    '😀',
    '\ufffd',
  ]) {
    for (let before = 0; before < 10; before++) {
      for (let behind = 0; behind < 6; behind++) {
        const text = 'x'.repeat(before) + letter + 'y'.repeat(behind);
        check(JSON.stringify({ [text]: text }), { [text]: text });
        check(JSON.stringify([text + text]), [text + text]);
        if (letter >= ' ') continue;
        const where = text.indexOf(letter) + 1;
        checkProblem(`"${text}"`, where, /a control character stands unescaped/);
      }
    }
  }
  for (let length = 0; length < 20; length++)
    checkProblem(`"${'x'.repeat(length)}`, length + 1, /ends inside a string/);
});

test('strings keep their characters', () => {
  check('""', '');
  check(String.raw`"\"\\\/\b\f\n\r\t"`, '"\\/\b\f\n\r\t');
  check(String.raw`"aA\u00e9\u20ac\u0000z"`, 'aAé€\0z');
  check(String.raw`"\ud83d\ude00"`, '😀');
  check('"😀 é €"', '😀 é €');
  check(String.raw`"\ud83d"`, '\ufffd');
  check(String.raw`"\ude00\ud83d"`, '\ufffd\ufffd');
  check(String.raw`"\ud83dx"`, '\ufffdx');
  check(String.raw`"\ud83dA"`, '\ufffdA');
  check(String.raw`"\ud83d\ud83d\ude00"`, '\ufffd😀');
  check(`"${'x'.repeat(70_000)}"`, 'x'.repeat(70_000));
  check(`"${'x\\n'.repeat(70_000)}"`, 'x\n'.repeat(70_000));
  checkBytes(Buffer.from('22ff61fe22', 'hex'), 'a3 ff61fe');
  checkBytes(Buffer.from('22ff5c6efe22', 'hex'), 'a3 ff0afe');
});

test('keys mean nothing, and both of a pair stay', () => {
  checkBytes('{"a":1,"a":2}', '82 a161 01 a161 02');
  checkBytes('{"__proto__":1}', '81 a9 5f5f70726f746f5f5f 01');
  checkBytes(String.raw`{"\u0061":1}`, '81 a161 01');
  checkBytes('{"":1}', '81 a0 01');
});

test('what is wrong is told with its offset', () => {
  checkProblem('', 0, /ends where a value is missing/);
  checkProblem('  ', 2, /ends where a value/);
  checkProblem('nul', 0, /a value is missing/);
  checkProblem('NaN', 0, /a value is missing/);
  checkProblem("{'a':1}", 1, /a key in double quotes is missing/);
  checkProblem('{"a":1,}', 7, /a key/);
  checkProblem('{"a" 1}', 5, /a colon/);
  checkProblem('{"a":}', 5, /a value/);
  checkProblem('{"a":1', 6, /ends where a comma or the end of the object/);
  checkProblem('[1,]', 3, /a value/);
  checkProblem('[1 2]', 3, /a comma or the end of the array/);
  checkProblem('[1', 2, /ends where/);
  checkProblem('{"a":1} x', 8, /more after/);
  checkProblem('01', 0, /begins with a zero/);
  checkProblem('-', 1, /a digit/);
  checkProblem('+1', 0, /a value/);
  checkProblem('1.', 2, /a digit is missing after the decimal point/);
  checkProblem('.5', 0, /a value/);
  checkProblem('1e', 2, /exponent/);
  checkProblem('1e+', 3, /exponent/);
  checkProblem('"abc', 4, /ends inside a string/);
  checkProblem('"abc\\', 5, /ends inside a string/);
  checkProblem('"abc\\"', 6, /ends inside a string/);
  checkProblem('"a\nb"', 2, /control character/);
  checkProblem('"\\ta\nb"', 4, /control character/);
  checkProblem(String.raw`"a\x"`, 2, /an escape is none of/);
  checkProblem(String.raw`"a\u12g4"`, 2, /four hex digits/);
  checkProblem(String.raw`"a\u12"`, 2, /four hex digits/);
});

test('nesting is bounded', () => {
  const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  assert(jsonToMsgpack(nested(JSON_DEPTH_MAX)) instanceof Uint8Array);
  assert.deepEqual(jsonToMsgpack(nested(JSON_DEPTH_MAX + 1)), {
    at: JSON_DEPTH_MAX,
    why: `it nests deeper than ${JSON_DEPTH_MAX}`,
    isTooLarge: false,
  });
  assert(!(jsonToMsgpack(Buffer.from('{"a":'.repeat(100_000))) instanceof Uint8Array));
});

test('what grows is left where it is too much, and by more than a quarter', () => {
  for (const [text, size, written] of [
    [`[${'-0,'.repeat(999)}0]`, 3, 9],
    [`{"a":[${'-0,'.repeat(999)}0]}`, 3, 9],
    [`{"a":-0${',"a":-0'.repeat(999)}}`, 7, 11],
  ] as const) {
    const problem = jsonToMsgpack(Buffer.from(text), 900);
    assert(!(problem instanceof Uint8Array) && problem.isTooLarge);
    const values = Math.max(900, 1.25 * text.length) / written;
    assert(problem.at > size * values && problem.at < size * (values + 20), `it stopped at ${problem.at}`);
    assert(jsonToMsgpack(Buffer.from(text), 12_000) instanceof Uint8Array);
    assert(jsonToMsgpack(Buffer.from(`[${'"text",'.repeat(999)}"text"]`), 0) instanceof Uint8Array);
  }
});

test('whatever JSON.stringify writes is decoded to what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }), fc.boolean(), (value, spaced) => {
      const text = JSON.stringify(value, null, spaced ? 2 : 0);
      // The decoder of these tests refuses that key; a column above has it.
      fc.pre(!text.includes('__proto__'));
      const result = jsonToMsgpack(Buffer.from(text));
      assert(result instanceof Uint8Array);
      assert.deepEqual(entriesOf(decode(result)), entriesOf(JSON.parse(text)));
    }),
    { numRuns: 500 },
  );
});

test('every double and every integer comes out as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      check(
        String(value),
        Number.isSafeInteger(value) && Math.abs(value) > 0xffffffff ? BigInt(value) : decodedAs(value),
      );
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const small = value >= -0x80000000n && value <= 0xffffffffn;
      check(String(value), small ? Number(value) : value);
    }),
    { numRuns: 1000 },
  );
});

test('neither random bytes nor damaged JSON make it throw', () => {
  const jsonish = fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:\\u0123456789eE+-.truefalsn \né')) });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), agrees), { numRuns: 1000 });
  fc.assert(
    fc.property(jsonish, (text) => agrees(Buffer.from(text))),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.nat(255), (text, position, byte) => {
      const bytes = Buffer.from(text);
      bytes[position % bytes.length] = byte;
      agrees(bytes);
    }),
    { numRuns: 2000 },
  );
});

/** What we take and refuse is what JSON.parse takes and refuses. */
function agrees(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString();
  let valid = true;
  try {
    JSON.parse(text);
  } catch {
    valid = false;
  }
  const result = jsonToMsgpack(bytes);
  assert.equal(result instanceof Uint8Array, valid, text);
  if (!(result instanceof Uint8Array)) assert(result.at >= 0 && result.at <= bytes.length && result.why.length > 0);
}

/** A double past 64 bits that prints as an integer is read as one where 64 bits hold it. */
function decodedAs(value: number): number | bigint {
  if (value === 0) return 0; // "-0" prints as "0".
  const integer = Number.isInteger(value) && Math.abs(value) < 1e21;
  if (!integer || Math.abs(value) <= 0xffffffff) return value;
  const exact = BigInt(String(value));
  return exact >= -(2n ** 63n) && exact < 2n ** 64n ? exact : value;
}

/** Objects as lists of pairs, in their order; no negative zero, which JSON.stringify writes as zero. */
function entriesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(entriesOf);
  if (value !== null && typeof value === 'object') {
    return { pairs: Object.entries(value).map(([key, inner]) => [key, entriesOf(inner)]) };
  }
  return value === 0 ? 0 : value;
}
