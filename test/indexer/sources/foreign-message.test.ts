// Messages of others, by the formats and rules of `kafka.sources`, up to the documents that a store would see.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { unpack } from '#indexer/unpack/unpack.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import { ForeignHeaders } from '#shared/queue/foreign-headers.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { documentId, identityTimeMs } from '#shared/record/identity.ts';
import { documentOf } from '../parse/documents.ts';
import { protobufOf } from '../../forwarder/dialects/otlp-message.ts';

const TIME_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const KAFKA_TIME = '2026-01-02T03:04:05.678Z';

const OTLP_HALF = JSON.stringify({
  resourceLogs: [
    { scopeLogs: [{ logRecords: [{ body: { stringValue: 'good' } }, { body: { boolValue: 'neither' } }] }] },
  ],
});

/** What the tests look at. */
interface Document {
  readonly '@timestamp': string;
  readonly message?: string;
  readonly stream?: string;
  readonly log?: { readonly flags?: readonly string[]; readonly level?: string };
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly fluentd: { readonly tag: string };
  readonly event: { readonly sequence: number };
  readonly tenant?: unknown;
  readonly host?: unknown;
  readonly kubernetes?: { readonly pod: { readonly name: string } };
}

interface Message {
  readonly value: Uint8Array | string | null;
  readonly key?: string | Uint8Array;
  readonly headers?: readonly (readonly [string, string | Uint8Array])[];
  readonly offset?: number;
  readonly timestampMs?: number;
  readonly topicId?: string | null;
}

function recordOf(rule: SourceRule, message: Message): FetchedRecord {
  const { value, key, headers = [], offset = 7, timestampMs = TIME_MS, topicId = 'topic-id' } = message;
  const encoded = new ForeignHeaders();
  if (key !== undefined) encoded.key(Buffer.from(key));
  if (value === null) encoded.noValue();
  for (const [name, bytes] of headers) encoded.header(name, Buffer.from(bytes));
  const source = { topic: 'app-logs', topicId, partition: 3, rule };
  return { partition: 3, offset, timestampMs, headers: encoded.encoded, value: Buffer.from(value ?? ''), source };
}

async function opened(rule: SourceRule, message: Message) {
  const unpacked = await unpack(recordOf(rule, message), { bytesMax: 2 ** 26 });
  assert(unpacked.kind === 'unpacked');
  return unpacked;
}

async function documents(rule: SourceRule, message: Message): Promise<Document[]> {
  const { batches, bytes, ends } = await opened(rule, message);
  let entry = 0;
  return batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => {
      const start = entry === 0 ? 0 : (ends[entry - 1] ?? 0);
      const end = ends[entry++];
      return documentOf(bytes.subarray(start, end), { batch, index: batch.first + i }) as unknown as Document;
    }),
  );
}

/** What a document has beside what all have. */
function gist({ message, log, attributes }: Document): unknown[] {
  return [message ?? null, log?.flags?.[0] ?? null, attributes ?? null];
}

const text = { topic: 'app-logs', format: 'text' } as const;
const json = { topic: 'app-logs', format: 'json' } as const;
const ndjson = { topic: 'app-logs', format: 'ndjson' } as const;

