// A queue that keeps what is appended in memory, and can be told to wait or to fail: for tests of the edge alone.

import type { DeadLetter, DeadLetterSpace, FetchedRecord, Queue, QueueConsumer } from '#shared/queue/queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';

export interface Append {
  readonly partition: number;
  readonly records: readonly QueueRecord[];
}

export class RecordingQueue implements Queue {
  readonly kind = 'embedded';
  unreadyReason: string | null = null;
  partitions = 4;
  appendBytesMax = 1_000_000;
  readonly appends: Append[] = [];
  readonly letters: DeadLetter[] = [];
  deadLetterSpace: DeadLetterSpace | undefined;
  readonly #inFlight = new Set<number>();
  /** Awaited by each append before it is held; may throw. */
  beforeHold: (append: Append) => Promise<void> = () => Promise.resolve();

  /** What `opened` waits for. */
  opening: Promise<void> = Promise.resolve();

  opened(): Promise<void> {
    return this.opening;
  }

  async append(partition: number, records: readonly QueueRecord[]): Promise<void> {
    if (this.#inFlight.has(partition)) throw new Error('two appends in flight for one partition');
    this.#inFlight.add(partition);
    try {
      await this.beforeHold({ partition, records });
      this.appends.push({ partition, records });
    } finally {
      this.#inFlight.delete(partition);
    }
  }

  appendDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    this.letters.push(...letters);
    return Promise.resolve();
  }

  consume(): Promise<QueueConsumer> {
    throw new Error('the edge does not consume');
  }

  // oxlint-disable-next-line require-yield -- the edge does not read
  async *read(): AsyncIterable<FetchedRecord> {
    throw new Error('the edge does not read');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
