// Fetch answers with batches that foreign producers may write, as kafkajs decodes them once the patches of kafkajs are
// loaded.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import { isEndMark } from '#shared/queue/kafka/wire/end-marks.ts';
import { mendFetchAnswer } from '#shared/queue/kafka/wire/foreign-batches.ts';
import { NO_COMPRESSION } from '#shared/queue/kafka/kafkajs/client.ts';

interface Decoded {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly messages: readonly {
        readonly offset: string;
        readonly value: Buffer | null;
        readonly headers: Record<string, Buffer>;
      }[];
    }[];
  }[];
}

const i16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const i32 = (value: number) =>
  Buffer.from([(value >> 24) & 0xff, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]);
const i64 = (value: number) => Buffer.concat([i32(Math.floor(value / 2 ** 32)), i32(value % 2 ** 32)]);

assert.equal(NO_COMPRESSION, 0);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const sized = (bytes: Buffer) => Buffer.concat([varint(bytes.length), bytes]);

function recordOf(delta: number, value: Buffer, headers = 1): Buffer {
  const header = Buffer.concat([sized(Buffer.from('v')), sized(Buffer.from('2'))]);
  const given = Array.from({ length: headers }, () => header);
  const head = [Buffer.from([0]), varint(0), varint(delta), varint(-1)];
  return sized(Buffer.concat([...head, sized(value), varint(headers), ...given]));
}

interface BatchParts {
  readonly codec?: number;
  readonly count?: number;
  readonly lastDelta?: number;
  readonly bytes: Buffer;
}

function batchOf(offset: number, { codec = 0, count = 1, lastDelta = count - 1, bytes }: BatchParts): Buffer {
  const rest = [
    i32(3),
    Buffer.from([2]),
    i32(0),
    i16(codec),
    i32(lastDelta),
    i64(1000),
    i64(1000),
    i64(-1),
    i16(-1),
    i32(-1),
  ];
  const body = Buffer.concat([...rest, i32(count), bytes]);
  return Buffer.concat([i64(offset), i32(body.length), body]);
}

/** Of one topic with these partitions. */
function answerOf(partitions: readonly (readonly Buffer[])[], version: number): Buffer {
  const session = version >= 7 ? [i16(0), i32(0)] : [];
  const told = partitions.flatMap((batches, partition) => {
    const records = Buffer.concat(batches);
    const start = version >= 5 ? [i64(0)] : [];
    const replica = version >= 11 ? [i32(-1)] : [];
    return [
      i32(partition),
      i16(0),
      i64(99),
      i64(99),
      ...start,
      i32(1),
      i64(7),
      i64(8),
      ...replica,
      i32(records.length),
      records,
    ];
  });
  return Buffer.concat([i32(0), ...session, i32(1), i16(1), Buffer.from('t'), i32(partitions.length), ...told]);
}

async function decoded(partitions: readonly (readonly Buffer[])[], version = 11) {
  const { response } = fetchRequests.protocol({ version })({ topics: [] });
  const answer = (await response.decode(answerOf(partitions, version))) as Decoded;
  return answer.responses[0]?.partitions.map(({ messages }) =>
    messages.map(({ offset, value, headers }) => [
      Number(offset),
      value?.toString() ?? null,
      Object.keys(headers).length,
    ]),
  );
}

const one = (text: string) => recordOf(0, Buffer.from(text));
const plain = (offset: number) => batchOf(offset, { bytes: one('plain') });
const many = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, delta) => recordOf(delta, Buffer.from('x'), 0)));
const bomb = gzipSync(recordOf(0, Buffer.alloc(81 * 1024 * 1024)), { level: 1 });

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

const at = (...deltas: number[]) => ({
  count: deltas.length,
  bytes: Buffer.concat(deltas.map((delta) => recordOf(delta, Buffer.from('x'), 0))),
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

/** What is left of each partition, as kafkajs sees it. */
async function offsetsOf(partitions: readonly (readonly Buffer[])[]): Promise<number[][] | undefined> {
  const { response } = fetchRequests.protocol({ version: 11 })({ topics: [] });
  const answer = (await response.decode(answerOf(partitions, 11))) as Decoded;
  return answer.responses[0]?.partitions.map(({ messages }) => messages.map(({ offset }) => Number(offset)));
}

test('an answer ends where it would be too large unpacked, and the rest is for the next one', async () => {
  const large = gzipSync(recordOf(0, Buffer.alloc(15 * 1024 * 1024)), { level: 1 });
  const batches = [10, 11, 12].map((offset) => batchOf(offset, { codec: 1, bytes: large }));
  assert.deepEqual(await offsetsOf([[...batches, plain(13)]]), [[10, 11]]);
  assert.deepEqual(await offsetsOf([[...batches.slice(2), plain(13)]]), [[12, 13]]);
});

test('what unpacks to more than any batch may is left for an answer that begins with it, and is one record of nothing there', async () => {
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

test('the first batch goes although it is larger than an answer is to be, and what needs no room goes with it', async () => {
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
