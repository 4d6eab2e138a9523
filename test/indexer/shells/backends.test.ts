// The indexer between a real Kafka and a real Elasticsearch: two members of a group, one that comes late and one that
// leaves in the middle, and a drain job for the rest. At the end each event is there once, and the group has nothing
// left.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { Metrics } from '#shared/metrics.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { openStore } from '#shared/open/open-store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { countOf, deleteStream, ownStreamName, withStream } from '../own-stream.ts';
import { World } from '../world.ts';

const broker = await kafka();
const server = await elasticsearch();
const skip = broker && server ? false : 'there is no Kafka, or no Elasticsearch';
const PARTITIONS = 6;
const RECORDS = 120;
const EVENTS_PER_RECORD = 250;

test('real Kafka, real Elasticsearch: each event once, over rebalances and a drain', { skip }, async (t) => {
  assert(broker && server);
  const name = `indexer-test-${randomBytes(4).toString('hex')}`;
  const config = configOf(name, broker.brokers, server.url);
  const { log, logged } = new World();
  const options = () => ({
    config,
    log,
    clock: systemClock,
    random: Math.random,
    metrics: new Metrics({ version: 'test', command: 'test' }),
  });
  await setupTopics(config);
  const stream = ownStreamName();
  t.after(() => cleanUp(config, server.url, stream));

  await using store = withStream(await openStore(config), stream);
  await store.setup();
  await using queueA = await openQueue(config, { observer: silentQueueObserver });
  await using queueB = await openQueue(config, { observer: silentQueueObserver });
  await queueA.opened();
  const world = new World();
  const append = appender(queueA, world, name);

  await append(0, 60);
  const first = await startIndexer({ ...options(), queue: queueA, store });
  while (first.ledger.counts.indexed === 0) await systemClock.sleep(5);
  const second = await startIndexer({ ...options(), queue: queueB, store });
  while (second.unreadyReason !== null) await systemClock.sleep(5);
  await append(60, 100);
  while (second.ledger.counts.indexed === 0) await systemClock.sleep(5);
  await first.stop();
  await append(100, RECORDS);
  await second.stop();
  const { signal } = new AbortController();
  const outcome = await drainIndexer({ ...options(), queue: queueB, store, signal, maxSeconds: 60 });

  assert.deepEqual([outcome.drained, outcome.left], [true, null]);
  for (const { ledger } of [first, second]) {
    assert.equal(ledger.imbalance, 0, JSON.stringify(ledger.counts));
    assert.equal(ledger.inFlight, 0);
  }
  t.diagnostic(
    `first ${JSON.stringify(first.ledger.counts)}, second ${JSON.stringify(second.ledger.counts)}, ` +
      `drain ${JSON.stringify(outcome.counts)}`,
  );
  t.diagnostic(`logged: ${[...new Set(logged)].join(' ')}`);
  assert.equal(world.sent, RECORDS * EVENTS_PER_RECORD);
  assert.equal(await countOf(server.url, stream), world.sent);
  assert.equal(await lagOf(config), 0);
});

function configOf(name: string, brokers: readonly string[], url: string): Config {
  const env = {
    SLUICE_KAFKA_BROKERS: brokers.join(),
    SLUICE_KAFKA_TOPIC: name,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${name}.dead`,
    SLUICE_KAFKA_GROUP: name,
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: url,
    SLUICE_BULK_MAX_BYTES: '262144',
  };
  return loadConfig({ env, readFile: () => '' });
}

/** Appends the records with these numbers, in order in each partition. */
function appender(queue: Queue, world: World, name: string): (from: number, to: number) => Promise<unknown[]> {
  const partitions = Array.from({ length: PARTITIONS }, (): Promise<unknown> => Promise.resolve());
  return (from, to) => {
    for (let record = from; record < to; record++) {
      const entries = Array.from({ length: EVENTS_PER_RECORD }, () =>
        world.entry({ log: `event ${world.sent++} `, container_name: '/web' }),
      );
      const batch = { ...world.batch(EVENTS_PER_RECORD, 0, name), id: randomBytes(16), receivedMs: Date.now() };
      const partition = record % PARTITIONS;
      const records = [
        { encoding: 'identity' as const, batches: encodeBatches([batch]), value: Buffer.concat(entries) },
      ];
      partitions[partition] = (partitions[partition] ?? Promise.resolve()).then(() => queue.append(partition, records));
    }
    return Promise.all(partitions);
  };
}

async function lagOf(config: Config): Promise<number> {
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  const topic = config['kafka.topic'];
  const ends = await admin.fetchTopicOffsets(topic);
  const [group] = await admin.fetchOffsets({ groupId: config['kafka.group'], topics: [topic] });
  await admin.disconnect();
  let lag = 0;
  for (const { partition, high } of ends)
    lag += Number(high) - Number(group?.partitions.find((p) => p.partition === partition)?.offset ?? 0);
  return lag;
}

async function cleanUp(config: Config, url: string, stream: string): Promise<void> {
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  await admin.deleteGroups([config['kafka.group']]).catch(() => undefined);
  await admin.deleteTopics({ topics: [config['kafka.topic'], config['kafka.dead_letter_topic']] });
  await admin.disconnect();
  await deleteStream(url, stream);
}
