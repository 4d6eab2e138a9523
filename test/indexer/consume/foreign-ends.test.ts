// Partitions of a real Kafka that end, or have a segment that ends, in what no reader sees: a job that reads to the end
// comes to its end, nothing is left to be committed, and nothing is asked for without end.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { Metrics } from '#shared/metrics.ts';
import { KafkaLag } from '#shared/queue/kafka/kafka-lag.ts';
import { type Admin, createClient, TOPIC_RESOURCE } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { type PrivateKafka, privateKafka } from '#test/backends/kafka.ts';
import { kafkaConfig } from '#test/contract/queue-places.ts';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { MemoryStore } from '#test/memory/store.ts';
import { World } from '../world.ts';

const isToBeHad = process.env['SLUICE_TEST_BACKENDS'] === 'jars';
const silent = { debug: () => undefined };
/** Two of them do not fit in a segment. */
const LARGE_BYTES = 700_000;
const SEGMENT_BYTES = 1024 * 1024;
const GZIP = 1;

async function asAdmin<T>(config: Config, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createClient(config, silent).admin();
  await admin.connect();
  return await work(admin).finally(() => admin.disconnect());
}

describe('what no reader sees', { skip: isToBeHad ? false : 'it takes a Kafka of its own' }, () => {
  let broker: PrivateKafka;
  before(async () => {
    broker = await privateKafka('log.cleaner.backoff.ms=100');
    await broker.start();
  });
  after(() => broker[Symbol.asyncDispose]());

  async function topic(): Promise<Config> {
    const config = kafkaConfig(broker.brokers, { SLUICE_KAFKA_PARTITIONS: '1', SLUICE_BULK_TIMEOUT_MS: '1000' });
    await setupTopics(config);
    return config;
  }

  for (const outcome of ['commit', 'abort'] as const) {
    it(`as the ${outcome} of a transaction at the end: a drain ends, and no lag is left`, async () => {
      const config = await topic();
      await using queue = await openQueue(config, { observer: silentQueueObserver });
      await queue.opened();
      const producer = createClient(config, silent).producer({
        transactionalId: config['kafka.group'],
        maxInFlightRequests: 1,
        idempotent: true,
      });
      await producer.connect();
      const world = new World();
      const drain = async (): Promise<void> => {
        const given = { ...world.options, config, queue, store: new MemoryStore(systemClock), clock: systemClock };
        const metrics = new Metrics({ version: 'test', command: 'test' });
        const { signal } = new AbortController();
        const { drained, left } = await drainIndexer({ ...given, metrics, signal, maxSeconds: 20 });
        assert.deepEqual([drained, left], [true, null]);
        await using source = new KafkaLag(config, systemClock);
        const { partitions } = await source.sample();
        assert.deepEqual(
          partitions.map(({ next, high }) => high - next),
          [0],
        );
      };
      const transaction = await producer.transaction();
      await transaction.send({ topic: config['kafka.topic'], messages: [{ partition: 0, value: 'foreign' }] });
      await drain();
      // Nothing but the marker is left.
      await transaction[outcome]();
      await drain();
      const both = await producer.transaction();
      await both.send({ topic: config['kafka.topic'], messages: [{ partition: 0, value: 'foreign' }] });
      await both[outcome]();
      await drain();
      await producer.disconnect();
    });
  }

  it('as a batch of which compaction left the head, at the end of a segment: it is passed', async () => {
    const config = await topic();
    const name = config['kafka.topic'];
    const settings = {
      'cleanup.policy': 'compact',
      'segment.bytes': String(SEGMENT_BYTES),
      'min.cleanable.dirty.ratio': '0.001',
      'message.timestamp.type': 'CreateTime',
    };
    const configEntries = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }));
    const resources = [{ type: TOPIC_RESOURCE, name, configEntries }];
    await asAdmin(config, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
    // Of a producer that brokers know, the last batch stays, without its records.
    const producers = [true, false].map((idempotent) =>
      createClient(config, silent).producer({ idempotent, maxInFlightRequests: 1 }),
    );
    await Promise.all(producers.map((producer) => producer.connect()));
    const [known, other] = producers;
    const append = (producer: typeof known, key: string, value: Buffer) =>
      producer?.send({ topic: name, acks: -1, compression: GZIP, messages: [{ partition: 0, key, value }] });
    await append(other, 'first', randomBytes(LARGE_BYTES));
    await append(known, 'again', Buffer.from('before'));
    await append(other, 'again', randomBytes(LARGE_BYTES));
    await append(other, 'last', randomBytes(LARGE_BYTES));
    await Promise.all(producers.map((producer) => producer.disconnect()));

    await using queue = await openQueue(config, { observer: silentQueueObserver });
    await queue.opened();
    const read = async (): Promise<number[]> =>
      (await Array.fromAsync(queue.read({ topic: 'logs' }))).map(({ offset }) => offset);
    while ((await read()).includes(1)) continue;
    assert.deepEqual(await read(), [0, 2, 3]);
    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await handler.until(() => handler.records.length === 3);
    assert.deepEqual(
      handler.records.map(({ offset }) => offset),
      [0, 2, 3],
    );
    assert.equal(handler.batches.at(-1)?.next, 4);
  });
});
