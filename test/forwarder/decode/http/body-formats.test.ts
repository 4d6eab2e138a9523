import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { bodyEntries, bodyFormat } from '#forwarder/decode/http/body-formats.ts';
import { formFields } from '#forwarder/decode/http/http-form.ts';
import { tagOfPath } from '#forwarder/decode/http/http-tag.ts';
import { OPTIONS, decoded, now, refused } from './http-entries.ts';

test('content types', () => {
  const check = (type: string | undefined, expected: string | null) =>
    assert.equal(bodyFormat(type), expected, String(type));
  check(undefined, 'any');
  check('', 'any');
  check('text/plain;charset=UTF-8', 'any');
  check('application/json', 'json');
  check('Application/JSON ; charset=utf-8', 'json');
  check('application/x-ndjson', 'ndjson');
  check('application/msgpack', 'msgpack');
  check('application/x-www-form-urlencoded', 'form');
  check('multipart/form-data; boundary=x', null);
  check('application/octet-stream', null);
  check('application/vnd.fdo.journal', null);
});

test('forms, and bodies that say nothing of themselves', () => {
  const check = (format: 'form' | 'any', body: string | Buffer, expected: unknown[]) =>
    assert.deepEqual(decoded(bodyEntries(Buffer.from(body), format, OPTIONS)), expected);
  check('form', 'json={"a":1}', [[now, { a: 1 }]]);
  check('form', 'json=%7B%22a%22%3A%22%C3%A9+%2B%22%7D', [[now, { a: 'é +' }]]);
  check('form', 'time=1518756037.25&json=[{"a":1},{"time":7}]', [
    ['1518756037.250000000', { a: 1 }],
    ['1518756037.250000000', { time: 7 }],
  ]);
  check('form', 'json={"a":1}&time=0', [[now, { a: 1 }]]);
  check(
    'form',
    'ndjson={"a":1}\n{"a":2}\n',
    [1, 2].map((a) => [now, { a }]),
  );
  check('form', Buffer.concat([Buffer.from('msgpack='), encode({ a: 1 })]), [[now, { a: 1 }]]);
  check('form', '{"a":1}', [[now, { a: 1 }]]);
  check('any', ' [{"a":1}]', [[now, { a: 1 }]]);
  check(
    'any',
    '{"a":1}\n{"a":2}\n',
    [1, 2].map((a) => [now, { a }]),
  );

  const checkRefused = (format: 'form' | 'any' | 'json', body: string, why: RegExp) =>
    refused(bodyEntries(Buffer.from(body), format, OPTIONS), { at: 0 }, why);
  checkRefused('json', '', /it is empty/);
  checkRefused('any', 'hello', /no JSON/);
  checkRefused('form', 'hello', /json, ndjson or msgpack is missing/);
  checkRefused('form', 'json=', /json, ndjson or msgpack is missing|empty/);
  checkRefused('form', 'json={}&time=yesterday', /seconds since 1970/);
});

test('form fields', () => {
  const check = (body: string, expected: [string, string][]) =>
    assert.deepEqual(
      formFields(Buffer.from(body)).map(([name, value]) => [name, value.toString()]),
      expected,
    );
  check('', []);
  check('a=1&b=2', [['a', '1'], ['b', '2']]); // prettier-ignore
  check('a', [['a', '']]);
  check('a=b=c&', [['a', 'b=c']]);
  check('%61+b=%zz%4', [['a b', '%zz%4']]);
  assert.equal(formFields(Buffer.from('a&'.repeat(1000))).length, 16);
});

test('tags', () => {
  const check = (path: string, tag: string) => assert.deepEqual(tagOfPath(path), { kind: 'tag', tag }, path);
  check('/app.web', 'app.web');
  check('/app/web', 'app.web');
  check('/app/web/', 'app.web');
  check('/a%2Fb', 'a/b');
  check('/a%20b', 'a b');
  check('/%C3%A9', 'é');
  check('/\u00c3\u00a9', 'é');
  check('/v1', 'v1');
  check('/v10/x', 'v10.x');
  check(`/${'x'.repeat(1024)}`, 'x'.repeat(1024));

  const checkRefused = (path: string, kind: string, why: RegExp) => {
    const result = tagOfPath(path);
    assert(result.kind !== 'tag', path);
    assert.equal(result.kind, kind, path);
    assert.match(result.why, why);
  };
  checkRefused('/', 'tag_invalid', /has to name a tag/);
  checkRefused('//', 'tag_invalid', /has to name a tag/);
  checkRefused('', 'path_unknown', /begin with a slash/);
  checkRefused('*', 'path_unknown', /begin with a slash/);
  checkRefused('/_bulk', 'path_unknown', /no tag may begin with "_"/);
  checkRefused('/%5Fbulk', 'path_unknown', /"_"/);
  checkRefused('/v1/logs', 'path_unknown', /"v1\/"/);
  checkRefused('/v1%2Flogs', 'path_unknown', /"v1\/"/);
  checkRefused('/services/collector', 'path_unknown', /"services\/"/);
  checkRefused('/loki/api/v1/push', 'path_unknown', /"loki\/"/);
  checkRefused('/%ff', 'tag_invalid', /UTF-8/);
  checkRefused(`/${'x'.repeat(1025)}`, 'tag_invalid', /longer than 1024/);
});
