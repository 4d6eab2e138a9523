import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { type ForeignRecord, foreignRecordIdentity } from '#shared/record/foreign-identity.ts';

const record: ForeignRecord = {
  topic: 'orders',
  partition: 3,
  offset: 2 ** 40,
  timestampMs: 1_700_000_000_123,
  valueCrc32: 0xfffffffe,
};

test('is the record’s time, and SHA-256 over the fields, each with its length', () => {
  const hashed = Buffer.concat([
    Buffer.from('000000066f7264657273' + '0000000400000003' + '000000080000010000000000' + '00000008', 'hex'),
    (() => {
      const time = Buffer.alloc(8);
      time.writeDoubleBE(record.timestampMs);
      return time;
    })(),
    Buffer.from('00000004fffffffe', 'hex'),
  ]);
  const expected = `018bcfe5687b${createHash('sha256').update(hashed).digest('hex').slice(0, 20)}`;
  assert.equal(foreignRecordIdentity(record).toString('hex'), expected);
});

describe('is another where anything differs', () => {
  const check = (what: string, other: Partial<ForeignRecord>) =>
    test(what, () =>
      assert.notDeepEqual(foreignRecordIdentity({ ...record, ...other }), foreignRecordIdentity(record)),
    );

  check('topic', { topic: 'order' });
  check('partition', { partition: 4 });
  check('offset', { offset: 2 ** 40 + 1 });
  check('time', { timestampMs: 1_700_000_000_124 });
  check('value', { valueCrc32: 0 });
});

test('a time out of range is 0 in front, and still told apart', () => {
  const none = [-1, 0, 2 ** 48, Number.NaN].map((timestampMs) => foreignRecordIdentity({ ...record, timestampMs }));
  for (const identity of none) assert.equal(identity.readUIntBE(0, 6), 0);
  assert.equal(new Set(none.map((identity) => identity.toString('hex'))).size, none.length);
});
