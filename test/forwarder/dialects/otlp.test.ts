import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { exportAnswer, statusAnswer } from '#forwarder/dialects/otlp/answer.ts';
import { jsonLogs } from '#shared/otlp/json.ts';
import { protobufLogs } from '#shared/otlp/protobuf.ts';
import type { OtlpLogs } from '#shared/otlp/records.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { OPTIONS, decoded, now } from '../decode/http/http-entries.ts';
import { type AnyValue, type LogRecord, type Request, protobufOf } from './otlp-message.ts';

const json = (request: unknown) => Buffer.from(JSON.stringify(request));
const one = (record: LogRecord): Request => ({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });

function entriesOf(logs: OtlpLogs): unknown[] {
  assert(logs.kind === 'records', JSON.stringify(logs));
  return decoded({ kind: 'entries', bytes: logs.entries, count: logs.count });
}

/** In both encodings. */
function check(request: Request, expected: unknown[]): void {
  assert.deepEqual(entriesOf(jsonLogs(json(request), OPTIONS)), expected);
  assert.deepEqual(entriesOf(protobufLogs(protobufOf(request), OPTIONS)), expected);
}

test('a record, field by field', () => {
  const text = (stringValue: string): AnyValue => ({ stringValue });
  check({ resourceLogs: [] }, []);
  check(one({}), [[now, {}]]);
  check(one({ timeUnixNano: '1700000000123456789', body: text('hello') }), [
    ['1700000000.123456789', { log: 'hello' }],
  ]);
  check(one({ observedTimeUnixNano: '1000000001' }), [['1.000000001', {}]]);
  check(one({ timeUnixNano: '2000000000', observedTimeUnixNano: '1000000000' }), [['2.000000000', {}]]);
  // Past 2106 whole seconds are all that there is room for.
  check(one({ timeUnixNano: '5000000000000000001' }), [[5_000_000_000, {}]]);
  check(one({ severityText: 'Warning' }), [[now, { 'log.level': 'Warning' }]]);
  check(one({ severityNumber: 9 }), [[now, { severity_number: 9, 'log.level': 'info' }]]);
  check(one({ severityNumber: 24, severityText: 'F' }), [[now, { severity_number: 24, 'log.level': 'F' }]]);
  check(one({ severityNumber: 99 }), [[now, { severity_number: 99 }]]);
  check(one({ severityNumber: -1 }), [[now, { severity_number: -1 }]]);
  check(one({ traceId: '0102030405060708090a0b0c0d0e0f10', spanId: 'aabbccddeeff0011', flags: 1 }), [
    [now, { 'trace.id': '0102030405060708090a0b0c0d0e0f10', 'span.id': 'aabbccddeeff0011', flags: 1 }],
  ]);
  check(one({ traceId: '00000000000000000000000000000000', spanId: '' }), [[now, {}]]);
  check(one({ eventName: 'login', droppedAttributesCount: 3 }), [
    [now, { 'event.name': 'login', dropped_attributes_count: 3 }],
  ]);
});

test('values of each kind', () => {
  const value = (given: AnyValue, expected: unknown) =>
    check(one({ body: given, attributes: [{ key: 'a', value: given }] }), [[now, { log: expected, a: expected }]]);
  value({ stringValue: 'é\u0000' }, 'é\u0000');
  value({ stringValue: '' }, '');
  value({ boolValue: false }, false);
  value({ intValue: '-9007199254740993' }, -9007199254740992);
  value({ intValue: '5' }, 5);
  value({ doubleValue: 1.5 }, 1.5);
  value({ bytesValue: 'AQID' }, Buffer.from([1, 2, 3]));
  value({ arrayValue: { values: [{ intValue: '1' }, { stringValue: 'x' }, {}] } }, [1, 'x', null]);
  value({ kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }, { key: 'n' }] } }, { k: true, n: null });
  value({}, null);
  const twenty = Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, value: { intValue: String(i) } }));
  value({ kvlistValue: { values: twenty } }, Object.fromEntries(twenty.map(({ key }, i) => [key, i])));
});

