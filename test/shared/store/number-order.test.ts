// Codes of numbers sort as the numbers do, whatever form each has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CODE_BYTES_MAX,
  CODE_END,
  CODE_MIN,
  numberIn,
  orderedNumber,
  writePlainCode,
} from '#shared/store/query/number-order.ts';

const check = (text: string, expected: string | null) => assert.equal(orderedNumber(text), expected, text);

test('codes', () => {
  check('500', 'h5');
  check('500.0', 'h5');
  check('5e2', 'h5');
  check('+500', 'h5');
  check('0500', 'h5');
  check('12.4', 'g124');
  check('.5', 'e5');
  check('5.', 'f5');
  check('-500', 'S4~');
  check('0', '_');
  check('-0', '_');
  check('0.000', '_');
  check('0e9', '_');
  check('0.0001', 'b1');
  check('0.00001', 'a9961');
  check('99999999999999999999', 'y99999999999999999999');
  check('1e20', 'z0211');
  check('5e-324', 'a6775');
  check('1e398', 'z3991');
  check('1e399', null);
  check('-1e399', null);
  check('1e-400', 'a6011');
  check('1e-401', null);
  check('1e9999999', null);
  check(`0.${'0'.repeat(500)}1`, null);
  check('', null);
  check('.', null);
  check('-', null);
  check('1e', null);
  check('0x10', null);
  check(' 1', null);
  check('1\n', null);
  check('NaN', null);
  check('Infinity', null);
  check('１', null);
});

test('of a document, only what JSON would write, and no longer', () => {
  for (const text of ['1', '-1.5e3', '0', '18446744073709551615', '-2.2250738585072014e-308'])
    assert.equal(numberIn(text), orderedNumber(text), text);
  for (const text of ['0500', '+1', '.5', '5.', '1'.repeat(25), '', 'x', '1 '])
    assert.equal(numberIn(text), null, text);
});

test('written as bytes, the code is the same, or none', () => {
  const target = Buffer.alloc(CODE_BYTES_MAX);
  const plainCode = (text: string): string =>
    target.toString('latin1', 0, writePlainCode(Buffer.from(`x${text}1`), 1, 1 + text.length, target));
  for (const text of ['0', '7', '500', '12.4', '100.050', '0.5', '0.05', '0.0005', '1.0', `9${'0'.repeat(19)}`])
    assert.equal(plainCode(text), numberIn(text), text);
  for (const text of [
    '',
    '-1',
    '1e5',
    '00',
    '007',
    '01.5',
    '.5',
    '5.',
    '0.',
    '0.00005',
    '0.0',
    '1.2.3',
    '1'.repeat(21),
  ])
    assert.equal(plainCode(text), '', text);
  const digits = fc.stringMatching(/^[0-9.]{1,26}$/);
  fc.assert(
    fc.property(fc.oneof(digits, fc.double({ noNaN: true }).map(String)), (text) => {
      const code = plainCode(text);
      if (code !== '') assert.equal(code, numberIn(text), text);
      // Nothing that programs write every day goes the long way.
      else if (/^(?:[1-9][0-9]{0,8}|0)(?:\.[0-9]{0,8}[1-9])?$/.test(text)) assert.match(text, /^0\.000/);
    }),
    { numRuns: 2000 },
  );
});

/** As units of 10^-20: exact for what the property makes. */
function exact(text: string): bigint {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/.exec(text) ?? assert.fail(text);
  const shift = 40 + Number(exponent) - fraction.length;
  assert(shift >= 0);
  return BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(shift);
}

const number = fc.oneof(
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.integer({ min: -1000, max: 1000 }).map(String),
  fc
    .double({ min: -1e30, max: 1e30, noNaN: true })
    .filter((x) => Math.abs(x) > 1e-20)
    .map(String),
  fc
    .tuple(fc.constantFrom('', '-'), fc.nat({ max: 10 ** 6 }), fc.nat({ max: 999 }), fc.integer({ min: -9, max: 9 }))
    .map(([sign, whole, fraction, e]) => `${sign}${whole}.${fraction}e${e}`),
);

test('they sort as the numbers do, exactly', () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      const [x, y] = [orderedNumber(a) ?? '', orderedNumber(b) ?? ''];
      const [m, n] = [exact(a), exact(b)];
      assert.equal(Math.sign(Buffer.compare(Buffer.from(x), Buffer.from(y))), m < n ? -1 : m > n ? 1 : 0, `${a} ${b}`);
      assert(x >= CODE_MIN && x < CODE_END);
      assert.equal(JSON.stringify(x), `"${x}"`);
    }),
    { numRuns: 2000 },
  );
});

test('any double sorts by its value', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (a, b) => {
        const [x, y] = [orderedNumber(String(a)) ?? '', orderedNumber(String(b)) ?? ''];
        assert.equal(x === y ? 0 : x < y ? -1 : 1, a === b ? 0 : a < b ? -1 : 1, `${a} ${b}`);
      },
    ),
    { numRuns: 2000 },
  );
});

test('long digits: the first 40 count, and every text has an answer', () => {
  check('1'.repeat(300), `z300${'1'.repeat(40)}`);
  check(`${'0'.repeat(100_000)}1`, 'f1');
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void orderedNumber(text)));
});

test('a plain integer has the code that it has in any other writing', () => {
  const check = (digits: string): void => {
    const code = orderedNumber(`+${digits}`);
    assert.equal(orderedNumber(digits), code, digits);
    assert.equal(orderedNumber(`${digits}.0`), code, digits);
    if (digits.length <= 24) assert.equal(numberIn(digits), code, digits);
  };
  for (let length = 1; length <= 24; length += 1)
    for (const digits of ['1', '9', '10', '105', '99'])
      for (const fill of ['0', '9', '5']) check(digits.slice(0, length).padEnd(length, fill));
  for (const digits of ['0', '7', '10', '500', '1000000', '9007199254740993', '18446744073709551615']) check(digits);
  for (const text of ['', ' 1', '1 ', '1_', '٣', '1e', '-', '00', '01']) assert.equal(numberIn(text), null, text);
});
