// Where a fetch answer ends so that it takes no more memory and time than it may, and what readers are told of its end.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import { isEndMark } from '#shared/queue/kafka/wire/end-marks.ts';
import { mendFetchAnswer } from '#shared/queue/kafka/wire/foreign-batches.ts';
import {
  type Decoded,
  recordOf,
  batchOf,
  answerOf,
  decoded,
  one,
  plain,
  many,
  at,
  offsetsOf,
} from './fetch-answers.ts';

const bomb = gzipSync(recordOf(0, Buffer.alloc(81 * 1024 * 1024)), { level: 1 });

test('an answer ends where it would be too large unpacked, and the rest is for the next one', async () => {
  const large = gzipSync(recordOf(0, Buffer.alloc(15 * 1024 * 1024)), { level: 1 });
  const batches = [10, 11, 12].map((offset) => batchOf(offset, { codec: 1, bytes: large }));
  assert.deepEqual(await offsetsOf([[...batches, plain(13)]]), [[10, 11]]);
  assert.deepEqual(await offsetsOf([[...batches.slice(2), plain(13)]]), [[12, 13]]);
});

test('what unpacks to more than a batch may is left for the next answer, as one record of nothing', async () => {
  const bombs = [batchOf(10, { codec: 1, bytes: bomb }), batchOf(11, { codec: 1, bytes: bomb })];
  assert.deepEqual(await offsetsOf([[plain(9), ...bombs, plain(12)]]), [[9]]);
  assert.deepEqual(await decoded([[...bombs, plain(12)]]), [[[10, null, 0]]]);
  assert.deepEqual(await decoded([[...bombs.slice(1), plain(12)]]), [
    [
      [11, null, 0],
      [12, 'plain', 1],
    ],
  ]);
});

test('the first batch goes however large it is, and what needs no memory goes with it', async () => {
  const large = batchOf(10, { codec: 1, bytes: gzipSync(recordOf(0, Buffer.alloc(60 * 1024 * 1024)), { level: 1 }) });
  const small = batchOf(12, { codec: 4, bytes: zstdCompressSync(one('x')) });
  assert.deepEqual(await offsetsOf([[large, plain(11), small, plain(13)]]), [[10, 11]]);
  assert.deepEqual(await offsetsOf([[small, plain(13)]]), [[12, 13]]);
});

for (const codec of [0, 4]) {
  test(`an answer ends where it would have too many records, in codec ${codec}`, async () => {
    const records = many(30_000);
    const bytes = codec === 0 ? records : zstdCompressSync(records);
    const batches = [0, 1, 2].map((i) => batchOf(30_000 * i, { codec, count: 30_000, bytes }));
    const [found] = (await offsetsOf([batches])) ?? [];
    assert.equal(found?.length, 30_000);
    assert.equal(found.at(-1), 29_999);
    const [rest] = (await offsetsOf([batches.slice(1)])) ?? [];
    assert.equal(rest?.length, 30_000);
    assert.equal(rest.at(-1), 59_999);
  });
}

test('others have their turn between batches of many records', async () => {
  const batches = Array.from({ length: 10 }, (_, i) => batchOf(5000 * i, { count: 5000, bytes: many(5000) }));
  const { response } = fetchRequests.protocol({ version: 11 })({ topics: [] });
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await response.decode(answerOf([batches], 11));
  isDone = true;
  assert.ok(turns >= 15, `${turns} turns: each batch is looked at, and decoded, in one of its own`);
});

test('whichever partition is begun with, its first batch goes', async () => {
  const batch = batchOf(0, { count: 50_000, bytes: many(50_000) });
  for (const [begin, partition] of [
    [0, 0],
    [0.5, 1],
    [0.99, 2],
  ] as const) {
    const answer = answerOf([[batch], [batch], [batch]], 11);
    const went: number[] = [];
    const unpacked = ({ byteOffset }: Buffer): void =>
      void went.push(Math.floor((byteOffset - answer.byteOffset) / batch.length));
    await mendFetchAnswer(answer, 11, { inflates: new Map(), unpacked, begin });
    assert.deepEqual(went, [partition]);
  }
});

suite('where a partition ends without a record that is seen', () => {
  const emptied = (offset: number, lastDelta: number) =>
    batchOf(offset, { codec: 2, count: 0, lastDelta, bytes: Buffer.alloc(0) });
  const marked = async (batches: readonly Buffer[]) => {
    const { response } = fetchRequests.protocol({ version: 11 })({ topics: [] });
    const answer = (await response.decode(answerOf([[plain(4)], batches, []], 11))) as Decoded;
    return answer.responses[0]?.partitions.map(({ messages }) =>
      messages.map((message) => [Number(message.offset), isEndMark(message)]),
    );
  };
  const check = (what: string, batches: readonly Buffer[], expected: readonly (readonly [number, boolean])[]): void => {
    test(what, async () => assert.deepEqual(await marked(batches), [[[4, false]], expected, []]));
  };
  const record = [1, false] as const;
  check('an emptied batch', [emptied(1, 4)], [[5, true]]);
  check('an emptied batch behind records', [plain(1), emptied(2, 0)], [record, [2, true]]);
  check('an emptied batch before records', [emptied(0, 0), plain(1)], [record]);
  check('what compaction has left of the last batch', [batchOf(1, { ...at(0), lastDelta: 9 })], [record, [10, true]]);
  check('what is cut off does not count', [plain(1), emptied(2, 8).subarray(0, 60)], [record]);
  check('nor does what has no room', [plain(1), batchOf(2, { codec: 1, bytes: bomb })], [record]);
  const marker = batchOf(2, { codec: 0x30, bytes: one('marker') });
  check(
    'a marker',
    [marker],
    [
      [2, false],
      [2, true],
    ],
  );
  check('a marker behind records', [plain(1), marker], [record, [2, false], [2, true]]);
});
