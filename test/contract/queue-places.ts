// Where a queue of the contract test lives: a data folder, or topics of a real Kafka. A place can be opened again and
// again, and is gone at the end.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { type EmbeddedQueue, openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import type { Headers } from '#shared/queue/headers.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import type { Queue } from '#shared/queue/queue.ts';

export interface QueuePlace extends AsyncDisposable {
  /** A consumer group that is nobody else's; so are those whose names begin with it. */
  readonly group: string;
  /** Opens the queue; the place closes it at the end if the test has not. */
  open(): Promise<Queue>;
  /** Appends a record to partition 0 of the logs whose headers are not Sluice's. */
  appendForeign(headers: Headers, value: Uint8Array): Promise<void>;
}

export async function embeddedPlace(): Promise<QueuePlace> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-queue-'));
  const opened: EmbeddedQueue[] = [];
  const open = async (): Promise<EmbeddedQueue> => {
    const queue = await openEmbeddedQueue({
      dataDir,
      bytesMax: 1024 ** 3,
      retentionMs: 3_600_000,
      readOnly: false,
      clock: systemClock,
      warn: () => undefined,
    });
    opened.push(queue);
    return queue;
  };
  return {
    group: 'contract',
    open,
    async appendForeign(headers, value) {
      await opened.at(-1)?.appendHeaded('logs', [{ headers, value }]);
    },
    async [Symbol.asyncDispose]() {
      for (const queue of opened) await queue[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Configuration for topics and a group of a test's own. */
export function kafkaConfig(brokers: readonly string[], more: Readonly<Record<string, string>> = {}): Config {
  const name = `test.queue.${randomBytes(6).toString('hex')}`;
  return loadConfig({
    readFile: () => '',
    env: {
      SLUICE_KAFKA_BROKERS: brokers.join(),
      SLUICE_KAFKA_TOPIC: `${name}.logs`,
      SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${name}.dead`,
      SLUICE_KAFKA_GROUP: name,
      SLUICE_KAFKA_PARTITIONS: '3',
      ...more,
    },
  });
}

export async function removeTopics(config: Config): Promise<void> {
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  await admin
    .deleteTopics({ topics: [config['kafka.topic'], config['kafka.dead_letter_topic']] })
    .catch(() => undefined);
  const group = config['kafka.group'];
  for (const name of [group, `${group}-2`]) await admin.deleteGroups([name]).catch(() => undefined);
  await admin.disconnect();
}

export async function kafkaPlace(brokers: readonly string[]): Promise<QueuePlace> {
  const config = kafkaConfig(brokers);
  await setupTopics(config);
  const opened: Queue[] = [];
  return {
    group: config['kafka.group'],
    async open() {
      const queue = openKafkaQueue(config, {
        clock: systemClock,
        observer: silentQueueObserver,
        debug: () => undefined,
      });
      opened.push(queue);
      await queue.opened();
      return queue;
    },
    async appendForeign(headers, value) {
      const producer = createClient(config, { debug: () => undefined }).producer();
      await producer.connect();
      const buffers = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes)]));
      await producer.send({
        topic: config['kafka.topic'],
        messages: [{ partition: 0, headers: buffers, value: Buffer.from(value) }],
      });
      await producer.disconnect();
    },
    async [Symbol.asyncDispose]() {
      for (const queue of opened) await queue[Symbol.asyncDispose]();
      await removeTopics(config);
    },
  };
}
