// The time of a record that was posted without one: which key, which form, which unit. What is read stays under
// `attributes`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, documentOf, entryOf, hex } from './documents.ts';

const RECEIVED = '2026-01-02T03:04:05.678Z';
const posted = { batch: { ...batch, input: 'http' } } as const;

/** `expected`: null for the time of receipt. */
function check(record: Record<string, unknown>, expected: string | null): void {
  for (const time of [null, 0]) {
    const document = documentOf(entryOf(record, time), posted);
    assert.equal(
      document['@timestamp'],
      expected ?? RECEIVED,
      JSON.stringify(record, (_, value) => String(value)),
    );
  }
}

const text = (value: string, expected: string | null) => check({ '@timestamp': value }, expected);
const number = (value: number | bigint, expected: string | null) => check({ ts: value }, expected);

test('the keys, and their order', () => {
  const [a, b, c, d, e] = [1, 2, 3, 4, 5].map((day) => `2025-06-0${day}T00:00:00Z`);
  check({ ts: e }, '2025-06-05T00:00:00.000Z');
  check({ ts: e, date: d }, '2025-06-04T00:00:00.000Z');
  check({ ts: e, date: d, time: c }, '2025-06-03T00:00:00.000Z');
  check({ ts: e, date: d, time: c, timestamp: b }, '2025-06-02T00:00:00.000Z');
  check({ ts: e, date: d, time: c, timestamp: b, '@timestamp': a }, '2025-06-01T00:00:00.000Z');
  // The first that can be read.
  check({ '@timestamp': 'yesterday', timestamp: null, time: 35.2, date: {}, ts: e }, '2025-06-05T00:00:00.000Z');
  for (const other of ['Time', 'timestam', 'timestampx', 'when', '', 't']) check({ [other]: a }, null);
  check({ log: { time: a }, kubernetes: { time: a } }, null);
  check({}, null);
});

test("the journal's keys, in microseconds", () => {
  const realtime = (value: unknown, expected: string | null) => check({ __REALTIME_TIMESTAMP: value }, expected);
  realtime('1748773230123456', '2025-06-01T10:20:30.123456Z');
  check({ _SOURCE_REALTIME_TIMESTAMP: '1748773230000001' }, '2025-06-01T10:20:30.000001Z');
  check({ _SOURCE_REALTIME_TIMESTAMP: '1', __REALTIME_TIMESTAMP: '1748773230000001' }, '2025-06-01T10:20:30.000001Z');
  for (const value of ['', '1', '123456', 'x748773230123456', '-748773230123456', '99999999999999999', 1.5, null])
    realtime(value, null);
  check({ ts: '1748773230123456' }, null);
});

test('text with a zone', () => {
  text('2025-06-01T10:20:30Z', '2025-06-01T10:20:30.000Z');
  text('2025-06-01T10:20:30.1Z', '2025-06-01T10:20:30.100Z');
  text('2025-06-01T10:20:30.123456Z', '2025-06-01T10:20:30.123456Z');
  text('2025-06-01T10:20:30.123456789Z', '2025-06-01T10:20:30.123456789Z');
  text('2025-06-01T10:20:30.123456789999Z', '2025-06-01T10:20:30.123456789Z');
  text('2025-06-01t10:20:30,5z', '2025-06-01T10:20:30.500Z');
  text('2025-06-01 10:20:30+02:00', '2025-06-01T08:20:30.000Z');
  text('2025-06-01T10:20:30.5-0330', '2025-06-01T13:50:30.500Z');
  text('2025-06-01T10:20:30+02', '2025-06-01T08:20:30.000Z');
  text('2024-02-29T23:59:60Z', '2024-03-01T00:00:00.000Z');
  text('1970-01-01T00:00:01Z', '1970-01-01T00:00:01.000Z');
  text('2262-04-11T23:47:15Z', '2262-04-11T23:47:15.000Z');
});

