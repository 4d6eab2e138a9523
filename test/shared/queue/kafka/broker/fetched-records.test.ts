// What a foreign producer may have written, as readers see it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchedRecord } from '#shared/queue/kafka/broker/fetched-records.ts';

const message = { offset: '7', key: null, value: Buffer.from('x'), attributes: 0, timestamp: '1', headers: {} };

test('has a time that can be written, whatever its producer said', () => {
  const timeOf = (timestamp: string) => fetchedRecord(0, { ...message, timestamp }).timestampMs;
  assert.equal(timeOf('1700000000000'), 1_700_000_000_000);
  for (const [told, expected] of [
    ['9223372036854775807', '+275760-09-13T00:00:00.000Z'],
    ['-1', '1970-01-01T00:00:00.000Z'],
    ['-9223372036854775808', '1970-01-01T00:00:00.000Z'],
  ] as const) {
    assert.equal(new Date(timeOf(told)).toISOString(), expected);
  }
});

test('has plain headers, whatever they are called', () => {
  const headers = { ['__proto__']: Buffer.alloc(3), v: [Buffer.from('1'), Buffer.from('2')] };
  const record = fetchedRecord(0, { ...message, headers });
  assert.deepEqual(record.headers, { v: Buffer.from('2') });
});