suite('what becomes of a message', () => {
  const check = (what: string, rule: SourceRule, value: Message['value'], expected: readonly unknown[][]): void => {
    test(what, async () => assert.deepEqual((await documents(rule, { value })).map(gist), expected));
  };
  const notUtf8 = Buffer.from([0x68, 0xff, 0x69]);
  const exact = { kafka_value_base64: notUtf8.toString('base64') };

  check('text', text, 'hello', [['hello', null, null]]);
  check('text of no byte', text, '', [['', null, null]]);
  check('text that is no UTF-8', text, notUtf8, [['h\ufffdi', 'unread', exact]]);
  check('text without a value', text, null, [['', 'unread', { kafka_tombstone: true }]]);
  check('an object', json, '{"message":"m","a":{"b":1}}', [['m', null, { a: { b: 1 } }]]);
  check('an object behind a byte order mark', json, '\ufeff{"message":"m"}', [['m', null, null]]);
  check('objects in an array', json, '[{"message":"1"},{"message":"2"}]', [
    ['1', null, null],
    ['2', null, null],
  ]);
  for (const value of ['', '[]', '7', '"text"', '[{"a":1},7]', '{"a":1} {"a":2}', '{"a":', 'plain', '['.repeat(200)])
    check(`${JSON.stringify(value.slice(0, 20))} for an object`, json, value, [[value, 'unread', null]]);
  check('no UTF-8 for an object', json, notUtf8, [['h\ufffdi', 'unread', exact]]);
  check('no value for an object', json, null, [['', 'unread', { kafka_tombstone: true }]]);
  check('lines', ndjson, '{"message":"1"}\r\n\n{"message":"2"}', [
    ['1', null, null],
    ['2', null, null],
  ]);
  check('a line that is no object, among others', ndjson, '{"message":"1"}\nno\r\n[1]\n{"message":"2"}\n', [
    ['1', null, null],
    ['no', 'unread', null],
    ['[1]', 'unread', null],
    ['2', null, null],
  ]);
  check('blank lines alone', ndjson, '\n \r\n', [['\n \r\n', 'unread', null]]);
  check('a far too crowded array', json, `[${'{},'.repeat(100_000)}{}]`, [
    [`[${'{},'.repeat(100_000)}{}]`, 'unread', null],
  ]);
  for (const format of ['otlp_json', 'otlp_proto'] as const) {
    const otlp = { topic: 'app-logs', format };
    check(`what is no ${format}`, otlp, 'plain', [['plain', 'unread', null]]);
    check(`nothing for ${format}`, otlp, '', [['', 'unread', null]]);
  }
  check('OTLP of which a record cannot be read', { topic: 'app-logs', format: 'otlp_json' }, OTLP_HALF, [
    ['good', null, null],
    [OTLP_HALF, 'unread', null],
  ]);
  const pastAll = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"flags":18446744073709551615}]}]}]}';
  check('OTLP with a number that none of it holds', { topic: 'app-logs', format: 'otlp_json' }, pastAll, [
    [pastAll, 'unread', null],
  ]);
});

test('a large message is a text, and is not looked into', async () => {
  const value = `{"message":"${'x'.repeat(17 * 1024 * 1024)}"}`;
  const { batches, ends } = await opened(json, { value });
  assert.deepEqual([batches.length, batches[0]?.input, ends.length], [1, 'kafka_text', 1]);
});

test('a batch that could not be unpacked is told, and is no event of nothing', async () => {
  const record = recordOf(json, { value: null });
  const headers = new ForeignHeaders();
  headers.unreadable();
  const unpacked = await unpack({ ...record, headers: headers.encoded }, { bytesMax: 1024 });
  assert.deepEqual([unpacked.kind, 'reason' in unpacked && unpacked.reason], ['unreadable', 'record_malformed']);
});

