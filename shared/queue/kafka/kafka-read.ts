// Reads a topic from offset to offset without belonging to the indexers' group. kafkajs fetches for groups only, so
// this makes a group of its own that commits nothing and is deleted at the end; whoever else reads is not disturbed.

import { randomUUID } from 'node:crypto';
import { SluiceError } from '#shared/errors.ts';
import type { FetchedRecord } from '../queue.ts';
import { isEndMark } from './wire/end-marks.ts';
import { fetchedRecord, outOfPlace } from './broker/fetched-records.ts';
import { failureOf } from './broker/failure.ts';
import type { Admin, Consumer, EachBatchPayload, Kafka } from './kafkajs/client.ts';

const HEARTBEAT_INTERVAL_MS = 3000;

export interface TopicRead {
  readonly kafka: Kafka;
  readonly topic: string;
  /** The group's name begins with this. */
  readonly group: string;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** What is read, where that is known; then the times mean nothing. */
  readonly ranges?: ReadonlyMap<number, Readonly<OffsetRange>>;
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
}

/** All records between the times, each partition in order, to the ends as of now. */
export async function* readTopic(read: TopicRead): AsyncGenerator<FetchedRecord, void, void> {
  const ranges = read.ranges
    ? new Map(Array.from(read.ranges, ([partition, range]) => [partition, { ...range }]))
    : await read.withAdmin((admin) => rangesOf(admin, read));
  if (ranges.size === 0) return;
  const groupId = `${read.group}-read-${randomUUID()}`;
  const consumer = read.kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    maxWaitTimeInMs: 250,
    // A transaction of somebody else that stays open would hold the reading.
    readUncommitted: true,
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  });
  try {
    yield* records(consumer, ranges, read);
  } finally {
    await consumer.disconnect().catch(() => undefined);
    // What cannot be deleted the brokers forget by themselves, as nothing was committed.
    await read.withAdmin((admin) => admin.deleteGroups([groupId])).catch(() => undefined);
  }
}

interface OffsetRange {
  next: number;
  readonly end: number;
}

/** The ranges that are not empty. */
async function rangesOf(admin: Admin, { topic, fromMs }: TopicRead): Promise<Map<number, OffsetRange>> {
  const bounds = await admin.fetchTopicOffsets(topic);
  const starts = new Map<number, number>();
  if (fromMs !== undefined) {
    for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, fromMs)) {
      starts.set(partition, Number(offset));
    }
  }
  const ranges = new Map<number, OffsetRange>();
  for (const { partition, low, high } of bounds) {
    const next = Math.max(starts.get(partition) ?? 0, Number(low));
    const end = Number(high);
    if (next < end) ranges.set(partition, { next, end });
  }
  return ranges;
}

/** Batches on their way from kafkajs's callback to the reader: one at a time, so that memory stays small. */
class Handover {
  #batch: { readonly records: readonly FetchedRecord[]; readonly taken: () => void } | null = null;
  #ended: { readonly error: unknown } | null = null;
  #changed: (() => void) | null = null;

  offer(records: readonly FetchedRecord[]): Promise<void> {
    return new Promise((taken) => {
      this.#batch = { records, taken };
      this.#changed?.();
    });
  }

  end(error: unknown): void {
    this.#ended ??= { error };
    this.#batch?.taken();
    this.#changed?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly FetchedRecord[], void, void> {
    for (;;) {
      const batch = this.#batch;
      if (batch !== null) {
        yield batch.records;
        this.#batch = null;
        batch.taken();
      } else if (this.#ended !== null) {
        if (this.#ended.error !== null) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => (this.#changed = resolve));
      }
    }
  }
}

async function* records(
  consumer: Consumer,
  ranges: Map<number, OffsetRange>,
  read: TopicRead,
): AsyncGenerator<FetchedRecord, void, void> {
  const { topic, signal, toMs = Number.POSITIVE_INFINITY } = read;
  const handover = new Handover();
  const abort = (): void => handover.end(signal?.reason ?? new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();

  const advance = (partition: number, next: number): void => {
    const range = ranges.get(partition);
    if (range === undefined || next < range.end) return;
    ranges.delete(partition);
    if (ranges.size === 0) handover.end(null);
  };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const assigned = payload.memberAssignment[topic] ?? [];
    consumer.pause([{ topic, partitions: assigned.filter((partition) => !ranges.has(partition)) }]);
    for (const [partition, { next }] of ranges) consumer.seek({ topic, partition, offset: String(next) });
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    handover.end(unreadable(topic, failureOf(payload.error).reason));
  });
  // Also for batches in which there is nothing to see, such as those of transactions.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
    advance(payload.partition, Number(payload.lastOffset) + 1),
  );

  const eachBatch = async ({ batch, heartbeat }: EachBatchPayload): Promise<void> => {
    const range = ranges.get(batch.partition);
    if (range === undefined) return;
    const refusal = outOfPlace(batch);
    if (refusal !== null) return handover.end(unreadable(topic, refusal));
    const found: FetchedRecord[] = [];
    for (const message of batch.messages) {
      if (isEndMark(message)) continue;
      const record = fetchedRecord(batch.partition, message);
      if (record.offset >= range.next && record.offset < range.end && record.timestampMs < toMs) found.push(record);
    }
    range.next = Number(batch.lastOffset()) + 1;
    if (found.length > 0) await keepAlive(handover.offer(found), heartbeat);
  };
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch });
  } catch (error) {
    handover.end(unreadable(topic, failureOf(error).reason));
  }
  try {
    for await (const batch of handover) yield* batch;
  } finally {
    signal?.removeEventListener('abort', abort);
    handover.end(null);
  }
}

function unreadable(topic: string, reason: string): SluiceError {
  return new SluiceError('queue_unavailable', `Cannot read ${topic}: ${reason}`);
}

async function keepAlive(taken: Promise<void>, heartbeat: () => Promise<void>): Promise<void> {
  const timer = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_INTERVAL_MS);
  await taken.finally(() => clearInterval(timer));
}
