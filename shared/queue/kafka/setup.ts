// `sluice setup` for Kafka: topics that keep what Sluice promises, and offsets for the indexers' group, so that an
// autoscaler that looks at lag sees some from the first record on. May run any number of times; what is there is left as it is.

import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { isRetryable, SluiceError } from '#shared/errors.ts';
import { readStands } from './group-offsets.ts';
import { encodeMark } from './log-position.ts';
import { failureOf } from './failure.ts';
import { type Admin, createClient, type ITopicConfig, type Kafka } from './kafkajs/client.ts';
import { brokersOf } from './kafkajs/connect-options.ts';
import { readTopicFacts, readTopicShape, weaknessesOf } from './topic-facts.ts';

const REPLICATION = 3;
const MIN_IN_SYNC = 2;
const RETENTION_MS = 7 * 86_400_000;

// A new topic is known to all brokers a moment later.
const PATIENCE_MS = 15_000;
const PAUSE_MS = 100;

/** Makes what is missing. Returns a line for each thing, telling what was done. Rejects with queue_unavailable or queue_refused. */
export async function setupTopics(
  config: Config,
  debug: (message: string) => void = () => undefined,
): Promise<string[]> {
  const kafka = createClient(config, { debug });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const lines = await ensureTopics(admin, config);
    const offsets = await patiently(() => ensureOffsets(kafka, admin, config));
    return [...lines, ...offsets];
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const { code, reason } = failureOf(error);
    throw new SluiceError(code, `Cannot set up Kafka at ${brokersOf(config).join(', ')}: ${reason}`, { cause: error });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function ensureTopics(admin: Admin, config: Config): Promise<string[]> {
  const { brokers } = await admin.describeCluster();
  const present = new Set(await admin.listTopics());
  const lines: string[] = [];
  for (const topic of [config['kafka.topic'], config['kafka.dead_letter_topic']]) {
    if (present.has(topic)) {
      lines.push(`topic ${topic}: is there, left as it is`);
      const weaknesses = weaknessesOf(await readTopicFacts(admin, topic));
      lines.push(...weaknesses.map(({ message }) => `  note: ${message}`));
      continue;
    }
    const wanted = topicOf(topic, config['kafka.partitions'], brokers.length);
    // kafkajs can wait for leaders, but gives up when a broker has not heard of the topic yet.
    const made = await admin.createTopics({ topics: [wanted], timeout: PATIENCE_MS, waitForLeaders: false });
    await patiently(() => requireLeaders(admin, topic));
    const size = `${wanted.numPartitions} partitions, ${wanted.replicationFactor} replicas`;
    lines.push(`topic ${topic}: ${made ? `made with ${size}` : 'was made by someone else meanwhile'}`);
  }
  return lines;
}

function topicOf(topic: string, partitions: number, brokers: number) {
  const replicationFactor = Math.min(REPLICATION, Math.max(1, brokers));
  return {
    topic,
    numPartitions: partitions,
    replicationFactor,
    configEntries: [
      { name: 'min.insync.replicas', value: String(Math.min(MIN_IN_SYNC, replicationFactor)) },
      { name: 'unclean.leader.election.enable', value: 'false' },
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      { name: 'retention.ms', value: String(RETENTION_MS) },
      { name: 'retention.bytes', value: '-1' },
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'compression.type', value: 'producer' },
    ],
  } satisfies ITopicConfig;
}

async function requireLeaders(admin: Admin, topic: string): Promise<void> {
  const { partitions, inSync } = await readTopicShape(admin, topic);
  if (partitions === 0 || inSync === 0) throw new SluiceError('queue_unavailable', `topic ${topic} has no leaders`);
}

async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const retryable = isRetryable(error) || failureOf(error).retryable;
      if (!retryable || systemClock.monotonicMs() > deadlineMs) throw error;
    }
    await systemClock.sleep(PAUSE_MS);
  }
}

async function ensureOffsets(kafka: Kafka, admin: Admin, config: Config): Promise<string[]> {
  const { 'kafka.group': group, 'kafka.topic': topic } = config;
  const missing = (await readStands(admin, group, topic)).filter(({ committed }) => committed === null);
  if (missing.length === 0) return [`group ${group}: has offsets in all partitions of ${topic}`];
  const { groups } = await admin.describeGroups([group]);
  const state = groups[0]?.state ?? 'Dead';
  if (state !== 'Empty' && state !== 'Dead') {
    return [`group ${group}: is at work (${state}), commits its own offsets`];
  }
  const starts = missing.map(({ partition, topicId, low, high }) => {
    return { partition, offset: String(low), metadata: encodeMark({ topicId, epoch: null, end: high }) };
  });
  await commitStarts(kafka, group, topic, starts);
  return [`group ${group}: begins at the earliest record in ${missing.length} partitions of ${topic}`];
}

// kafkajs's own `setOffsets` does the same, but sleeps for five seconds.
async function commitStarts(
  kafka: Kafka,
  groupId: string,
  topic: string,
  starts: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[],
): Promise<void> {
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 10,
    maxBytesPerPartition: 1,
    retry: { restartOnFailure: () => Promise.resolve(false) },
  });
  const crashed = Promise.withResolvers<never>();
  crashed.promise.catch(() => undefined);
  consumer.on(consumer.events.CRASH, ({ payload }) => crashed.reject(payload.error));
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() });
    const offsets = starts.map((start) => ({ topic, ...start }));
    await Promise.race([consumer.commitOffsets(offsets), crashed.promise]);
  } finally {
    await consumer.disconnect();
  }
}
