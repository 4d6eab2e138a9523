// Values under `attributes`: each trap of the msgpack world by itself, then any value against another decoder.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, ExtData } from '@msgpack/msgpack';
import fc from 'fast-check';
import { batch, documentOf, entryOf, hex, outcomeOf, textOf } from './documents.ts';

/** The JSON text of the value under the key `v` of an entry. */
function valueText(value: Uint8Array): string {
  const text = textOf(Buffer.concat([hex('92 01 81 a176'), value]));
  return text.slice(text.indexOf('{"v":') + 5, text.indexOf('},"fluentd"'));
}

function check(digits: string, expected: string): void {
  assert.equal(valueText(hex(digits)), expected, digits);
}

test('scalars', () => {
  check('c0', 'null');
  check('c2', 'false');
  check('c3', 'true');
  check('00', '0');
  check('7f', '127');
  check('ff', '-1');
  check('e0', '-32');
  check('cc80', '128');
  check('cdffff', '65535');
  check('ceffffffff', '4294967295');
  check('cf0000000100000000', '4294967296');
  check('cf001fffffffffffff', '9007199254740991');
  check('cf0020000000000001', '9007199254740993');
  check('cf8000000000000001', '9223372036854775809');
  check('cfffffffffffffffff', '18446744073709551615');
  check('d080', '-128');
  check('d18000', '-32768');
  check('d280000000', '-2147483648');
  check('d3ffffffff7fffffff', '-2147483649');
  check('d3ffe0000000000000', '-9007199254740992');
  check('d3ffdfffffffffffff', '-9007199254740993');
  check('d30020000000000001', '9007199254740993');
  check('d38000000000000000', '-9223372036854775808');
  check('ca3fc00000', '1.5');
  check('cb3ff8000000000000', '1.5');
  check('cb7fefffffffffffff', '1.7976931348623157e+308');
  check('cb8000000000000000', '0');
  check('cb7ff8000000000000', '"NaN"');
  check('cb7ff0000000000000', '"Infinity"');
  check('caff800000', '"-Infinity"');
});

test('floats are written as JavaScript writes them', () => {
  const written = (value: number): void => {
    const bytes = hex('cb0000000000000000');
    bytes.writeDoubleBE(value, 1);
    check(bytes.toString('hex'), String(value === 0 ? 0 : value));
  };
  for (const value of [
    0.1,
    0.3,
    0.1 + 0.2,
    1.005,
    12.4,
    1e-4,
    9.9999e-5,
    0.000_123,
    999_999_999.999_999,
    1e9,
    1e15,
    1 / 3,
  ])
    for (const sign of [1, -1]) written(sign * value);
  const decimal = fc
    .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.nat(999_999), fc.nat(7))
    .map(([whole, fraction, places]) => Number(`${whole}.${String(fraction).padStart(places, '0')}`));
  const next = decimal.map((value) => value * (1 + Number.EPSILON));
  fc.assert(fc.property(fc.oneof(decimal, next, fc.double({ noNaN: true, noDefaultInfinity: true })), written), {
    numRuns: 1000,
  });
});

test('strings', () => {
  check('a0', '""');
  check('a3616263', '"abc"');
  check('a461220a5c', '"a\\"\\n\\\\"');
  check('a6000108090c0d', '"\\u0000\\u0001\\b\\t\\f\\r"');
  check('a21f7f', '"\\u001f\x7f"');
  check('a2c3a4', '"ä"');
  check('a3e282ac', '"€"');
  check('a4f09f9880', '"😀"');
  check('a3e280a8', '"\u2028"');
  check('a1ff', '"\ufffd"');
  check('a2c341', '"\ufffdA"');
  check('a2c080', '"\ufffd\ufffd"');
  check('a3eda080', '"\ufffd\ufffd\ufffd"');
  check('a4f4908080', '"\ufffd\ufffd\ufffd\ufffd"');
  check('a2e282', '"\ufffd"');
  check('a3f09f98', '"\ufffd"');
  check('a5f09f984142', '"\ufffdAB"');
  check('c403ff6100', '"\ufffda\\u0000"');
});

test('extensions', () => {
  check('d700 695735a5 075bcd15', '"2026-01-02T03:04:05.123456789Z"');
  check('c70800 695735a5 00000000', '"2026-01-02T03:04:05.000Z"');
  check('d405ff', '"ext:5:ff"');
  check('d6ff 695735a5', '"ext:-1:695735a5"');
  check('d700 00000000 00000000', '"ext:0:0000000000000000"');
  check('c70005', '"ext:5:"');
  check('c8000205abcd', '"ext:5:abcd"');
});

test('keys', () => {
  check('81 a0 01', '{"":1}');
  check('81 a12e 01', '{".":1}');
  check('82 a3612e62 01 a161 02', '{"a.b":1,"a":2}');
  check('81 a3610062 01', '{"a\ufffdb":1}');
  check('81 c40161 01', '{"a":1}');
  check('81 a1ff 01', '{"\ufffd":1}');
  check('81 a122 01', '{"\\"":1}');
  check('81 05 01', '{"5":1}');
  check('81 ff 01', '{"-1":1}');
  check('81 cfffffffffffffffff 01', '{"18446744073709551615":1}');
  check('81 c3 01', '{"true":1}');
  check('81 c0 01', '{"null":1}');
  check('81 cb3ff8000000000000 01', '{"1.5":1}');
  check('81 cb7ff8000000000000 01', '{"NaN":1}');
  check('81 81 a161 a122 01', '{"{\\"a\\":\\"\\\\\\"\\"}":1}');
  check('81 92 01 a162 01', '{"[1,\\"b\\"]":1}');
  check('81 81 81 a161 01 02 03', '{"{\\"81a16101\\":2}":3}');
  check('81 d405ff 01', '{"ext:5:ff":1}');
  assert.equal(valueText(encode({ __proto__x: 1 })), '{"__proto__x":1}');
  check('81 a9 5f5f70726f746f5f5f 81 a161 01', '{"__proto__":{"a":1}}');
});

