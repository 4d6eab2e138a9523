import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLogs } from '#shared/otlp/json.ts';
import type { OtlpLogs } from '#shared/otlp/records.ts';
import { OPTIONS, decoded, now } from '../decode/http/http-entries.ts';

function entriesOf(logs: OtlpLogs): unknown[] {
  assert(logs.kind === 'records', JSON.stringify(logs));
  return decoded({ kind: 'entries', bytes: logs.entries, count: logs.count });
}

test('JSON in any order, and more than once: the last one counts', () => {
  const only = (record: string, expected: unknown) => {
    const body = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`;
    assert.deepEqual(entriesOf(jsonLogs(Buffer.from(body), OPTIONS)), [[now, expected]]);
  };
  const pair = (text: string, expected: unknown) => only(`{"attributes":[${text}]}`, expected);
  pair('{"value":{"intValue":1},"key":"a"}', { a: 1 });
  pair('{"key":"b","key":"a","value":{"intValue":1}}', { a: 1 });
  pair('{"key":"b","value":{"intValue":2},"key":"a","value":{"intValue":1}}', { a: 1 });
  pair('{"key":"a","value":{"intValue":1},"unknown":{"key":"b"}}', { a: 1 });
  pair('{"key":"a","value":null}', { a: null });
  pair('{"value":{"kvlistValue":{"values":[{"value":{"kvlistValue":{"values":[]}},"key":"b"}]}},"key":"a"}', {
    a: { b: {} },
  });
  pair('{"value":{"intValue":1}}', { '': 1 });
  only('{"body":{"intValue":1,"stringValue":"x","intValue":null}}', { log: 'x' });
  only('{"body":{"arrayValue":{"values":[{"intValue":1}],"values":[{"intValue":2}],"values":null}}}', { log: [2] });
  // What is wrong with a list that another one takes the place of costs nothing.
  only('{"body":{"arrayValue":{"values":[1],"x":[1],"values":[{"intValue":2}]}}}', { log: [2] });
  only('{"body":{"arrayValue":{"values":7,"values":[{"intValue":2}]}}}', { log: [2] });
  only('{"body":{"kvlistValue":{"values":[{"key":1}],"values":[{"key":"k"}]}}}', { log: { k: null } });
  only('{"body":{"intValue":1},"body":{"intValue":2}}', { log: 2 });
  const late = '{"scopeLogs":[{"logRecords":[{}],"scope":{"name":"n"}}],"resource":{"attributes":[{"key":"r"}]}}';
  assert.deepEqual(entriesOf(jsonLogs(Buffer.from(`{"resourceLogs":[${late}]}`), OPTIONS)), [
    [now, { resource: { r: null }, scope: { name: 'n' } }],
  ]);
});

test('the body is not looked at any more once it was said to be read', () => {
  const text = JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeLogs: [{ scope: { name: 'n' }, logRecords: [{ body: { stringValue: 'a' }, traceId: 'ab' }, {}, 0] }],
      },
    ],
  });
  const body = Buffer.from(text);
  let read = 0;
  const logs = jsonLogs(body, OPTIONS, () => {
    read += 1;
    body.fill('}');
  });
  assert.deepEqual(logs, jsonLogs(Buffer.from(text), OPTIONS));
  assert.equal(read, 1);
});
