// The list of numbers beside the attributes: which are in it, under which names; and that it costs no event its place.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import { numberIn } from '#shared/store/query/number-order.ts';
import { batch, entryOf } from './documents.ts';

type Written = { readonly outcome: string; readonly text: string };

function written(entry: Uint8Array, options: { listsNumbers: boolean; bytesMax?: number }): Written {
  const body = new BulkBody();
  const writer = new DocumentWriter(body, options);
  writer.startBatch(batch, batch.receivedMs);
  const outcome = writer.write(entry, 0, entry.length, 0);
  const request = body.request();
  const [item] = request.items;
  return { outcome, text: Buffer.from(request.body.subarray(item?.docStart, item?.docEnd)).toString() };
}

function listOf(record: unknown): unknown {
  const { attribute_numbers: list } = JSON.parse(written(entryOf(record), { listsNumbers: true }).text) as Record<
    string,
    unknown
  >;
  return list;
}

test('all numbers of a long array under a short key', () => {
  const values = Array.from({ length: 20_000 }, (_, n) => n % 10);
  assert.equal((listOf({ n: values }) as string[]).length, values.length);
});

test('numbers and where they are', () => {
  const check = (record: unknown, expected: string[] | undefined) => assert.deepEqual(listOf(record), expected);
  check({ log: 'x' }, undefined);
  check({ a: 'x', b: true, c: null, d: [], e: {} }, undefined);
  check({ status: 500 }, ['status\0h5']);
  check({ took: 12.5, a: -1, b: 0 }, ['took\0g125', 'a\0U8~', 'b\0_']);
  check({ a: { b: { c: 1 }, d: 2 }, e: 3 }, ['a.b.c\0f1', 'a.d\0f2', 'e\0f3']);
  check({ a: [1, [2, { b: 3 }], { c: 4, d: [5] }], e: 6 }, [
    'a\0f1',
    'a\0f2',
    'a.b\0f3',
    'a.c\0f4',
    'a.d\0f5',
    'e\0f6',
  ]);
  check({ a: '500', b: '0500', c: '1.5e3', d: '-', e: '12ms', f: ' 1', g: '1"2' }, ['a\0h5', 'c\0i15']);
  check({ a: 2n ** 64n - 1n, b: -(2n ** 63n) }, ['a\0y18446744073709551615', 'b\0C0776627963145224191~']);
  check({ a: NaN, b: Infinity, c: 1e300, d: 5e-324, e: -0 }, ['c\0z3011', 'd\0a6775', 'e\0_']);
  check({ 'a.b': 1, '': 2, 'x"y\\': 3, größe: 4, 'n\0': 5 }, [
    'a.b\0f1',
    '\0f2',
    'x"y\\\0f3',
    'größe\0f4',
    'n\ufffd\0f5',
  ]);
  check({ 'a\\': { '1': 'x:1', '2': { '"': 1 } } }, ['a\\.2."\0f1']);
  check({ level: 30, kubernetes: { labels: { n: 1 }, x: 2 } }, ['level\0g3', 'kubernetes.x\0f2']);
});

test('the rest of the document stays as it is, and every number of its attributes is listed', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.anything({ withBigInt: true, maxDepth: 4 }), {
        noNullPrototype: true,
      }),
      (record) => {
        let entry: Uint8Array;
        try {
          entry = encode([1, record], { useBigInt64: true });
        } catch {
          return;
        }
        const plain = written(entry, { listsNumbers: false });
        const listed = written(entry, { listsNumbers: true });
        assert.equal(listed.outcome, plain.outcome);
        if (plain.outcome !== 'ok') return;
        const { attribute_numbers: list = [], ...rest } = parseExactJson(listed.text) as Record<string, unknown>;
        const document = parseExactJson(plain.text) as Record<string, unknown>;
        assert.equal(JSON.stringify(rest), JSON.stringify(document));
        const expected: string[] = [];
        collect(document['attributes'] ?? {}, [], expected);
        assert.deepEqual(list, expected);
      },
    ),
    { numRuns: 500 },
  );
});

function collect(value: unknown, path: readonly string[], found: string[]): void {
  if (Array.isArray(value)) for (const inner of value) collect(inner, path, found);
  else if (JSON.isRawJSON(value)) add(value.rawJSON);
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) collect(inner, [...path, key], found);
  else if (typeof value === 'number' || typeof value === 'string') add(String(value));
  function add(text: string): void {
    const code = numberIn(text);
    if (code !== null) found.push(`${path.join('.')}\0${code}`);
  }
}

test('a document that fits without the list fits with it', () => {
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key.${i}`, i]));
  assert.equal((listOf(many) as string[]).length, 10_000);
  const wide = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`a rather long key ${i}`, i]));
  const whole = written(entryOf(wide), { listsNumbers: true });
  assert.equal(whole.outcome, 'ok');
  const { attribute_numbers: list } = JSON.parse(whole.text) as { attribute_numbers: string[] };
  assert(list.length > 20_000 && list.length < 40_000, String(list.length));
  const entry = entryOf(many);
  const { length } = written(entry, { listsNumbers: false }).text;
  for (const bytesMax of [length + 1, length + 1000, length + 20_000, length + 100_000]) {
    assert.equal(written(entry, { listsNumbers: true, bytesMax }).outcome, 'ok');
  }
});
