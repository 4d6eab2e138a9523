// `sluice setup` for Kafka: topics that keep what Sluice promises, and offsets for the indexers' group, so that an
// autoscaler that looks at lag sees some from the first record on. May run any number of times; what is there is left
// as it is.

import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { isRetryable, SluiceError } from '#shared/errors.ts';
import { readPartitionOffsets } from './broker/group-offsets.ts';
import { encodeSnapshot } from './positions/log-position.ts';
import { failureOf } from './broker/failure.ts';
import { type Admin, type ClientOptions, createClient, createCluster, type ITopicConfig } from './kafkajs/client.ts';
import { brokerNames } from './kafkajs/connect-options.ts';
import { readTopicFacts, readTopicShape, weaknessesOf } from './broker/topic-facts.ts';

const REPLICATION = 3;
const MIN_IN_SYNC = 2;
const RETENTION_MS = 7 * 86_400_000;

// A new topic is known to all brokers a moment later.
const PATIENCE_MS = 15_000;
const PAUSE_MS = 100;
/** In the place of a member of the group. */
const NOBODY = { groupGenerationId: -1, memberId: '' };

/**
 * Makes what is missing. Returns a line for each thing, telling what was done. Rejects with queue_unavailable,
 * queue_unauthorized or queue_refused, telling what is there by then; the next run makes the rest.
 */
export async function setupTopics(
  config: Config,
  debug: (message: string) => void = () => undefined,
): Promise<string[]> {
  const options = { debug };
  const admin = createClient(config, options).admin();
  const lines: string[] = [];
  try {
    await admin.connect();
    await ensureTopics(admin, config, lines);
    lines.push(...(await patiently(() => ensureOffsets(admin, config, options))));
    return lines;
  } catch (error) {
    const { code, reason } =
      error instanceof SluiceError ? { code: error.code, reason: error.message } : failureOf(error);
    const done = lines.length > 0 ? `done so far: ${lines.join('; ')}; ` : '';
    const what = `Cannot set up Kafka at ${brokerNames(config).join(', ')}: ${reason}`;
    throw new SluiceError(code, `${what}; ${done}run \`sluice setup\` again for the rest`, { cause: error });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Adds to `lines` what is done, as it is done. */
async function ensureTopics(admin: Admin, config: Config, lines: string[]): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const present = new Set(await admin.listTopics());
  for (const topic of [config['kafka.topic'], config['kafka.dead_letter_topic']]) {
    if (present.has(topic)) {
      lines.push(`topic ${topic}: is there, left as it is`);
      // One that was made a moment ago not every broker knows.
      const weaknesses = weaknessesOf(await patiently(() => readTopicFacts(admin, topic)));
      lines.push(...weaknesses.map(({ message }) => `  note: ${message}`));
      continue;
    }
    const wanted = topicOf(topic, config['kafka.partitions'], brokers.length);
    // kafkajs can wait for leaders, but gives up when a broker has not heard of the topic yet.
    const made = await admin.createTopics({ topics: [wanted], timeout: PATIENCE_MS, waitForLeaders: false });
    const size = `${wanted.numPartitions} partitions, ${wanted.replicationFactor} replicas`;
    lines.push(`topic ${topic}: ${made ? `made with ${size}` : 'was made by someone else meanwhile'}`);
    await patiently(() => requireLeaders(admin, topic));
  }
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

async function ensureOffsets(admin: Admin, config: Config, options: ClientOptions): Promise<string[]> {
  const { 'kafka.group': group, 'kafka.topic': topic } = config;
  const missing = (await readPartitionOffsets(admin, group, topic)).filter(({ committed }) => committed === null);
  if (missing.length === 0) return [`group ${group}: has offsets in all partitions of ${topic}`];
  const { groups } = await admin.describeGroups([group]);
  const state = groups[0]?.state ?? 'Dead';
  if (state !== 'Empty' && state !== 'Dead') {
    return [`group ${group}: is at work (${state}), commits its own offsets`];
  }
  const starts = missing.map(({ partition, topicId, low, high }) => {
    return { partition, offset: String(low), metadata: encodeSnapshot({ topicId, epoch: null, end: high }) };
  });
  await commitStarts(config, options, starts);
  return [`group ${group}: begins at the earliest record in ${missing.length} partitions of ${topic}`];
}

/**
 * Commits as nobody's member, in one request, which the coordinator takes only while the group is empty. Who joined the
 * group for it, as kafkajs's own `setOffsets` does, and was killed, would look like a group at work for a while.
 */
export async function commitStarts(
  config: Config,
  options: ClientOptions,
  partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[],
): Promise<void> {
  const { 'kafka.group': groupId, 'kafka.topic': topic } = config;
  const cluster = createCluster(config, options);
  try {
    await cluster.connect();
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    await coordinator.offsetCommit({ groupId, ...NOBODY, topics: [{ topic, partitions }] });
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}