suite('the time of an event', () => {
  const check = (format: NonNullable<SourceRule['time']>['format'], value: unknown, expected: string): void => {
    const rule = { ...json, time: { field: 'at.ts', format } };
    test(`${format} of ${JSON.stringify(value)}`, async () => {
      const written = typeof value === 'string' && value.startsWith('raw:') ? value.slice(4) : JSON.stringify(value);
      const [document] = await documents(rule, { value: `{"at":{"ts":${written}}}` });
      assert.equal(document?.['@timestamp'], expected);
    });
  };
  check('s', 1767323046, '2026-01-02T03:04:06.000Z');
  check('s', 1767323046.123456, '2026-01-02T03:04:06.123456Z');
  check('s', '1767323046.123456789', '2026-01-02T03:04:06.123456789Z');
  check('ms', 1767323046123, '2026-01-02T03:04:06.123Z');
  check('ms', 1767323046123.5, '2026-01-02T03:04:06.123500Z');
  check('us', '1767323046123456', '2026-01-02T03:04:06.123456Z');
  check('ns', 'raw:1767323046123456789', '2026-01-02T03:04:06.123456789Z');
  check('rfc3339', '2026-01-02T04:04:06.1+01:00', '2026-01-02T03:04:06.100Z');
  check('rfc3339', '2026-01-02 04:04:06', KAFKA_TIME);
  for (const value of [-1, 0, 1e300, '', 'soon', null, [1], { s: 1 }, true, '9'.repeat(70)])
    check('ms', value, KAFKA_TIME);
  check('s', 2 ** 33, KAFKA_TIME);
  test('of a message without it is Kafka’s, and of one without any, the beginning', async () => {
    const rule = { ...json, time: { field: 'ts', format: 'ms' as const } };
    assert.equal((await documents(rule, { value: '{}' }))[0]?.['@timestamp'], KAFKA_TIME);
    const [document] = await documents(rule, { value: '{}', timestampMs: 8.64e15 });
    assert.equal(document?.['@timestamp'], '1970-01-01T00:00:00.000Z');
  });
});

suite('the tag of an event', () => {
  const check = (tag: string | undefined, value: string, expected: readonly string[]): void => {
    const rule = { ...ndjson, ...(tag !== undefined && { tag }) };
    test(`${tag} of ${value.slice(0, 40)}`, async () => {
      assert.deepEqual(
        (await documents(rule, { value })).map(({ fluentd }) => fluentd.tag),
        expected,
      );
    });
  };
  check(undefined, '{}', ['app-logs']);
  check('fixed', '{}\nno', ['fixed', 'fixed']);
  check('{topic}/{partition}', '{}', ['app-logs/3']);
  check('k.{a.b}', '{"a":{"b":"x"}}\n{"a.b":"y"}\n{"a":{"b":7}}\nno', ['k.x', 'k.y', 'k.7', 'k.unknown']);
  check('k.{a.b}', '{"a":{"b":{}}}\n{"a":1}\n{"a":{"b":""}}', ['k.unknown', 'k.unknown', 'k.unknown']);
  check('{a}', '{"a":"1","a":"2"}', ['2']);
  check('{a}', JSON.stringify({ a: 'ä'.repeat(1000) }), ['ä'.repeat(128)]);
});

test('key, headers and position are kept where it is asked for', async () => {
  const message: Message = {
    value: '{"message":"m"}',
    key: Buffer.from([0x6b, 0xff]),
    headers: [
      ['__proto__', 'p'],
      ['h', '1'],
      ['h', Buffer.from([0xff])],
      ['', ''],
    ],
  };
  const kept = async (keep: SourceRule['keep']) =>
    (await documents({ ...json, ...(keep && { keep }) }, message))[0]?.attributes?.['kafka_message'];
  assert.equal(await kept(undefined), undefined);
  assert.deepEqual(await kept(['key']), { key: 'k\ufffd' });
  assert.equal(
    JSON.stringify(await kept(['headers', 'position'])),
    '{"topic":"app-logs","partition":3,"offset":7,"headers":{"__proto__":"p","h":["1","\ufffd"],"":""}}',
  );
  assert.equal((await documents({ ...json, keep: ['key'] }, { value: '{}' }))[0]?.attributes, undefined);
});

test('tenant and order', async () => {
  const [first] = await documents({ ...json, tenant: 'acme' }, { value: '{}' });
  assert.deepEqual(first?.tenant, { id: 'acme' });
  const sequences: number[] = [];
  for (const offset of [7, 8]) {
    for (const { event } of await documents(ndjson, { value: '{}\n{}', offset })) sequences.push(event.sequence);
  }
  assert.deepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(sequences).size, 4);
});