test('what the indexer looks for stands where it looks, and no name is lost', () => {
  const attributes = (pairs: Record<string, string>) =>
    Object.entries(pairs).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const resource = {
    'service.name': 'shop',
    'service.version': '1',
    'host.name': 'node-1',
    'container.id': 'abc',
    'k8s.pod.name': 'shop-1',
    'k8s.namespace.name': 'default',
    'k8s.node.name': 'node-1',
    'k8s.pod.label.app': 'shop',
    'k8s.deployment.name': 'web',
    'k8s.cluster.name': 'east',
  };
  const expected = {
    'service.name': 'shop',
    'host.name': 'node-1',
    'container.id': 'abc',
    kubernetes: { pod_name: 'shop-1', namespace_name: 'default', host: 'node-1' },
    'service.version': '1',
    'k8s.deployment.name': 'web',
    'k8s.cluster.name': 'east',
    resource: { 'k8s.pod.label.app': 'shop' },
    scope: { name: 'lib', version: '2', a: 'b' },
  };
  const scope = { name: 'lib', version: '2', attributes: attributes({ a: 'b' }) };
  const logRecords: LogRecord[] = [
    { body: { stringValue: 'one' }, attributes: attributes({ log: 'x', resource: 'y', message: 'z' }) },
    { body: { stringValue: 'two' }, attributes: attributes({ 'service.version': '2', 'container.name': 'c' }) },
  ];
  check({ resourceLogs: [{ resource: { attributes: attributes(resource) }, scopeLogs: [{ scope, logRecords }] }] }, [
    [now, { ...expected, log: 'one', 'attributes.log': 'x', 'attributes.resource': 'y', message: 'z' }],
    [now, { ...expected, log: 'two', 'attributes.service.version': '2', 'container.name': 'c' }],
  ]);
  // Nothing of one resource or scope is told of the next.
  const named = (name: string) => ({
    resource: { attributes: attributes({ 'service.name': name }) },
    scopeLogs: [{ scope: { name }, logRecords: [{}] }, { logRecords: [{}] }],
  });
  check({ resourceLogs: [named('a'), { scopeLogs: [{ logRecords: [{}] }] }, named('b')] }, [
    [now, { 'service.name': 'a', scope: { name: 'a' } }],
    [now, { 'service.name': 'a' }],
    [now, {}],
    [now, { 'service.name': 'b', scope: { name: 'b' } }],
    [now, { 'service.name': 'b' }],
  ]);
});

test('JSON as others write it: numbers for 64 bits, names of the .proto, null, unknown fields', () => {
  const only = (record: object, expected: unknown) => {
    const body = { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] };
    assert.deepEqual(entriesOf(jsonLogs(json(body), OPTIONS)), [expected]);
  };
  only({ timeUnixNano: 1_700_000_000_000_000_000, body: { intValue: 7 }, unknown: { a: [1] } }, [
    '1700000000.000000000',
    { log: 7 },
  ]);
  only({ body: null, attributes: null, severityText: null, traceId: 'AB01' }, [now, { 'trace.id': 'ab01' }]);
  only({ severity_text: 'x', body: { string_value: 'y' } }, [now, { 'log.level': 'x', log: 'y' }]);
  only({ body: { doubleValue: 'NaN' } }, [now, { log: NaN }]);
  only({ body: { doubleValue: '-Infinity' } }, [now, { log: -Infinity }]);
  only({ body: { stringValue: 'a', whatever: 1 } }, [now, { log: 'a' }]);
  assert.deepEqual(entriesOf(jsonLogs(json({}), OPTIONS)), []);
  assert.deepEqual(entriesOf(jsonLogs(json({ resource_logs: [{ scope_logs: [{ log_records: [{}] }] }] }), OPTIONS)), [
    [now, {}],
  ]);
});

test('a record that cannot be taken is told, and the others are', () => {
  const rejected = (record: object, why: RegExp) => {
    const logRecords = [{ body: { stringValue: 'good' } }, record, {}];
    const logs = jsonLogs(json({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }), OPTIONS);
    assert(logs.kind === 'records');
    assert.deepEqual([logs.count, logs.rejected], [2, 1]);
    assert.match(logs.why, why);
    assert.deepEqual(entriesOf(logs), [
      [now, { log: 'good' }],
      [now, {}],
    ]);
  };
  rejected({ timeUnixNano: 'yesterday' }, /timeUnixNano is no integer/);
  rejected({ timeUnixNano: -1 }, /negative/);
  rejected({ timeUnixNano: '18446744073709551616' }, /64 bits/);
  rejected({ severityNumber: 'SEVERITY_NUMBER_INFO' }, /severityNumber is no integer/);
  rejected({ severityNumber: 2 ** 32 }, /severityNumber is past 32 bits/);
  // More than msgpack holds, once it is a double.
  for (const name of ['severityNumber', 'flags', 'droppedAttributesCount'])
    rejected({ [name]: '18446744073709551615' }, /is past 32 bits/);
  rejected({ severityText: 5 }, /severityText is no string/);
  rejected({ body: 'text' }, /object is missing/);
  rejected({ body: { boolValue: 'true' } }, /neither true nor false/);
  rejected({ body: { doubleValue: [1] } }, /no number/);
  rejected({ attributes: {} }, /attributes is no array/);
  rejected({ attributes: [{ key: 1 }] }, /key is no string/);

  const broken = new BinaryWriter().uint32(0x2a).fork().uint32(0x0a).uint32(100).join().finish();
  const writer = new BinaryWriter().uint32(0x0a).fork().uint32(0x12).fork();
  for (const record of [Buffer.alloc(0), broken, Buffer.alloc(0)]) writer.uint32(0x12).bytes(record);
  const logs = protobufLogs(Buffer.from(writer.join().join().finish()), OPTIONS);
  assert(logs.kind === 'records');
  assert.deepEqual([logs.count, logs.rejected], [2, 1]);
  assert.match(logs.why, /longer than what it is in/);
});

