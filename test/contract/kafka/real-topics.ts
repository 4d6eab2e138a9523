// Topics of a real Kafka for the tests of the queue in it, and what is done to them behind its back.

import type { TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { readTopicShape } from '#shared/queue/kafka/broker/topic-facts.ts';
import { type KafkaQueue, openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { type Admin, createClient, TOPIC_RESOURCE } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '../queue-places.ts';

const found = await kafka();
export const brokers = found?.brokers ?? [];
/** For `describe`. */
export const options = { skip: found === null ? 'no Kafka to be had' : false, concurrency: 3 };

export async function topics(t: TestContext, addresses: readonly string[]): Promise<Config> {
  const config = kafkaConfig(addresses);
  await setupTopics(config);
  t.after(() => removeTopics(config));
  return config;
}

export function open(config: Config): KafkaQueue {
  return openKafkaQueue(config, { clock: systemClock, observer: silentQueueObserver, debug: () => undefined });
}

export async function admin<T>(config: Config, work: (client: Admin) => Promise<T>): Promise<T> {
  const client = createClient(config, { debug: () => undefined }).admin();
  await client.connect();
  return await work(client).finally(() => client.disconnect());
}

export async function alter(
  config: Config,
  settings: Readonly<Record<string, string>>,
  topic = config['kafka.topic'],
): Promise<void> {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const resources = [{ type: TOPIC_RESOURCE, name: topic, configEntries }];
  await admin(config, (client) => client.alterConfigs({ validateOnly: false, resources }));
}

export async function committed(config: Config, partitions: readonly number[]): Promise<(number | null | undefined)[]> {
  const offsets = await admin(config, (client) =>
    readPartitionOffsets(client, config['kafka.group'], config['kafka.topic']),
  );
  return partitions.map((partition) => offsets.find((one) => one.partition === partition)?.committed);
}

/** Makes the topics that are missing, until the topic has another id: brokers take their time to forget the old one. */
export async function setAnew(config: Config, oldId: string | null): Promise<void> {
  // A setup may have made the topic and failed after that; then the next one completes it.
  const facts = () =>
    setupTopics(config).then(() => admin(config, (client) => readTopicShape(client, config['kafka.topic'])));
  while ([oldId, null].includes((await facts().catch(() => null))?.topicId ?? null)) continue;
}

/** Appends, each once, as soon as the queue takes them. */
export async function appended(queue: KafkaQueue, partition: number, all: readonly string[]): Promise<void> {
  for (const text of all) await queue.append(partition, [record(text)]);
}

export async function texts(queue: KafkaQueue): Promise<string[]> {
  const records = await Array.fromAsync(queue.read({ topic: 'logs' }));
  return records.map(({ value }) => Buffer.from(value).toString());
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

export function record(text: string): QueueRecord {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) };
}
