// Where a group stands in a topic, and what the topic holds, as the brokers know it.

import type { Admin } from './kafkajs.ts';

export interface PartitionStand {
  readonly partition: number;
  /** First offset that is still there, and the one after the last. */
  readonly low: number;
  readonly high: number;
  /** What the group has committed; null if nothing. */
  readonly committed: number | null;
  /** Where a reader of the group begins: what is committed, or the earliest if there is no such record. */
  readonly next: number;
}

export async function readStands(admin: Admin, group: string, topic: string): Promise<PartitionStand[]> {
  // In this order: the other way round a commit in between would seem to lie beyond the end.
  const committedTopics = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  const offsets = await admin.fetchTopicOffsets(topic);
  const committedOf = new Map<number, number>();
  for (const { partition, offset } of committedTopics[0]?.partitions ?? []) committedOf.set(partition, Number(offset));
  return offsets.map(({ partition, low, high }) => {
    const found = committedOf.get(partition) ?? -1;
    // kafkajs itself commits -2, "the earliest", after it was out of range.
    const committed = found < 0 ? null : found;
    const inRange = committed !== null && committed >= Number(low) && committed <= Number(high);
    return { partition, low: Number(low), high: Number(high), committed, next: inRange ? committed : Number(low) };
  });
}