test('a value that nests too deep costs its record', () => {
  let body: AnyValue = { stringValue: 'deep' };
  for (let i = 0; i < 200; i += 1) body = { arrayValue: { values: [body] } };
  const logs = protobufLogs(protobufOf(one({ body })), OPTIONS);
  assert(logs.kind === 'records');
  assert.deepEqual([logs.count, logs.rejected], [0, 1]);
  const refused = jsonLogs(json(one({ body })), OPTIONS);
  assert(refused.kind === 'malformed');
  assert.match(refused.why, /deeper/);
});

test('malformed and too large', () => {
  const malformed = (logs: OtlpLogs, why: RegExp) => {
    assert(logs.kind === 'malformed', JSON.stringify(logs));
    assert.match(logs.why, why);
  };
  malformed(jsonLogs(Buffer.from(''), OPTIONS), /ends/);
  malformed(jsonLogs(Buffer.from('[]'), OPTIONS), /has to be an object/);
  malformed(jsonLogs(Buffer.from('{"resourceLogs":{}}'), OPTIONS), /no array/);
  malformed(jsonLogs(Buffer.from('{"resourceLogs":[1]}'), OPTIONS), /object is missing/);
  malformed(protobufLogs(Buffer.from('0a05', 'hex'), OPTIONS), /longer than/);
  malformed(protobufLogs(Buffer.from('ffffffffffffffff', 'hex'), OPTIONS), /wrong at byte/);
  malformed(protobufLogs(Buffer.from('hello'), OPTIONS), /wrong at byte/);
  // A large resource and a million records of two bytes each must not become a million large entries.
  const large = { key: 'a', value: { stringValue: 'x'.repeat(100_000) } };
  const logRecords = Array.from({ length: 10_000 }, () => ({}));
  const bomb: Request = { resourceLogs: [{ resource: { attributes: [large] }, scopeLogs: [{ logRecords }] }] };
  assert.equal(protobufLogs(protobufOf(bomb), OPTIONS).kind, 'too_large');
  assert.equal(jsonLogs(json(bomb), OPTIONS).kind, 'too_large');
});

test('bytes cut anywhere and bytes of any kind never throw, and what is taken is entries', () => {
  const request: Request = {
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeLogs: [
          {
            scope: { name: 'n' },
            logRecords: [
              {
                timeUnixNano: '1700000000000000000',
                body: {
                  kvlistValue: { values: [{ key: 'a', value: { arrayValue: { values: [{ intValue: '1' }] } } }] },
                },
                traceId: '0102030405060708090a0b0c0d0e0f10',
              },
            ],
          },
        ],
      },
    ],
  };
  const sound = (logs: OtlpLogs) => {
    if (logs.kind === 'records') assert.equal(countEntries(logs.entries, 0, logs.entries.length), logs.count);
  };
  const texts = { protobuf: protobufOf(request), json: json(request) };
  for (let end = 0; end < texts.protobuf.length; end += 1) {
    sound(protobufLogs(Buffer.from(texts.protobuf.subarray(0, end)), OPTIONS));
  }
  for (let end = 0; end < texts.json.length; end += 1) {
    assert.equal(jsonLogs(Buffer.from(texts.json.subarray(0, end)), OPTIONS).kind, 'malformed');
  }
  const changes = fc.array(fc.tuple(fc.nat(texts.protobuf.length - 1), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(changes, (places) => {
      const bytes = Buffer.from(texts.protobuf);
      for (const [at, value] of places) bytes[at] = value;
      sound(protobufLogs(bytes, OPTIONS));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => sound(protobufLogs(Buffer.from(bytes), OPTIONS))),
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      sound(jsonLogs(Buffer.from(text), OPTIONS));
      sound(jsonLogs(Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${text}]}]}]}`), OPTIONS));
      sound(jsonLogs(Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${text}}]}]}]}`), OPTIONS));
    }),
  );
});

test('answers in both encodings', () => {
  assert.equal(exportAnswer('json', 0, '').toString(), '{}');
  assert.equal(
    exportAnswer('json', 2, 'why').toString(),
    '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"why"}}',
  );
  assert.equal(exportAnswer('protobuf', 0, '').toString('hex'), '');
  assert.equal(exportAnswer('protobuf', 2, 'why').toString('hex'), '0a0708021203776879');
  assert.equal(statusAnswer('json', 400, 'why').toString(), '{"code":3,"message":"why"}');
  assert.equal(statusAnswer('protobuf', 503, 'why').toString('hex'), '080e1203776879');
});
