import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ndjsonEntries } from '#forwarder/decode/http/ndjson.ts';
import { OPTIONS, decoded, now, refused } from './http-entries.ts';

function check(body: string, expected: unknown[]): void {
  assert.deepEqual(decoded(ndjsonEntries(Buffer.from(body), OPTIONS)), expected, JSON.stringify(body));
}

function checkRefused(body: string, where: { at: number; line: number }, why: RegExp): void {
  refused(ndjsonEntries(Buffer.from(body), OPTIONS), where, why);
}

test('an object a line', () => {
  check('', []);
  check('\n\r\n  \n', []);
  check('{"a":1}', [[now, { a: 1 }]]);
  check('{"a":1}\n', [[now, { a: 1 }]]);
  check('\n{"a":1}\r\n\r\n {"time":2,"a":"\\n"} \n{"a":3}', [
    [now, { a: 1 }],
    ['2.000000000', { a: '\n' }],
    [now, { a: 3 }],
  ]);
});

test('a refusal names the line', () => {
  checkRefused('{"a":1}\n{"a":}\n', { at: 13, line: 2 }, /a value is missing/);
  checkRefused('\n\n{"a":1\n}', { at: 8, line: 3 }, /ends where a comma/);
  checkRefused('{"a":1}{"a":2}', { at: 7, line: 1 }, /more after the object/);
  checkRefused('{"a":1}\n[]', { at: 8, line: 2 }, /has to be an object/);
  checkRefused('{"a":"x\ny"}', { at: 7, line: 1 }, /ends inside a string/);
});

test('the run is bounded', () => {
  const body = Buffer.from('{}\n'.repeat(10));
  assert.deepEqual(ndjsonEntries(body, { ...OPTIONS, bytesMax: 119 }), { kind: 'too_large' });
});
