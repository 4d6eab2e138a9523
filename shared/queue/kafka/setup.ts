// `sluice setup` for Kafka: topics that keep what Sluice promises, and offsets for the indexers' group, so that an
// autoscaler that looks at lag sees some from the first record on. May run any number of times; what is there is left as it is.

import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { readStands } from './group-offsets.ts';
import { type Admin, brokersOf, createClient, failureOf, type ITopicConfig } from './kafkajs.ts';
import { readTopicFacts, weaknessesOf } from './topic-facts.ts';

const REPLICATION = 3;
const MIN_IN_SYNC = 2;
const RETENTION_MS = 7 * 86_400_000;
const CREATION_TIMEOUT_MS = 15_000;

/** Makes what is missing. Returns a line for each thing, telling what was done. Rejects with queue_unavailable or queue_refused. */
export async function setupTopics(
  config: Config,
  debug: (message: string) => void = () => undefined,
): Promise<string[]> {
  const admin = createClient(config, { debug }).admin();
  try {
    await admin.connect();
    const lines = await ensureTopics(admin, config);
    lines.push(...(await ensureOffsets(admin, config['kafka.group'], config['kafka.topic'])));
    return lines;
  } catch (error) {
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
      lines.push(...weaknesses.map((weakness) => `  note: ${weakness}`));
      continue;
    }
    const wanted = topicOf(topic, config['kafka.partitions'], brokers.length);
    const made = await admin.createTopics({ topics: [wanted], timeout: CREATION_TIMEOUT_MS, waitForLeaders: true });
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

async function ensureOffsets(admin: Admin, group: string, topic: string): Promise<string[]> {
  const missing = (await readStands(admin, group, topic)).filter(({ committed }) => committed === null);
  if (missing.length === 0) return [`group ${group}: has offsets in all partitions of ${topic}`];
  const { groups } = await admin.describeGroups([group]);
  const state = groups[0]?.state ?? 'Dead';
  if (state !== 'Empty' && state !== 'Dead') {
    return [`group ${group}: is at work (${state}), commits its own offsets`];
  }
  const partitions = missing.map(({ partition, low }) => ({ partition, offset: String(low) }));
  await admin.setOffsets({ groupId: group, topic, partitions });
  return [`group ${group}: begins at the earliest record in ${missing.length} partitions of ${topic}`];
}