test('depth', () => {
  // `attributes` is the first level.
  const nested = (levels: number): string => '91'.repeat(levels) + '01';
  check(nested(19), `${'['.repeat(19)}1${']'.repeat(19)}`);
  check(nested(20), `${'['.repeat(19)}"[1]"${']'.repeat(19)}`);
  check(nested(22), `${'['.repeat(19)}"[[[1]]]"${']'.repeat(19)}`);
  check('81 a161 '.repeat(20) + '80', `${'{"a":'.repeat(19)}"{\\"a\\":{}}"${'}'.repeat(19)}`);
});

test('long keys', () => {
  const keys = ['k'.repeat(398), 'k'.repeat(399), '\u0001'.repeat(70)];
  const value = JSON.parse(valueText(encode(Object.fromEntries(keys.map((key, i) => [key, [i]])))));
  assert.deepEqual(value, {
    ['k'.repeat(398)]: [0],
    long_key_1: JSON.stringify({ ['k'.repeat(399)]: [1] }),
    long_key_2: JSON.stringify({ ['\u0001'.repeat(70)]: [2] }),
  });
});

test('many keys, with and without a double', () => {
  const pairs = Array.from({ length: 10_000 }, (_, i) => Buffer.from(encode(`key${i % 9_000}`)));
  const body = pairs.map((key, i) => Buffer.concat([key, encode(i)]));
  const map = Buffer.concat([hex('de2710'), ...body]);
  const expected = Object.fromEntries(pairs.map((_, i) => [`key${i % 9_000}`, i]));
  assert.deepEqual(JSON.parse(valueText(map)), expected);
});

test('maps with doubles inside maps with doubles cost no more than their bytes', () => {
  const pair = '81 a161 01'.slice(3);
  let value = Buffer.from([0]);
  for (let level = 0; level < 90; level += 1) value = Buffer.concat([hex('83 a163'), value, hex(pair), hex(pair)]);
  assert.match(valueText(value), /^\{"c":\{"c":/);
});

test('a large string goes through in blocks, whatever lies at their ends', () => {
  for (const letter of ['a', '"', '\u0000', 'ä', '€', '😀']) {
    const text = 'x'.repeat(3) + letter.repeat(20_000);
    assert.equal(JSON.parse(valueText(encode(text))), text);
  }
});

/** As Sluice writes what JSON cannot say. */
function asWritten(value: unknown, level: number): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
  if (value instanceof ExtData) {
    assert(value.data instanceof Uint8Array);
    return `ext:${value.type}:${value.data.toHex()}`;
  }
  if (typeof value !== 'object' || value === null) return value;
  const plain = Array.isArray(value)
    ? value.map((inner) => asWritten(inner, level + 1))
    : Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key.replaceAll('\0', '\ufffd'), asWritten(inner, level + 1)]),
      );
  return level === 21 ? JSON.stringify(plain) : plain;
}

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array(),
  fc.uint8Array({ minLength: 1 }).map((data) => new ExtData(5, data)),
);
/** The other decoder refuses `__proto__`. */
const key = fc.string({ unit: 'binary', maxLength: 12 }).filter((name) => name !== '__proto__');
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(key, tie('tree'), { noNullPrototype: true, maxKeys: 4 }),
  ),
}));
/** Some of them below the level where objects become text. */
const deepTree = fc
  .tuple(tree, fc.array(fc.boolean(), { maxLength: 30 }))
  .map(([value, wraps]) =>
    wraps.reduce<unknown>((inner, isArray) => (isArray ? [0, inner] : { a: inner, b: '"' }), value),
  );

test('any value is what another decoder makes of it', () => {
  const name = fc.string({ minLength: 1, maxLength: 8 }).map((key) => `x${key}`);
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(tree, deepTree), { noNullPrototype: true, maxKeys: 5 }), (record) => {
      const bytes = Buffer.from(encode([1, record], { useBigInt64: true, maxDepth: 200 }));
      const [, decoded] = decode(bytes, { useBigInt64: true }) as [unknown, unknown];
      const { attributes = {} } = documentOf(bytes);
      assert.deepEqual(attributes, JSON.parse(JSON.stringify(asWritten(decoded, 1))));
    }),
    { numRuns: 1000 },
  );
});

test('random bytes never throw', () => {
  const wrapped = fc
    .uint8Array({ maxLength: 60 })
    .map((bytes) => Buffer.concat([hex('92 01 84 a161'), bytes, hex('a162 80 a163 01')]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), wrapped), (bytes) => {
      if (outcomeOf(bytes) === 'ok') documentOf(bytes);
    }),
    { numRuns: 5000 },
  );
});

test('an entry cut anywhere is malformed, and never read past its end', () => {
  const entry = entryOf(
    { log: 'a', n: [1, { b: 2.5 }], kubernetes: { pod_name: 'p', labels: { x: 'y' } }, t: 2n ** 60n },
    [1, { m: 1 }],
  );
  for (let length = 0; length < entry.length; length += 1) {
    assert.equal(outcomeOf(entry.subarray(0, length)), 'entry_malformed');
    const framed = entry.subarray(0, length);
    assert.equal(outcomeOf(Buffer.from(framed), { batch }), 'entry_malformed');
  }
});
