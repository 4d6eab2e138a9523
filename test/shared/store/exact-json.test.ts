// Numbers leave as they came in.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { exactNumberText, parseExactJson } from '#shared/store/exact-json.ts';

it('keeps each number as it was written', () => {
  const check = (json: string) => assert.equal(JSON.stringify(parseExactJson(json)), json);
  check('{"a":18446744073709551615}');
  check('{"a":-9223372036854775808,"b":9007199254740993}');
  check('{"a":9007199254740991,"b":1795233384108000}');
  check('{"a":[1.50,-0,1e400,0.1234567890123456789,1E5]}');
  check('{"a": 1}'.replace(' ', ''));
  check('{"t":"2026-01-01T00:00:00.120Z","n":1.5}');
  check('{"__proto__":{"x":12345678901234567890}}');
});

it('gives plain numbers where nothing is lost', () => {
  assert.deepEqual(parseExactJson('{"a":1795233384108000,"b":-1.5}'), { a: 1795233384108000, b: -1.5 });
  assert.equal(exactNumberText(1), null);
  assert.equal(exactNumberText(parseExactJson('[12345678901234567890]')), null);
  const [number] = parseExactJson('[12345678901234567890]') as unknown[];
  assert.equal(exactNumberText(number), '12345678901234567890');
});

it('reads any integer of 64 bits back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (number) => {
      const json = `{"a":[${number}],"b":${number}}`;
      assert.equal(JSON.stringify(parseExactJson(json)), json);
    }),
  );
});
