// The patches of requests: which bytes go out, and which versions are left to kafkajs. What the bytes mean is in
// ../produce-request.test.ts and ../log-requests.test.ts.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import kafkajs from 'kafkajs';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import listOffsetsRequests from 'kafkajs/src/protocol/requests/listOffsets/index.js';
import metadataRequests from 'kafkajs/src/protocol/requests/metadata/index.js';
import produceRequests from 'kafkajs/src/protocol/requests/produce/index.js';
import { patchListOffsets } from '#shared/queue/kafka/kafkajs/patches/list-offsets.ts';
import { patchMetadata } from '#shared/queue/kafka/kafkajs/patches/metadata.ts';
import { patchProduce } from '#shared/queue/kafka/kafkajs/patches/produce.ts';
import { encodeMetadataRequest } from '#shared/queue/kafka/wire/log-requests.ts';
import { encodeProduceRequest } from '#shared/queue/kafka/wire/produce-request.ts';

interface Encoded {
  readonly request: { encode(): Promise<{ readonly buf: Buffer }> };
}

/** What is encoded, and whether kafkajs did it. */
async function encodedBy({ request }: Encoded): Promise<{ readonly bytes: Buffer; readonly isOriginal: boolean }> {
  const { encode } = request;
  const made = await encode();
  return { bytes: made.buf, isOriginal: made instanceof Encoder };
}

test('plain produce requests are encoded by ours', async () => {
  mock.timers.enable({ apis: ['Date'], now: 1_750_000_000_000 });
  const messages = [{ value: Buffer.from('v'), headers: { h: Buffer.from('x') } }];
  const topicData = [{ topic: 't', partitions: [{ partition: 1, messages }] }];
  const plain = { acks: -1, timeout: 1000, compression: kafkajs.CompressionTypes.None, topicData };
  const made = (version: number, options: object = {}) =>
    encodedBy(produceRequests.protocol({ version })({ ...plain, ...options }) as Encoded);
  assert.equal((await made(7)).isOriginal, true);
  patchProduce();
  for (const version of [3, 7]) {
    const { bytes, isOriginal } = await made(version);
    assert.equal(isOriginal, false);
    assert.deepEqual(bytes, encodeProduceRequest(plain, 1_750_000_000_000));
  }
  assert.equal((await made(2)).isOriginal, true, 'no record batches');
  assert.equal((await made(7, { compression: kafkajs.CompressionTypes.GZIP })).isOriginal, true);
  assert.equal((await made(7, { transactionalId: 'id' })).isOriginal, true);
  mock.timers.reset();
});

test('metadata is asked for in version 12 where the broker has it, and in 6 at most where not', async () => {
  const made = (version: number) => metadataRequests.protocol({ version })({ topics: ['t'] }) as unknown as Encoded;
  assert.equal(metadataRequests.versions.at(-1), '6');
  const original = await encodedBy(made(6));
  patchMetadata();
  assert.equal(metadataRequests.versions.at(-1), '12');
  assert.deepEqual((await encodedBy(made(12))).bytes, encodeMetadataRequest(['t'], true));
  assert.equal((made(12).request as { apiVersion?: number }).apiVersion, 12);
  for (const version of [6, 9, 11]) {
    assert.deepEqual(await encodedBy(made(version)), original);
    assert.equal((made(version).request as { apiVersion?: number }).apiVersion, 6);
  }
  const LEADER_NOT_AVAILABLE = 5;
  const answer = twoPartitions([LEADER_NOT_AVAILABLE, -1], [0, 7]);
  const { response } = metadataRequests.protocol({ version: 12 })({ topics: ['t'] });
  const parsed = await response.parse(await response.decode(answer));
  const { topicMetadata } = parsed as { topicMetadata: { partitionMetadata: { leader: number }[] }[] };
  const leaders = topicMetadata.flatMap(({ partitionMetadata }) => partitionMetadata.map(({ leader }) => leader));
  assert.deepEqual(leaders, [-1, 7], 'one partition without a leader hides no other');
  const UNKNOWN_TOPIC_OR_PARTITION = 3;
  await assert.rejects(async () =>
    response.parse(await response.decode(twoPartitions([0, 7], [UNKNOWN_TOPIC_OR_PARTITION, 7]))),
  );
});

/** An answer of version 12 with one topic of two partitions: the error and the leader of each. */
function twoPartitions(...partitions: readonly (readonly [error: number, leader: number])[]): Buffer {
  const i32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32();
  const short = (value: number): Buffer => Buffer.from(Int16Array.of(value).buffer).swap16();
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length + 1]), Buffer.from(value)]);
  const none = Buffer.from([0]);
  const empty = Buffer.from([1]);
  const list = partitions.map(([error, leader], id) =>
    Buffer.concat([short(error), i32(id), i32(leader), i32(1), empty, empty, empty, none]),
  );
  const topic = [
    short(0),
    text('t'),
    Buffer.alloc(16),
    none,
    Buffer.from([partitions.length + 1]),
    ...list,
    i32(0),
    none,
  ];
  return Buffer.concat([none, i32(0), empty, text('c'), i32(1), Buffer.from([2]), ...topic, none]);
}

test('a log ends where our consumers may read to: uncommitted is read', async () => {
  const isolationOf = async (): Promise<number | undefined> => {
    const made = listOffsetsRequests.protocol({ version: 3 })({ topics: [] }) as Encoded;
    // After the id of the replica that asks.
    return (await encodedBy(made)).bytes[4];
  };
  assert.equal(await isolationOf(), 1);
  patchListOffsets();
  assert.equal(await isolationOf(), 0);
});
