// A topic of others as the queue of one reader: each record is told whose it is and how it is read, and partitions have
// the numbers that they have in this process (topic-slots.ts).

import type { SourceRule } from '#shared/config/settings/sources.ts';
import type {
  ConsumeOptions,
  ConsumerHandler,
  FetchedRecords,
  Queue,
  QueueConsumer,
  RecordSource,
} from '#shared/queue/queue.ts';
import type { TopicSlots } from '../settle/topic-slots.ts';

export interface SourceQueueOptions {
  readonly queue: Pick<Queue, 'consume'>;
  readonly slots: TopicSlots;
  readonly topic: string;
  readonly rule: SourceRule;
}

export class SourceQueue implements Pick<Queue, 'consume'> {
  readonly #options: SourceQueueOptions;
  /** By partition, of the topic that had the name last: one object for all of its records. */
  readonly #sources = new Map<number, RecordSource>();

  constructor(options: SourceQueueOptions) {
    this.#options = options;
  }

  async consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<QueueConsumer> {
    const { queue, topic } = this.#options;
    const consumer = await queue.consume(this.#translated(handler), { ...options, topic });
    return {
      pause: (numbers) => consumer.pause(this.#partitions(numbers)),
      resume: (numbers) => consumer.resume(this.#partitions(numbers)),
      commit: (assignment, next) =>
        consumer.commit(
          assignment,
          new Map(Array.from(next, ([number, offset]) => [this.#partitionOf(number), offset])),
        ),
      [Symbol.asyncDispose]: () => consumer[Symbol.asyncDispose](),
    };
  }

  #translated(handler: ConsumerHandler): ConsumerHandler {
    const numbered = <T extends { readonly partition: number }>(one: T): T => {
      return { ...one, partition: this.#numberOf(one.partition) };
    };
    return {
      assigned: (partitions, assignment) => handler.assigned(partitions.map(numbered), assignment),
      revoked: (assignment, isGone) => handler.revoked(assignment, isGone),
      fetched: (batch) => handler.fetched(this.#numberedBatch(batch)),
      logsChanged: (changes) =>
        handler.logsChanged?.(changes.map((change) => ({ ...numbered(change), losses: change.losses.map(numbered) }))),
      failed: (error) => handler.failed(error),
    };
  }

  #numberedBatch(batch: FetchedRecords): FetchedRecords {
    const source = this.#sourceOf(batch.partition, batch.topicId ?? null);
    const partition = this.#numberOf(batch.partition);
    return { ...batch, partition, records: batch.records.map((record) => ({ ...record, partition, source })) };
  }

  #sourceOf(partition: number, topicId: string | null): RecordSource {
    const known = this.#sources.get(partition);
    if (known?.topicId === topicId) return known;
    const { topic, rule } = this.#options;
    const source = { topic, topicId, partition, rule };
    this.#sources.set(partition, source);
    return source;
  }

  #partitions(numbers: readonly number[]): number[] {
    return numbers
      .filter((number) => this.#options.slots.placeOf(number).topic === this.#options.topic)
      .map((number) => this.#partitionOf(number));
  }

  #partitionOf(number: number): number {
    return this.#options.slots.placeOf(number).partition;
  }

  #numberOf(partition: number): number {
    const { slots, topic } = this.#options;
    return slots.numberOf(topic, partition);
  }
}
