import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonEntries } from '#forwarder/decode/http/json-entries.ts';
import { OPTIONS, decoded, now, refused } from './http-entries.ts';

const one = { ...OPTIONS, many: false };
const many = { ...OPTIONS, many: true };

function check(body: string, expected: unknown[], options = one): void {
  assert.deepEqual(decoded(jsonEntries(Buffer.from(body), options)), expected, body);
}

function checkRefused(body: string, at: number, why: RegExp, options = one): void {
  refused(jsonEntries(Buffer.from(body), options), { at }, why);
}

test('an object, an array of them, entries', () => {
  check('{"a":1}', [[now, { a: 1 }]]);
  check('\ufeff {"a":1}\r\n', [[now, { a: 1 }]]);
  check('{}', [[now, {}]]);
  check('[]', []);
  check('[ {"a":1} , {"a":2} ]', [
    [now, { a: 1 }],
    [now, { a: 2 }],
  ]);
  check('[[1700000001,{"a":1}], [1700000002.25 , {"time":7} ],{"b":2}]', [
    ['1700000001.000000000', { a: 1 }],
    ['1700000002.250000000', { time: 7 }],
    [now, { b: 2 }],
  ]);
});

test("a record's time, in seconds, is the entry's", () => {
  check('{"time":1518756037.3137116,"a":1}', [['1518756037.313711600', { a: 1 }]]);
  check('{"a":1,"time" : 1518756037 }', [['1518756037.000000000', { a: 1 }]]);
  check('{"time":1518756037.1234567899,"a":1}', [['1518756037.123456789', { a: 1 }]]);
  check('{"time":4294967295.999999999}', [['4294967295.999999999', {}]]);
  check('[{"time":1},{"a":1},{"time":2}]', [
    ['1.000000000', {}],
    [now, { a: 1 }],
    ['2.000000000', {}],
  ]);
  check('{"time":1700000000123}', [[now, { time: 1_700_000_000_123 }]]);
  check('{"time":"2026-01-02T03:04:05Z"}', [[now, { time: '2026-01-02T03:04:05Z' }]]);
  check('{"time":-1}', [[now, { time: -1 }]]);
  check('{"time":1.5e9}', [[now, { time: 1.5e9 }]]);
  check('{"time":null,"Time":1}', [[now, { time: null, Time: 1 }]]);
  check('{"a":{"time":1}}', [[now, { a: { time: 1 } }]]);
  check('{"time":1,"time":2}', [['1.000000000', { time: 2 }]]);
  check('{"time":1}', [[now, { time: 1 }]], { ...one, takeTime: false });
});

test('values one after another, where that is allowed', () => {
  check(
    '{"a":1}{"a":2}\n\n{\n"a":3}[{"a":4}]',
    [1, 2, 3, 4].map((a) => [now, { a }]),
    many,
  );
  checkRefused('{"a":1}\n{"a":2}', 8, /more after the value .*ndjson/);
});

test('what is refused, and where', () => {
  checkRefused('', 0, /a record has to be an object/);
  checkRefused('null', 0, /a record has to be an object/);
  checkRefused('"a"', 0, /a record has to be an object/);
  checkRefused('[{"a":1},2]', 9, /a record has to be an object/);
  checkRefused('[{"a":1}', 8, /ends where a comma/);
  checkRefused('[{"a":1},]', 9, /a record has to be an object/);
  checkRefused('{"a":1}]', 7, /more after/);
  checkRefused('[[1]]', 3, /a comma and the record are missing/);
  checkRefused('[["x",{}]]', 2, /number of seconds/);
  checkRefused('[[1,2]]', 4, /a record has to be an object/);
  checkRefused('[[1,{},3]]', 6, /the end of the entry/);
  checkRefused('{"a":}', 5, /a value is missing/);
  checkRefused('{"a":1} {"b":}', 13, /a value is missing/, many);
});

test('the run is bounded, whatever the body grows to', () => {
  const body = Buffer.from(`[${Array.from({ length: 100 }, () => '{}').join(',')}]`);
  const bytes = 100 * 12;
  assert.equal(jsonEntries(body, { ...one, bytesMax: bytes }).kind, 'entries');
  assert.deepEqual(jsonEntries(body, { ...one, bytesMax: bytes - 1 }), { kind: 'too_large' });
});

test('it never throws', () => {
  const jsonish = fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"time"', '"a"', ':', ',', '1', '2.5', ' ') });
  fc.assert(
    fc.property(jsonish, fc.boolean(), (text, several) => {
      const result = jsonEntries(Buffer.from(text), { ...OPTIONS, many: several });
      if (result.kind === 'entries') decoded(result);
      else assert(result.kind === 'malformed' && result.at <= text.length);
    }),
    { numRuns: 5000 },
  );
});