test('text that is no time', () => {
  for (const value of [
    '2025-06-01T10:20:30',
    '2025-06-01 10:20:30.123456',
    '2025-06-01T10:20Z',
    '2025-06-01',
    '2025-06-01T10:20:30.Z',
    '2025-06-01T10:20:30 Z',
    '2025-06-01T10:20:30ZZ',
    '2025-06-01T10:20:30+2:00',
    '2025-06-01T10:20:30+24:00',
    '2025-06-01T10:20:30+02:60',
    '2025-06-01T10:20:30+0200000',
    '2025-02-29T10:20:30Z',
    '2025-13-01T10:20:30Z',
    '2025-00-01T10:20:30Z',
    '2025-06-01T24:20:30Z',
    '2025-06-01T10:60:30Z',
    '2025-06-01T10:20:61Z',
    '2025-06-01\u000010:20:30Z',
    '1969-12-31T23:59:59Z',
    '0070-01-01T00:00:00Z',
    '1970-01-01T00:00:00+01:00',
    '2263-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    'Sun, 01 Jun 2025 10:20:30 GMT',
    '1748773230',
    `2025-06-01T10:20:30.${'1'.repeat(60)}Z`,
    '',
  ])
    text(value, null);
});

test('numbers, their unit by their size', () => {
  number(1_748_773_230, '2025-06-01T10:20:30.000Z');
  number(1_748_773_230.5, '2025-06-01T10:20:30.500Z');
  number(1_748_773_230.123456, '2025-06-01T10:20:30.123456Z');
  number(1_748_773_230_123, '2025-06-01T10:20:30.123Z');
  number(1_748_773_230_123.25, '2025-06-01T10:20:30.123250Z');
  number(1_748_773_230_123n, '2025-06-01T10:20:30.123Z');
  number(1_748_773_230_123_456n, '2025-06-01T10:20:30.123456Z');
  number(1_748_773_230_123_456, '2025-06-01T10:20:30.123456Z');
  number(1_748_773_230_123_456_789n, '2025-06-01T10:20:30.123456789Z');
  check({ ts: 946_684_800 }, '2000-01-01T00:00:00.000Z');
  check({ ts: 4_102_444_799n }, '2099-12-31T23:59:59.000Z');
  check({ ts: 4_102_444_799_999_999_999n }, '2099-12-31T23:59:59.999999999Z');
});

test('numbers that are no time', () => {
  for (const value of [0, 1, -1, 35.2, 946_684_799, 4_102_444_800, 946_684_799_999, 4_102_444_800_000n]) {
    number(value, null);
  }
  for (const value of [-1_748_773_230, 2n ** 64n - 1n, -(2n ** 63n), 1e300, Infinity, NaN]) number(value, null);
  check({ ts: true }, null);
  check({ ts: [1_748_773_230] }, null);
});

test('the record stays as it was sent', () => {
  const record = { '@timestamp': '2025-06-01T10:20:30+02:00', log: 'a', ts: 1 };
  const { message, attributes } = documentOf(entryOf(record, null), posted);
  assert.deepEqual([message, attributes], ['a', { '@timestamp': '2025-06-01T10:20:30+02:00', ts: 1 }]);
});

test('only what was posted, and only where the entry has no time', () => {
  const record = { ts: 1_748_773_230 };
  assert.equal(documentOf(entryOf(record, 1_767_323_045), posted)['@timestamp'], '2026-01-02T03:04:05.000Z');
  // A time that the field cannot hold is not none.
  assert.equal(documentOf(entryOf(record, -5), posted)['@timestamp'], RECEIVED);
  for (const input of ['forward', 'otlp', 'splunk', 'elasticsearch', 'loki', 'journal', 'syslog', 'gelf']) {
    assert.equal(documentOf(entryOf(record, null), { batch: { ...batch, input } })['@timestamp'], RECEIVED, input);
  }
  // As text too, and for the last of two keys.
  assert.equal(
    documentOf(entryOf(record, null), { ...posted, asText: true })['@timestamp'],
    '2025-06-01T10:20:30.000Z',
  );
  const twice = hex('92 c0 82 a27473 ce 5e0be100 a27473 ce 683c296e');
  assert.equal(documentOf(twice, posted)['@timestamp'], '2025-06-01T10:20:30.000Z');
});

test('integers of 64 bits, to the last digit', () => {
  number(1_748_773_230_123n, '2025-06-01T10:20:30.123Z');
  number(1_748_773_230_999_999n, '2025-06-01T10:20:30.999999Z');
  number(4_102_444_799_999_999n, '2099-12-31T23:59:59.999999Z');
  number(4_102_444_800_000_000n, null);
  number(9_007_199_254_740_991n, null);
  number(1_748_773_230_999_999_999n, '2025-06-01T10:20:30.999999999Z');
  number(946_684_800_000n, '2000-01-01T00:00:00.000Z');
  number(946_684_799_999n, null);
  for (const value of [2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -1_748_773_230_123n]) number(value, null);
});
