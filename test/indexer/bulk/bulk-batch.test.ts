// Subsets of a batch: whatever items are chosen, their bytes, their names and their places are those of the whole.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BulkBatch, type ItemRange, eventsOf, halves, subset } from '#indexer/settle/bulk-batch.ts';
import { Assignment, RecordInHand } from '#indexer/commit/in-hand.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import type { BulkItem } from '#shared/store/store.ts';

const assignment = new Assignment(1, [{ partition: 0, next: 0 }]);
const budget = new ByteBudget(1);
let offset = 0;
const record = (): RecordInHand =>
  new RecordInHand(
    assignment,
    { partition: 0, offset: offset++, timestampMs: 0, headers: {}, value: new Uint8Array() },
    budget.take(0),
  );
const batch = {
  id: Buffer.alloc(16),
  first: 100,
  count: 9,
  tag: 't',
  input: 'forward',
  tenant: null,
  receivedMs: 0,
  seq: 0,
  sender: 's',
  version: 2 as const,
  chain: null,
};

/** Ranges of these sizes, 0 for a joined line of two parts; item i is named by its place. */
function bulkOf(sizes: readonly number[]): BulkBatch {
  const ranges: ItemRange[] = [];
  const items: BulkItem[] = [];
  let body = '';
  for (const size of sizes) {
    const place = { record: record(), batch, entry: 7, index: 107 };
    const line = size === 0 ? { bytes: new Uint8Array(), partial: false, lines: 1 } : null;
    ranges.push({ ...place, count: Math.max(1, size), parts: line && [place, place], line });
    for (let i = 0; i < Math.max(1, size); i++) {
      const actionStart = body.length;
      const id = `${ranges.length - 1}/${7 + i}/${107 + i}`;
      body += `{"action":"${id}"}\n`;
      const docStart = body.length;
      body += 'x'.repeat(i * 3);
      items.push({ index: 'i', id, actionStart, docStart, docEnd: body.length });
      body += '\n';
    }
  }
  return { request: { body: Buffer.from(body), items }, ranges, asText: false };
}

/** Each item as its action line, its document, and its place, which must agree. */
function contents(bulk: BulkBatch, whole: BulkBatch): string[] {
  const { body, items } = bulk.request;
  const places = bulk.ranges.flatMap((range) =>
    Array.from(
      { length: range.count },
      (_, i) =>
        `${whole.ranges.findIndex(({ record }) => record === range.record)}/${range.entry + i}/${range.index + i}`,
    ),
  );
  assert.equal(places.length, items.length);
  return items.map((item, i) => {
    assert.equal(places[i], item.id);
    const text = Buffer.from(body).toString();
    assert.equal(text.slice(item.actionStart, item.docStart), `{"action":"${item.id}"}\n`);
    assert.equal(text[item.docEnd], '\n');
    return `${item.id} ${text.slice(item.docStart, item.docEnd)}`;
  });
}

test('any subset is what was chosen', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 8 }), fc.func(fc.boolean()), (sizes, isChosen) => {
      const whole = bulkOf(sizes);
      const all = contents(whole, whole);
      const chosen = all.map((_, i) => i).filter((i) => isChosen(i));
      const rest = all.map((_, i) => i).filter((i) => !isChosen(i));
      const picked = subset(whole, chosen);
      assert.deepEqual(
        contents(picked, whole),
        chosen.map((i) => all[i]),
      );
      assert.equal(eventsOf(picked.ranges) + eventsOf(subset(whole, rest).ranges), eventsOf(whole.ranges));
      // A subset of a subset.
      const again = subset(
        picked,
        chosen.map((_, i) => i).filter((i) => i % 2 === 0),
      );
      assert.deepEqual(
        contents(again, whole),
        chosen.filter((_, i) => i % 2 === 0).map((i) => all[i]),
      );
    }),
  );
});

test('halves are the whole', () => {
  const whole = bulkOf([3, 0, 4, 1]);
  const [first, second] = halves(whole);
  assert.deepEqual([...contents(first, whole), ...contents(second, whole)], contents(whole, whole));
});

test('a joined line settles as many events as it has parts', () => {
  assert.equal(eventsOf(bulkOf([3, 0, 2]).ranges), 7);
  assert.equal(eventsOf(subset(bulkOf([3, 0, 2]), [3]).ranges), 2);
});