suite('names', () => {
  const namesOf = async (message: Message): Promise<string[]> => {
    const { batches } = await opened(ndjson, message);
    return batches.flatMap((batch) =>
      Array.from({ length: batch.count }, (_, i) => documentId(batch, batch.first + i)),
    );
  };
  const message: Message = { value: '{"a":1}\nno\n{"a":2}' };

  test('are the same whenever the message is read, begin with its time, and differ within it', async () => {
    const names = await namesOf(message);
    assert.deepEqual(await namesOf(message), names);
    assert.equal(new Set(names).size, 3);
    const [batch] = (await opened(ndjson, message)).batches;
    assert.equal(batch && identityTimeMs(batch), TIME_MS);
  });
  const check = (what: string, other: Partial<Message>): void => {
    test(`are others where the ${what} is another`, async () => {
      const names = new Set(await namesOf(message));
      for (const name of await namesOf({ ...message, ...other })) assert(!names.has(name));
    });
  };
  check('offset', { offset: 8 });
  check('topic of that name', { topicId: 'another' });
  check('topic of that name, of which no id is known', { topicId: null });
  check('time', { timestampMs: TIME_MS + 1 });
  check('content', { value: '{"a":1}\nno\n{"a":3}' });
});

suite('what others write by default', () => {
  const fixture = (name: string): Buffer =>
    readFileSync(new URL(`../../fixtures/sources/${name}.json`, import.meta.url));
  const time = (field: string, format: 'rfc3339' | 's') => ({ time: { field, format } });

  test('Filebeat', async () => {
    const [document] = await documents({ ...json, ...time('@timestamp', 'rfc3339') }, { value: fixture('filebeat') });
    assert.equal(document?.['@timestamp'], KAFKA_TIME);
    assert.equal(document?.message, 'GET /health 200');
    assert.deepEqual(document?.attributes?.['@metadata'], { beat: 'filebeat', type: '_doc', version: '8.16.1' });
    assert.equal(document?.log?.flags, undefined);
  });
  test('fluent-bit', async () => {
    const rule = { ...json, ...time('@timestamp', 's'), tag: 'kube.{kubernetes.namespace_name}' };
    const [document] = await documents(rule, { value: fixture('fluent-bit') });
    assert.equal(document?.['@timestamp'], '2026-01-02T03:04:05.678901Z');
    assert.deepEqual([document?.message, document?.stream], ['GET /health 200', 'stdout']);
    assert.deepEqual([document?.kubernetes?.pod.name, document?.fluentd.tag], ['web-0', 'kube.shop']);
  });
  test('Vector', async () => {
    const [document] = await documents({ ...json, ...time('timestamp', 'rfc3339') }, { value: fixture('vector') });
    assert.equal(document?.['@timestamp'], '2026-01-02T03:04:05.678901234Z');
    assert.deepEqual([document?.message, document?.host], ['GET /health 200', { name: 'node-1' }]);
  });
  test('the OpenTelemetry Collector, in JSON and in protobuf', async () => {
    const value = fixture('otel');
    const rule = { topic: 'app-logs', tag: 'otel.{service.name}' } as const;
    const ofJson = await documents({ ...rule, format: 'otlp_json' }, { value });
    const [first, second] = ofJson;
    assert.deepEqual([first?.['@timestamp'], first?.message], ['2026-01-02T03:04:05.678901234Z', 'GET /health 200']);
    assert.deepEqual([first?.log, first?.fluentd.tag], [{ level: 'info' }, 'otel.shop']);
    assert.deepEqual([second?.message, second?.host], ['GET /cart 500', { name: 'node-1' }]);
    const proto = protobufOf(JSON.parse(value.toString()) as Parameters<typeof protobufOf>[0]);
    const ofProto = await documents({ ...rule, format: 'otlp_proto' }, { value: proto });
    assert.deepEqual(
      ofProto.map(({ message, fluentd }) => [message, fluentd.tag]),
      ofJson.map(({ message, fluentd }) => [message, fluentd.tag]),
    );
  });
});
