// How far a group has committed in a topic, and which offsets the topic has, as the brokers know it.

import { SluiceError } from '#shared/errors.ts';
import { failureOf } from './failure.ts';
import type { Admin } from '../kafkajs/client.ts';
import { identityOf } from '../kafkajs/untyped-fields.ts';
import {
  decodeSnapshot,
  isOfAnotherTopic,
  type LogPosition,
  type LogStart,
  startOf,
} from '../positions/log-position.ts';

export interface PartitionOffsets extends LogStart {
  readonly partition: number;
  /** First offset that is still there, and the one after the last. */
  readonly low: number;
  readonly high: number;
  /** What the group has committed; null if nothing. */
  readonly committed: number | null;
  /** Where the reader stood: what is committed, unless the caller knows better; null if nothing. */
  readonly position: LogPosition | null;
  readonly topicId: string | null;
  /** Of the present leader; null where the brokers give none. */
  readonly leaderEpoch: number | null;
}

export interface PartitionOffsetsOptions {
  /** Positions that count in place of what is committed; then only these partitions are looked at. */
  readonly positions?: ReadonlyMap<number, LogPosition>;
  /** Whether the brokers are asked where the log diverges from what the reader knew. */
  readonly asksEpochs?: boolean;
}

export async function readPartitionOffsets(
  admin: Admin,
  group: string,
  topic: string,
  { positions, asksEpochs = false }: PartitionOffsetsOptions = {},
): Promise<PartitionOffsets[]> {
  const before = await readIdentities(admin, topic);
  // In this order: the other way round a commit in between would seem to lie beyond the end.
  const committed = await readCommitted(admin, group, topic);
  const offsets = await admin.fetchTopicOffsets(topic);
  const wanted = offsets.filter(({ partition }) => positions?.has(partition) ?? true);
  const known = positions ?? committed;
  const ends = asksEpochs ? await readEpochEnds(admin, topic, known, before) : new Map<number, number>();
  // All that was read must be of one topic.
  const after = await readIdentities(admin, topic);
  if (after.topicId !== before.topicId) {
    throw new SluiceError('queue_unavailable', `Cannot read the offsets of ${topic}: it is being made anew`);
  }
  return wanted.map(({ partition, low, high }) => {
    const position = known.get(partition) ?? null;
    const { topicId } = before;
    const epochEnd = ends.get(partition) ?? null;
    const state = { partition, topicId, low: Number(low), high: Number(high), epochEnd };
    const leaderEpoch = before.epochs.get(partition) ?? null;
    const found = committed.get(partition)?.next ?? null;
    return { ...state, ...startOf(position, state), committed: found, position, leaderEpoch };
  });
}

interface Identities {
  readonly topicId: string | null;
  readonly epochs: ReadonlyMap<number, number>;
}

async function readIdentities(admin: Admin, topic: string): Promise<Identities> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const epochs = new Map<number, number>();
  let topicId: string | null = null;
  for (const partition of topics[0]?.partitions ?? []) {
    const identity = identityOf(partition);
    topicId = identity.topicId;
    if (identity.leaderEpoch !== null) epochs.set(partition.partitionId, identity.leaderEpoch);
  }
  return { topicId, epochs };
}

async function readCommitted(admin: Admin, group: string, topic: string): Promise<Map<number, LogPosition>> {
  const found = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  const committed = new Map<number, LogPosition>();
  for (const { partition, offset, metadata } of found[0]?.partitions ?? []) {
    const next = Number(offset);
    // kafkajs itself has committed -2, "the earliest", after it was out of range.
    if (next >= 0) committed.set(partition, { next, snapshot: decodeSnapshot(metadata) });
  }
  return committed;
}

async function readEpochEnds(
  admin: Admin,
  topic: string,
  positions: ReadonlyMap<number, LogPosition>,
  { topicId }: Identities,
): Promise<Map<number, number>> {
  const questions: { readonly partition: number; readonly epoch: number }[] = [];
  for (const [partition, position] of positions) {
    const epoch = position.snapshot?.epoch ?? null;
    if (epoch !== null && !isOfAnotherTopic(position, topicId)) questions.push({ partition, epoch });
  }
  const ends = new Map<number, number>();
  if (questions.length === 0) return ends;
  try {
    for (const { partition, endOffset } of await admin.fetchEpochEnds(topic, questions)) {
      if (endOffset >= 0) ends.set(partition, endOffset);
    }
  } catch (error) {
    // Not allowed, or not known to these brokers: then the offsets alone must do.
    if (failureOf(error).passes) throw error;
  }
  return ends;
}
