// What a record says beside its text: the same whatever the order of its keys, another wherever anything else differs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { Entry } from '#indexer/parse/entry.ts';
import { restOf } from '#indexer/parse/document/record-rest.ts';
import * as names from '#indexer/parse/names.ts';

function rest(record: Record<string, unknown>): string {
  const bytes = Buffer.concat([Buffer.from([0x92, 0x01]), encode(record)]);
  const entry = new Entry();
  assert(entry.find(bytes, 0, bytes.length));
  return restOf(bytes, entry.recordAt, entry.root.findText(bytes, names.messageNames), 0);
}

const turned = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(record)
      .toReversed()
      .map(([key, value]) => [
        key,
        typeof value === 'object' && value !== null ? turned(value as Record<string, unknown>) : value,
      ]),
  );

test('the order of keys does not count, also in maps within', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'time', 'offset', 'k1', 'k2');
  const value = fc.oneof(fc.string(), fc.dictionary(key, fc.oneof(fc.string(), fc.dictionary(key, fc.string()))));
  fc.assert(
    fc.property(fc.dictionary(key, value), (more) => {
      const record: Record<string, unknown> = { log: 'one', ...more };
      assert.equal(rest(turned({ ...record, log: 'two' })), rest(record));
    }),
  );
});

test('keys and values do', () => {
  const all: Record<string, unknown>[] = [
    {},
    { a: '1' },
    { a: '2' },
    { b: '1' },
    { a: '1', b: '2' },
    { a: '2', b: '1' },
    { a: { b: '1' } },
    { a: { b: '2' } },
    { a: { c: '1' } },
    { a: ['1', '2'] },
    { a: ['2', '1'] },
    { a: { b: '1' }, c: '1' },
    { a: { b: '1', c: '1' } },
    { a: { b: { c: '1' } } },
  ];
  const rests = all.map((record) => rest({ log: 'x', ...record }));
  assert.equal(new Set(rests).size, all.length);
});

test('a map of many keys, and one of many levels', () => {
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i]));
  assert.equal(rest({ log: 'x', many }), rest(turned({ log: 'x', many })));
  let deep: unknown = 'x';
  for (let i = 0; i < 90; i++) deep = { a: deep, b: i };
  assert.equal(rest({ log: 'x', deep }), rest({ log: 'y', deep }));
});
