// A real Kafka takes a commit for a partition that its sender has lost, so nothing but Sluice stands between late work
// and an offset that goes back. Here an indexer loses its partitions with all of its work at the store; the work ends
// when another has committed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { startIndexer } from '#indexer/shells/main.ts';
import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { Metrics } from '#shared/metrics.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import type { Queue, QueueConsumer } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import type { BulkOutcome, BulkRequest } from '#shared/store/store.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';
import { MemoryStore } from '#test/memory/store.ts';
import { World } from '../world.ts';

const broker = await kafka();
const PARTITIONS = 4;
const RECORDS = 6;

/** Answers nobody before the gate is open. */
class GatedStore extends MemoryStore {
  readonly gate = Promise.withResolvers<void>();

  override async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    await Promise.race([this.gate.promise, signal ? once(signal, 'abort') : null]);
    return super.bulk(request, signal);
  }
}

interface Commit {
  readonly assignment: number;
  readonly nextOffsets: ReadonlyMap<number, number>;
}

interface Watched {
  readonly commits: Commit[];
  consumer: QueueConsumer | null;
}

/** Notes the commits that a queue's consumers are asked for. */
function watchCommits(queue: Queue): Watched {
  const seen: Watched = { commits: [], consumer: null };
  const consume = queue.consume.bind(queue);
  queue.consume = async (handler, options) => {
    const consumer = await consume(handler, options);
    const commit = consumer.commit.bind(consumer);
    consumer.commit = (assignment, nextOffsets) => {
      seen.commits.push({ assignment, nextOffsets });
      return commit(assignment, nextOffsets);
    };
    seen.consumer = consumer;
    return consumer;
  };
  return seen;
}

test(
  'work that ends after its partition was lost moves no offset',
  { skip: broker ? false : 'no Kafka' },
  async (t) => {
    assert(broker);
    const config = kafkaConfig(broker.brokers, { SLUICE_KAFKA_PARTITIONS: String(PARTITIONS) });
    await setupTopics(config);
    t.after(() => removeTopics(config));
    const world = new World();
    const open = () =>
      openKafkaQueue(config, { clock: systemClock, observer: silentQueueObserver, debug: () => undefined });
    const options = () => ({
      config,
      log: world.log,
      clock: systemClock,
      random: Math.random,
      metrics: new Metrics({ version: 'test', command: 'test' }),
    });
    await using queueA = open();
    await using queueB = open();
    await queueA.opened();
    for (let record = 0; record < PARTITIONS * RECORDS; record++) {
      const value = world.entry({ log: `event ${world.sent++} ` });
      const batches = encodeBatches([world.batch(1)]);
      await queueA.append(record % PARTITIONS, [{ encoding: 'identity', batches, value }]);
    }

    const watched = watchCommits(queueA);
    const gated = new GatedStore(systemClock);
    await using first = await startIndexer({ ...options(), queue: queueA, store: gated });
    await until(() => first.ledger.counts.consumed === world.sent);
    await using second = await startIndexer({ ...options(), queue: queueB, store: new MemoryStore(systemClock) });
    await until(async () => (await committedPartitions(config)).length > 0);
    const moved = await committedPartitions(config);
    assert(moved.length < PARTITIONS, `partitions ${moved.join()} have moved`);
    assert.equal(watched.commits.length, 0, 'nothing was done, so nothing was committed');

    gated.gate.resolve();
    await until(async () => (await committedPartitions(config)).length === PARTITIONS);
    assert.equal(first.ledger.counts.abandoned, world.sent, 'all that was at the store was for a lost assignment');
    // What the first has committed is of its second assignment, and of the partitions that it kept.
    for (const { assignment, nextOffsets } of watched.commits) {
      assert.equal(assignment, 2);
      for (const partition of nextOffsets.keys()) assert(!moved.includes(partition));
    }
    assert(watched.consumer);
    const late = new Map(moved.map((partition) => [partition, 1]));
    await assert.rejects(watched.consumer.commit(1, late), { code: 'assignment_lost' });
    assert.equal((await committedPartitions(config)).length, PARTITIONS);

    await Promise.all([first.stop(), second.stop()]);
    for (const { ledger } of [first, second]) assert.deepEqual([ledger.imbalance, ledger.inFlight], [0, 0]);
  },
);

/** Partitions that are committed to their end. */
async function committedPartitions(config: Config): Promise<number[]> {
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  try {
    const found = await readPartitionOffsets(admin, config['kafka.group'], config['kafka.topic']);
    return found.filter(({ committed, high }) => committed === high).map(({ partition }) => partition);
  } finally {
    await admin.disconnect();
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(50);
}
