// The lag of a group, from a real Kafka, over records whose times the test gave.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import kafkajs from 'kafkajs';
import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { type GroupLag, lagRecords, lagSeconds } from '#shared/queue/group-lag.ts';
import { KafkaLag } from '#shared/queue/kafka/kafka-lag.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';

const broker = await kafka();
const HOUR_MS = 3_600_000;
const debug = (): void => undefined;

/** A topic whose records keep the times that they are given. */
async function withTopic(partitions: number, body: (config: Config, admin: Admin) => Promise<void>): Promise<void> {
  const config = kafkaConfig(broker?.brokers ?? []);
  const admin = createClient(config, { debug }).admin();
  await admin.connect();
  const configEntries = [
    { name: 'message.timestamp.type', value: 'CreateTime' },
    { name: 'retention.ms', value: '-1' },
    { name: 'cleanup.policy', value: 'delete' },
  ];
  const topics = [config['kafka.topic'], config['kafka.dead_letter_topic']];
  try {
    await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: partitions, configEntries })) });
    await body(config, admin);
  } finally {
    await removeTopics(config);
    await admin.disconnect();
  }
}

async function produce(config: Config, partition: number, timesMs: readonly number[]): Promise<void> {
  const producer = createClient(config, { debug }).producer();
  await producer.connect();
  const messages = timesMs.map((ms) => ({ partition, value: Buffer.alloc(100), timestamp: String(ms) }));
  // Compressed requests are kafkajs's own: those of Sluice have the time of now.
  const compression = kafkajs.CompressionTypes.GZIP;
  await producer.send({ topic: config['kafka.topic'], compression, messages }).finally(() => producer.disconnect());
}

/** Commits as a member of the group, then leaves it. */
async function commit(config: Config, next: ReadonlyMap<number, number>): Promise<void> {
  const topic = config['kafka.topic'];
  const consumer = createClient(config, { debug }).consumer({ groupId: config['kafka.group'], maxWaitTimeInMs: 10 });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
    await consumer.commitOffsets(
      [...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
    );
  } finally {
    await consumer.disconnect();
  }
}

const told = ({ partitions }: GroupLag) => partitions.map((lag) => [lag.next, lag.high, lagRecords(lag)]);

/** Every two seconds of the last hour; two bursts, three days and one moment ago; one record; nothing. */
function timesAsOf(nowMs: number): readonly (readonly number[])[] {
  return [
    Array.from({ length: 1800 }, (_, i) => nowMs - HOUR_MS + 2000 * i),
    [...Array.from({ length: 50 }, () => nowMs - 72 * HOUR_MS), ...Array.from({ length: 50 }, () => nowMs - 500)],
    [nowMs - 30_000],
    [],
  ];
}

/** Each lag in seconds is the age of the record at which the group is, or nearly. */
function checkAges(lag: GroupLag, times: readonly (readonly number[])[]): void {
  for (const partition of lag.partitions) {
    const trueMs = times[partition.partition]?.[partition.next];
    if (trueMs === undefined) {
      assert.equal(partition.oldestMs, null);
      assert.equal(lagSeconds(partition, lag.atMs), 0);
      continue;
    }
    const age = (lag.atMs - trueMs) / 1000;
    const error = Math.abs(lagSeconds(partition, lag.atMs) - age);
    assert(error <= (age <= 60 ? 1 : 0.02 * age), `${age} s told as ${lagSeconds(partition, lag.atMs)} s`);
  }
}

suite('lag from the brokers alone', { skip: broker ? false : 'SKIPPED: no Kafka' }, () => {
  test('never committed, committed in the middle, caught up, deleted below, idle', async () => {
    await withTopic(4, async (config, admin) => {
      const times = timesAsOf(Date.now());
      for (const [partition, timesMs] of times.entries())
        if (timesMs.length > 0) await produce(config, partition, timesMs);
      await using source = new KafkaLag(config, systemClock);
      const check = (lag: GroupLag): void => checkAges(lag, times);

      const fresh = await source.sample();
      assert.deepEqual(told(fresh), [
        [0, 1800, 1800],
        [0, 100, 100],
        [0, 1, 1],
        [0, 0, 0],
      ]);
      assert.equal(fresh.members, 0);
      assert.equal(fresh.retentionMs, null);
      check(fresh);

      await commit(
        config,
        new Map([
          [0, 900],
          [1, 50],
          [2, 1],
        ]),
      );
      const middle = await source.sample();
      assert.deepEqual(told(middle), [
        [900, 1800, 900],
        [50, 100, 50],
        [1, 1, 0],
        [0, 0, 0],
      ]);
      check(middle);
      for (const committed of [1, 899, 1799]) {
        await commit(config, new Map([[0, committed]]));
        check(await source.sample());
      }

      // A group that stands still is told from what is known; its lag grows with the time.
      const again = await source.sample();
      assert.equal(again.partitions[1]?.oldestMs, middle.partitions[1]?.oldestMs);

      const topic = config['kafka.topic'];
      // kafkajs must have heard who leads the partitions.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '70' }] });
      const deleted = await source.sample();
      assert.deepEqual(told(deleted)[1], [70, 100, 30]);
      check(deleted);
    });
  });

  test('a topic that is not there, brokers that are not there', async () => {
    const config = kafkaConfig(broker?.brokers ?? []);
    await using missing = new KafkaLag(config, systemClock);
    await assert.rejects(missing.sample(), { code: 'topic_missing' });
    await using nowhere = new KafkaLag(kafkaConfig(['127.0.0.1:1']), systemClock);
    await assert.rejects(nowhere.sample(), { code: 'queue_unavailable', message: /Cannot read the lag from 127/ });
  });
});
