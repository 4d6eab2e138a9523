// Which numbers of attributes are fields too, and under which names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { NumberFields } from '#indexer/parse/number-fields.ts';
import { batch, entryOf } from './documents.ts';

function numbersOf(records: readonly unknown[], max = 500): { numbers: unknown[]; fields: NumberFields } {
  const fields = new NumberFields(max);
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { listsNumbers: true, numberFields: fields });
  writer.startBatch(batch, batch.receivedMs);
  for (const [i, record] of records.entries()) {
    const entry = entryOf(record);
    assert.equal(writer.write(entry, 0, entry.length, i), 'ok');
  }
  const request = body.request();
  const numbers = request.items.map(({ docStart, docEnd }) => {
    const document = JSON.parse(Buffer.from(request.body.subarray(docStart, docEnd)).toString()) as {
      numbers?: unknown;
    };
    return document.numbers;
  });
  return { numbers, fields };
}

function check(record: unknown, expected: Record<string, number> | undefined): void {
  assert.deepEqual(numbersOf([record]).numbers, [expected], JSON.stringify(record));
}

test('numbers are fields, under names that conflict with none', () => {
  check({ log: 'x' }, undefined);
  check({ a: 'x', b: true, c: null }, undefined);
  check({ took: 12.5, n: '500', 'a.b': 1 }, { took: 12.5, n: 500, a_b: 1 });
  check({ a: { b: { c: 1 } } }, { a_b_c: 1 });
  check(
    { größe: 3, 'x"y\\z': 4, 'n\u0000': 5, ' ': 6, _id: 7, 名前: 8 },
    {
      größe: 3,
      x_y_z: 4,
      n_: 5,
      _: 6,
      _id: 7,
      名前: 8,
    },
  );
  check({ 'a.b': 1, a_b: 2, a: [3, 4] }, { a_b: 1, a: 3 });
  check({ ['k'.repeat(200)]: 1, b: 2 }, { b: 2 });
  check({ a: 2 ** 53, b: 1e308, c: 5e-324 }, { a: 2 ** 53, b: 1e308, c: 5e-324 });
  check({ a: '1e999', b: 1 }, { b: 1 });
});

test('the first keys have fields, and what comes behind them is told', () => {
  const { numbers, fields } = numbersOf([{ a: 1 }, { b: 'x', c: 2 }, { d: 3, a: 4 }, { d: 5 }], 2);
  assert.deepEqual(numbers, [{ a: 1 }, { c: 2 }, { a: 4 }, undefined]);
  assert.deepEqual([fields.size, fields.leftOut], [2, 2]);
});

test('no document is refused for its fields, and a number of them is a number', () => {
  fc.assert(
    fc.property(fc.array(fc.object({ maxDepth: 3 }), { maxLength: 5 }), (records) => {
      const { numbers, fields } = numbersOf(records, 10);
      assert.ok(fields.size <= 10);
      for (const one of numbers) {
        for (const [name, value] of Object.entries(one ?? {})) {
          assert.match(name, /^[\p{L}\p{N}_-]{1,128}$/u);
          assert.ok(Number.isFinite(value));
        }
      }
    }),
  );
});
