import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyItems } from '#indexer/json/body-items.ts';
import { BulkBody } from '#indexer/bulk/body.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';

function batchOf(seed: number): Batch {
  return {
    version: 2,
    id: Uint8Array.from({ length: 16 }, (_, i) => (seed + i) & 0xff),
    first: 0,
    count: 1_000_000,
    tag: 't',
    tenant: null,
    sender: 's',
    receivedMs: 0,
    sequence: 0,
    chain: null,
  } as unknown as Batch;
}

const place = (entry: number) => ({ entry, actionStart: entry * 10, docStart: entry * 10 + 3, docEnd: entry * 10 + 9 });

test('items come back as they were added, in order and in any other, in runs of any length', () => {
  const items = new BodyItems();
  const batches = [1, 2, 3].map(batchOf);
  const expected: object[] = [];
  for (let number = 0; number < 5000; number += 1) {
    const batch = batches[Math.floor(number / 7) % 3] ?? batchOf(0);
    const index = number % 1000 < 500 ? 'logs-a-default' : 'logs-b-default';
    items.add(index, batch, place(number));
    const { entry, ...at } = place(number);
    expected.push({ index, id: documentId(batch, entry), ...at });
  }
  const plain = (item: ReturnType<BodyItems['at']>) => item && { ...item, id: item.id };
  assert.deepEqual(items.map(plain), expected);
  assert.deepEqual(Array.from(items, plain), expected);
  for (const number of [0, 4999, 1, 4998, 2500, 2499, 6, 7, 8, 0])
    assert.deepEqual(plain(items.at(number)), expected[number], String(number));
  assert.equal(items.at(5000), undefined);
  assert.equal(items.at(-1), undefined);
});

test('a request that was released is used anew, and has nothing of what was in it', () => {
  const body = new BulkBody();
  const write = (count: number) => {
    for (let entry = 0; entry < count; entry += 1) {
      body.start('logs-a-default', batchOf(count), entry);
      body.json.ascii(`{"n":${entry}}`);
      body.end();
    }
    return body.request();
  };
  const first = write(3000);
  const kept = first.items.at(2);
  body.release(first);
  assert.equal(first.items.length, 0);
  const second = write(1);
  const third = write(2);
  assert(second.items !== third.items);
  const released = [first].filter(({ items }) => items === second.items || items === third.items);
  assert.equal(released.length, 1, 'its memory is used again');
  assert.deepEqual([second.items.length, third.items.length], [1, 2]);
  assert.equal(third.items.at(1)?.id, documentId(batchOf(2), 1));
  assert.equal(kept?.id, documentId(batchOf(3000), 2));
});
