// Batches that foreign producers may write: what cannot be read is one record of nothing, and its neighbours are what
// they were.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { varint, sized, recordOf, type BatchParts, batchOf, decoded, plain, many, at } from './fetch-answers.ts';

function check(what: string, foreign: BatchParts): void {
  test(`${what} is one record of nothing, and its neighbours are what they were`, async () => {
    const next = 10 + (foreign.lastDelta ?? (foreign.count ?? 1) - 1) + 1;
    const found = await decoded([[plain(9), batchOf(10, foreign), plain(next)], [plain(4)]]);
    const others = (offset: number) => [offset, 'plain', 1];
    assert.deepEqual(found, [[others(9), [next - 1, null, 0], others(next)], [others(4)]]);
  });
}

check('a batch of snappy', { codec: 2, count: 3, bytes: Buffer.alloc(40, 1) });
check('a batch of lz4', { codec: 3, count: 300, bytes: Buffer.alloc(40, 1) });
for (const codec of [5, 6, 7]) check(`a batch of codec ${codec}`, { codec, bytes: Buffer.alloc(40, 1) });
check('a batch that is no gzip', { codec: 1, bytes: Buffer.alloc(40, 1) });
check('a batch that is no zstd', { codec: 4, bytes: Buffer.alloc(40, 1) });
check('a record of 150,000 headers', { bytes: recordOf(0, Buffer.alloc(1), 150_000) });
check('a record of 150,000 headers in zstd', {
  codec: 4,
  bytes: zstdCompressSync(recordOf(0, Buffer.alloc(1), 150_000)),
});
check('a batch of 200,000 records', { count: 200_000, bytes: many(200_000) });
check('a batch of fewer records than it says', { count: 3, bytes: many(2) });
check('a record that is longer than its batch', { bytes: Buffer.concat([varint(500), Buffer.alloc(30)]) });
check('a value that is longer than its record', { bytes: sized(Buffer.from([0, 0, 0, 1, 200, 1, 0, 0])) });
check('a record of lengths that never end', { bytes: sized(Buffer.alloc(30, 0xff)) });

test('what is well is left alone, in every version', async () => {
  const batches = [
    plain(1),
    batchOf(2, { codec: 1, count: 2, bytes: gzipSync(many(2)) }),
    batchOf(4, { codec: 4, count: 2, bytes: zstdCompressSync(many(2)) }),
    // What compaction leaves of a batch, and what the end of an answer leaves.
    batchOf(6, { codec: 2, count: 0, bytes: Buffer.alloc(0) }),
    batchOf(7, { bytes: recordOf(0, Buffer.from('headers'), 32) }),
    plain(8).subarray(0, 65),
  ];
  const expected = [[1, 'plain', 1], ...[2, 3, 4, 5].map((offset) => [offset, 'x', 0]), [7, 'headers', 1]];
  for (let version = 4; version <= 11; version++) {
    assert.deepEqual(
      await decoded([batches, [], [plain(3)]], version),
      [expected, [], [[3, 'plain', 1]]],
      `${version}`,
    );
  }
});

check('an offset beyond its batch', at(1_000_000));
check('an offset far beyond its batch, among others', at(0, 1_000_000_000, 2));
check('an offset before its batch', at(-5));
check('offsets that fall', at(0, 2, 1));
check('an offset that comes twice', at(0, 0));
check('offsets beyond the batch in zstd', { ...at(0, 2), codec: 4, bytes: zstdCompressSync(at(0, 2).bytes) });
const endless = Buffer.alloc(10, 0x80);
check('a time that never ends', {
  bytes: sized(Buffer.concat([Buffer.from([0]), endless, Buffer.from([0, 1, 1, 0])])),
});
check('an offset that never ends', {
  bytes: sized(Buffer.concat([Buffer.from([0, 0]), endless, Buffer.from([1, 1, 0])])),
});
check('records and headers that are too many together', {
  count: 10_000,
  bytes: Buffer.concat(Array.from({ length: 10_000 }, (_, delta) => recordOf(delta, Buffer.alloc(0), 32))),
});

test('what compaction has left of a batch is left alone', async () => {
  const batch = batchOf(10, { ...at(1, 2, 7), lastDelta: 9 });
  const found = await decoded([[batch, plain(20)]]);
  assert.deepEqual(found, [
    [
      [11, 'x', 0],
      [12, 'x', 0],
      [17, 'x', 0],
      [20, 'plain', 1],
    ],
  ]);
});
