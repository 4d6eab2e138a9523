// What the brokers say about a topic: how many partitions it has, how large a request may be, and where it makes the
// promise "stored by Kafka" weaker than it sounds. Read at the start and once an hour.

import { SluiceError } from '#shared/errors.ts';
import { failureOf } from './failure.ts';
import type { TopicWeakness } from '../../queue-observer.ts';
import { type Admin, TOPIC_RESOURCE } from '../kafkajs/client.ts';
import { identityOf } from '../kafkajs/untyped-fields.ts';

export interface TopicFacts {
  readonly topic: string;
  /** Another topic of the same name has another one; null where the brokers give none. */
  readonly topicId: string | null;
  readonly partitions: number;
  /** Fewest replicas of any partition. */
  readonly replication: number;
  /** Fewest replicas in sync of any partition; 0 where one has no leader. */
  readonly inSync: number;
  /** Settings of the topic, its own or inherited; empty where they may not be read. */
  readonly settings: ReadonlyMap<string, string>;
}

const DAY_MS = 86_400_000;

// Of a stock broker; what counts when the settings may not be read.
const MESSAGE_BYTES_STOCK = 1_048_588;

// The header of a record batch: https://kafka.apache.org/documentation/#recordbatch
const BATCH_HEADER_BYTES = 61;

/** Reads the facts. Rejects with topic_missing, or what the brokers say. */
export async function readTopicFacts(admin: Admin, topic: string): Promise<TopicFacts> {
  const shape = await readTopicShape(admin, topic);
  return { ...shape, settings: await readSettings(admin, topic) };
}

/** The facts without the settings: what may change from one moment to the next. */
export async function readTopicShape(admin: Admin, topic: string): Promise<TopicFacts> {
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] }).catch((error: unknown) => {
    if (failureOf(error).code !== 'topic_missing') throw error;
    throw new SluiceError('topic_missing', `topic ${topic} does not exist: run \`sluice setup\``, { cause: error });
  });
  const partitions = metadata.topics[0]?.partitions ?? [];
  let replication = Number.POSITIVE_INFINITY;
  let inSync = Number.POSITIVE_INFINITY;
  for (const { leader, replicas, isr } of partitions) {
    replication = Math.min(replication, replicas.length);
    inSync = Math.min(inSync, leader < 0 ? 0 : isr.length);
  }
  const topicId = partitions[0] === undefined ? null : identityOf(partitions[0]).topicId;
  return { topic, topicId, partitions: partitions.length, replication, inSync, settings: new Map() };
}

async function readSettings(admin: Admin, topic: string): Promise<Map<string, string>> {
  try {
    const resources = [{ type: TOPIC_RESOURCE, name: topic }];
    const described = await admin.describeConfigs({ resources, includeSynonyms: false });
    const entries = described.resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    if (failureOf(error).passes) throw error;
    return new Map();
  }
}

/** The most bytes of records (see `recordBytes`) that the topic takes in one append to a partition. */
export function appendBytesMaxOf(facts: TopicFacts): number {
  return (numberOf(facts, 'max.message.bytes') ?? MESSAGE_BYTES_STOCK) - BATCH_HEADER_BYTES;
}

/** Why the topic cannot take acks=all appends now; null if it can. */
export function topicUnready(facts: TopicFacts): string | null {
  const { topic, inSync } = facts;
  if (inSync === 0) return `a partition of topic ${topic} has no leader`;
  const least = numberOf(facts, 'min.insync.replicas') ?? 1;
  return inSync < least ? `a partition of topic ${topic} has ${inSync} replicas in sync, and needs ${least}` : null;
}

/** Where the topic promises less than Sluice's own set-up would; a sentence each. */
export function weaknessesOf(facts: TopicFacts): TopicWeakness[] {
  const { topic, settings, replication } = facts;
  const found: TopicWeakness[] = [];
  const add = (setting: string, says: string): void =>
    void found.push({ topic, setting, message: `Topic ${topic} ${says}` });
  if (settings.size === 0) {
    const message = `The settings of topic ${topic} cannot be read: nothing is known of what it promises`;
    return [{ topic, setting: 'settings', message }];
  }
  const minInSync = numberOf(facts, 'min.insync.replicas') ?? 1;
  const retentionMs = numberOf(facts, 'retention.ms') ?? -1;
  if (replication < 3) {
    add('replicas', `has ${replication} replicas: three survive the loss of a broker during repairs`);
  }
  if (minInSync < 2) {
    const effect = 'an ack may stand for one copy, which can be lost with its broker';
    add('min.insync.replicas', `has min.insync.replicas=${minInSync}: ${effect}`);
  }
  if (settings.get('unclean.leader.election.enable') === 'true') {
    const effect = 'acked records can be lost when brokers fail';
    add('unclean.leader.election.enable', `has unclean.leader.election.enable=true: ${effect}`);
  }
  if (retentionMs >= 0 && retentionMs < DAY_MS) {
    add('retention.ms', `keeps records for ${retentionMs} ms: what is not indexed by then is lost`);
  }
  if (numberOf(facts, 'retention.bytes') !== -1 && settings.has('retention.bytes')) {
    const effect = 'a burst can push out what is not indexed yet';
    add('retention.bytes', `has retention.bytes=${settings.get('retention.bytes')}: ${effect}`);
  }
  if (settings.get('message.timestamp.type') === 'CreateTime') {
    const effect = 'a wrong clock at the edge can have records refused';
    add('message.timestamp.type', `has message.timestamp.type=CreateTime: ${effect}`);
  }
  if (isCompacted(facts)) {
    const effect = 'it refuses records without a key, which ours are; use delete';
    add('cleanup.policy', `has cleanup.policy=${settings.get('cleanup.policy')}: ${effect}`);
  }
  return found;
}

/** Whether the topic takes only records with keys: it refuses all of ours, until somebody changes that. */
export function isCompacted(facts: TopicFacts): boolean {
  return (facts.settings.get('cleanup.policy') ?? 'delete').split(',').includes('compact');
}

/** A setting that is a number; null where it is not there or not known. */
export function numberOf(facts: TopicFacts, name: string): number | null {
  const text = facts.settings.get(name);
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? null : Number(text);
}
