// The form of a bulk body, and where its items lie.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkBody } from '#indexer/bulk/body.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BulkRequest } from '#shared/store/store.ts';

const batchOf = (id: Buffer, version: 1 | 2 = 2, changes: Partial<Batch> = {}): Batch => ({
  version,
  id,
  first: 0,
  count: 1,
  tag: 't',
  input: 'forward',
  tenant: null,
  receivedMs: 1,
  seq: 1,
  sender: 's',
  chain: null,
  ...changes,
});
const firstId = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const first = batchOf(firstId);
const second = batchOf(Buffer.alloc(16, 0xfe));
const old = batchOf(firstId, 1);
const names = { bytes: Buffer.from(Array.from({ length: 44 }, (_, i) => 255 - i)), earliestMs: 0 };
const byPosition = batchOf(firstId, 2, { first: 7, count: 2, chain: Buffer.alloc(16), names });

function add(body: BulkBody, index: string, batch: Batch, entry: number, document: string): void {
  body.start(index, batch, entry);
  body.json.ascii(document);
  body.end();
}

function textOf({ body }: BulkRequest): string {
  return Buffer.from(body).toString();
}

/** What each item says of the body. */
function partsOf({ body, items }: BulkRequest): object[] {
  const text = Buffer.from(body).toString('latin1');
  return items.map(({ index, id, actionStart, docStart, docEnd }) => ({
    index,
    id,
    action: text.slice(actionStart, docStart),
    document: text.slice(docStart, docEnd),
    after: text[docEnd],
  }));
}

test('items of several batches and streams', () => {
  const body = new BulkBody();
  add(body, 'logs-a-default', first, 0, '{"n":1}');
  add(body, 'logs-a-default', first, 4_294_967_295, '{"n":2}');
  add(body, 'logs-a-default', second, 7, '{"n":3}');
  add(body, 'logs-sluice.b_c-default', second, 7, '{"n":4}');
  add(body, 'logs-a-default', first, 7, '{"n":5}');
  add(body, 'logs-a-default', old, 7, '{"n":6}');
  add(body, 'logs-a-default', old, 4_294_967_296, '{"n":7}');
  add(body, 'logs-a-default', byPosition, 7, '{"n":8}');
  add(body, 'logs-a-default', byPosition, 8, '{"n":9}');
  assert.equal(body.count, 9);
  const idOf = ({ id }: Batch, index: string) => Buffer.from(id.toHex() + index, 'hex').toString('base64url');
  const expected = [
    ['logs-a-default', idOf(first, '00000000')],
    ['logs-a-default', idOf(first, 'ffffffff')],
    ['logs-a-default', idOf(second, '00000007')],
    ['logs-sluice.b_c-default', idOf(second, '00000007')],
    ['logs-a-default', idOf(first, '00000007')],
    ['logs-a-default', `${firstId.toString('hex')}-7`],
    ['logs-a-default', `${firstId.toString('hex')}-4294967296`],
    ['logs-a-default', names.bytes.toString('base64url', 0, 22)],
    ['logs-a-default', names.bytes.toString('base64url', 22)],
  ].map(([index, id], i) => ({
    index,
    id,
    action: `{"create":{"_index":"${index}","_id":"${id}"}}\n`,
    document: `{"n":${i + 1}}`,
    after: '\n',
  }));
  const { length } = body;
  const request = body.request();
  assert.deepEqual(partsOf(request), expected);
  assert.equal(request.body.length, length);
  assert.equal(textOf(request), expected.map(({ action, document }) => `${action}${document}\n`).join(''));
});

test('an item that is rolled back was never there', () => {
  const body = new BulkBody();
  add(body, 'i', first, 0, '{}');
  const { length } = body;
  body.start('i', second, 1);
  body.json.ascii('{"half":');
  body.rollback();
  assert.deepEqual([body.length, body.count], [length, 1]);
  add(body, 'i', first, 2, '{}');
  body.rollback();
  assert.equal(body.request().items.length, 2);
});

test('a request keeps its bytes until it is released', () => {
  const body = new BulkBody();
  add(body, 'i', first, 0, '{"n":1}');
  const one = body.request();
  const before = textOf(one);
  assert.deepEqual([body.length, body.count], [0, 0]);
  add(body, 'i', first, 1, '{"n":2}');
  const two = body.request();
  assert.equal(textOf(one), before);
  assert.notEqual(one.body.buffer, two.body.buffer);
  body.release(one);
  add(body, 'i', first, 2, '{"n":3}');
  body.request();
  add(body, 'i', first, 3, '{"n":4}');
  assert.equal(body.request().items.at(0)?.id, documentId(first, 3));
});

test('a released buffer is used again', () => {
  const body = new BulkBody();
  add(body, 'i', first, 0, '{}');
  const one = body.request();
  const two = body.request();
  body.release(one);
  assert.equal(two.body.length, 0);
  body.request();
  add(body, 'i', first, 1, '{}');
  assert.equal(body.request().body.buffer, one.body.buffer);
});

test('grows as it must', () => {
  const body = new BulkBody();
  const document = `{"text":"${'x'.repeat(100_000)}"}`;
  for (let entry = 0; entry < 20; entry += 1) add(body, 'i', first, entry, document);
  const request = body.request();
  assert.deepEqual(
    partsOf(request).map((part) => 'document' in part && part.document === document),
    Array.from({ length: 20 }, () => true),
  );
});

test('whoever uses it wrongly is told', () => {
  const body = new BulkBody();
  assert.throws(() => body.end());
  for (const index of ['a"b', 'a\nb', 'A', 'ä']) assert.throws(() => body.start(index, first, 0), index);
  body.start('i', first, 0);
  assert.throws(() => body.start('i', first, 1));
  assert.throws(() => body.request());
});

test('the buffer of a request is hardly larger than what it is sent at, and doubles only for a huge document', () => {
  const sentAt = 1024 * 1024;
  const body = new BulkBody(sentAt);
  const line = JSON.stringify({ message: 'x'.repeat(1000) });
  for (let i = 0; body.length < sentAt; i++) add(body, 'logs', first, i, line);
  const request = body.request();
  assert(request.body.length >= sentAt);
  assert(request.body.buffer.byteLength < 1.3 * sentAt, `${request.body.buffer.byteLength} bytes`);
  body.release(request);
  add(body, 'logs', first, 0, JSON.stringify('y'.repeat(3 * sentAt)));
  assert(body.request().body.length > 3 * sentAt);
});
