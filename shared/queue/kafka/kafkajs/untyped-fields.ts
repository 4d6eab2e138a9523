// What kafkajs has, and its types do not.

import type { EachBatchPayload, KafkaMessage } from 'kafkajs';

/** Offset that was asked for when the batch was fetched. */
export function fetchedOffset(batch: EachBatchPayload['batch']): number | null {
  return 'fetchedOffset' in batch && typeof batch.fetchedOffset === 'string' ? Number(batch.fetchedOffset) : null;
}

/** The epoch of the leader that wrote the message. */
export function epochOf(message: KafkaMessage): number | null {
  const context: unknown = 'batchContext' in message ? message.batchContext : undefined;
  if (typeof context !== 'object' || context === null || !('partitionLeaderEpoch' in context)) return null;
  const { partitionLeaderEpoch: epoch } = context;
  return typeof epoch === 'number' && epoch >= 0 ? epoch : null;
}

/** What a partition's metadata tells where the brokers are new enough (patches/metadata.ts). */
export function identityOf(partition: object): {
  readonly topicId: string | null;
  readonly leaderEpoch: number | null;
} {
  const topicId = 'topicId' in partition && typeof partition.topicId === 'string' ? partition.topicId : null;
  const known = 'leaderEpoch' in partition && typeof partition.leaderEpoch === 'number' && partition.leaderEpoch >= 0;
  return { topicId, leaderEpoch: known ? (partition.leaderEpoch as number) : null };
}
