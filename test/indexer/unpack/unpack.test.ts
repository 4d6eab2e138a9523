// What a record claims is checked before its first event is used; columns of records and what they are found to be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DOCUMENT_LIMITS } from '#indexer/json/value-limits.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { unpack } from '#indexer/unpack/unpack.ts';
import { compress } from '#shared/record/compression.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';

const entry = Buffer.from([0x92, 0x01, 0x81, 0xa1, 0x61, 0x01]); // [1, {a: 1}]
const run = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => entry));
const batch = (count: number): Batch => ({
  id: Buffer.alloc(16, 1),
  first: 0,
  count,
  tag: 't',
  input: 'forward',
  tenant: null,
  receivedMs: 1,
  seq: 1,
  sender: 's',
  version: 2,
  chain: null,
});

type Headers = Record<string, Uint8Array>;
const headers = (counts: number[], encoding = 'identity', v = '2'): Headers => ({
  v: Buffer.from(v),
  encoding: Buffer.from(encoding),
  batches: encodeBatches(counts.map(batch)),
});

const open = (given: Headers, value: Uint8Array, bytesMax = 10_000) =>
  unpack({ partition: 0, offset: 0, timestampMs: 0, headers: given, value }, { bytesMax });

test('records that can be read', async () => {
  const check = async (given: Headers, value: Uint8Array, ends: number[]): Promise<void> => {
    const opened = await open(given, value);
    assert(opened.kind === 'unpacked', JSON.stringify(opened));
    assert.deepEqual([...opened.ends], ends);
  };
  await check(headers([1]), run(1), [6]);
  await check(headers([2, 1]), run(3), [6, 12, 18]);
  await check(headers([3], 'gzip'), gzipSync(run(3)), [6, 12, 18]);
  await check(headers([2, 1], 'gzip'), Buffer.concat([gzipSync(run(1)), gzipSync(run(2))]), [6, 12, 18]);
  await check(headers([3], 'zstd'), await compress(run(3)), [6, 12, 18]);
  await check(
    { ...headers([1]), v: Buffer.from('1'), batches: encodeBatches([{ ...batch(1), version: 1 }]) },
    run(1),
    [6],
  );
  await check({ ...headers([1]), other: Buffer.from('unknown headers are none of ours') }, run(1), [6]);
});

test('records that cannot be read, and how many events they are', async () => {
  const check = async (given: Headers, value: Uint8Array, reason: string, events: number): Promise<void> => {
    const opened = await open(given, value);
    assert(opened.kind === 'unreadable');
    assert.deepEqual([opened.reason, opened.events], [reason, events]);
    assert.match(opened.error, /^Cannot /);
  };
  await check({}, run(1), 'record_malformed', 1);
  for (const newer of ['3', '10', '999999999999999'])
    await check(headers([2], 'identity', newer), run(2), 'record_version_unknown', 2);
  for (const none of [
    '',
    '0',
    '-3',
    '+3',
    '03',
    '3.0',
    '3e0',
    ' 3',
    '3\n',
    '٣',
    'v3',
    '1000000000000000',
    '9'.repeat(1000),
  ])
    await check(headers([2], 'identity', none), run(2), 'record_malformed', 2);
  await check(headers([2], 'identity', '1'), run(2), 'record_malformed', 2); // the table is of version 2
  await check(
    { ...headers([1]), batches: encodeBatches([{ ...batch(1), version: 1 }]) },
    run(1),
    'record_malformed',
    1,
  );
  await check({ ...headers([2]), batches: Buffer.from('?') }, run(2), 'record_malformed', 1);
  await check(headers([2], 'lz4'), run(2), 'record_malformed', 2);
  await check(headers([2]), run(1), 'record_malformed', 2); // too few
  await check(headers([2]), run(3), 'record_malformed', 2); // too many
  await check(headers([1, 1, 1]), run(2), 'record_malformed', 3);
  await check(headers([2]), run(2).subarray(0, 11), 'record_malformed', 2); // cut
  await check(headers([1]), Buffer.from([0xc1]), 'record_malformed', 1);
  await check(headers([2 ** 32]), run(1), 'record_malformed', 2 ** 32); // no allocation on a table's word
  await check(headers([2], 'zstd'), run(2), 'record_malformed', 2);
  await check(headers([2], 'gzip'), gzipSync(run(2)).subarray(0, 20), 'record_malformed', 2);
  await check(headers([5000], 'gzip'), gzipSync(run(5000)), 'record_malformed', 5000); // more than bytesMax
});

test('random bytes never make it throw', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('identity', 'gzip', 'zstd', 'x'),
      bytes,
      bytes,
      fc.boolean(),
      async (encoding, table, value, good) => {
        const given = { ...headers([1], encoding), ...(good ? {} : { batches: table }) };
        const opened = await open(given, value);
        assert(opened.kind === 'unreadable' || opened.ends.at(-1) === opened.bytes.length || opened.ends.length === 0);
      },
    ),
  );
});

test('an entry with more values than a document may have is known by their number; its neighbours are not', async () => {
  const nils = (count: number): Buffer => {
    const head = Buffer.from([0x92, 0x01, 0x81, 0xa1, 0x61, 0xdd, 0, 0, 0, 0]);
    head.writeUInt32BE(count, head.length - 4);
    return Buffer.concat([head, Buffer.alloc(count, 0xc0)]);
  };
  const most = 2 * DOCUMENT_LIMITS.valuesMax + 1024;
  const few = nils(most - 4);
  const many = nils(most - 3);
  const opened = await open(headers([4]), Buffer.concat([entry, few, many, entry]), 10_000_000);
  assert(opened.kind === 'unpacked');
  assert.deepEqual([...opened.crowded], [2]);
  // What is known by their number only would have been found too large by looking at each.
  const documents = new DocumentWriter(new BulkBody());
  documents.startBatch(batch(1), 0);
  assert.equal(documents.write(few, 0, few.length, 0), 'document_too_large');
});
