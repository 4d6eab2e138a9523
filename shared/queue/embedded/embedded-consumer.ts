// A member of a group on the embedded queue. It is always the only member, so the one partition is assigned to it once,
// under number 1. It fetches while there are records and it is not paused; an append wakes it.
//
// Guarantees: records come in order, none is left out; a commit resolves when it is on the device.

import assert from 'node:assert/strict';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { ConsumeOptions, ConsumerHandler, QueueConsumer } from '../queue.ts';
import { fetchedRecords } from './fetched-records.ts';
import type { GroupCommit } from './group-commit.ts';
import type { LogMethods } from './queue-thread.ts';

const PARTITION = 0;
const ASSIGNMENT = 1;

export interface ConsumedQueue {
  readonly thread: WorkerThread<LogMethods>;
  readonly writes: GroupCommit;
  /** Offset after the last record of the logs, as far as this process knows. */
  end(): number;
  /** The consumer has ended. */
  left(): void;
}

export class EmbeddedConsumer implements QueueConsumer {
  readonly #queue: ConsumedQueue;
  readonly #handler: ConsumerHandler;
  readonly #group: string;
  readonly #fetchBytesMax: number;
  readonly #running: Promise<void>;
  readonly #tries: number;
  #next: number;
  /** Offset after the last record that was ever fetched. */
  #fetchedTo: number;
  #paused = false;
  #ended = false;
  #waiter: (() => void) | null = null;

  constructor(
    queue: ConsumedQueue,
    handler: ConsumerHandler,
    options: ConsumeOptions & { readonly next: number; readonly tries: number },
  ) {
    this.#queue = queue;
    this.#handler = handler;
    this.#group = options.group;
    this.#fetchBytesMax = options.fetchBytesMax;
    this.#tries = options.tries;
    this.#next = options.next;
    this.#fetchedTo = options.next;
    this.#running = this.#run();
  }

  pause(partitions: readonly number[]): void {
    if (partitions.includes(PARTITION)) this.#paused = true;
  }

  resume(partitions: readonly number[]): void {
    if (!partitions.includes(PARTITION)) return;
    this.#paused = false;
    this.wake();
  }

  /** Goes on at this offset; nothing that was fetched before is handed over after it. */
  seek(offset: number): void {
    assert(offset <= this.#fetchedTo, 'what was not fetched is not passed over');
    this.#next = offset;
    this.wake();
  }

  /** Something was appended, or the state has changed. */
  wake(): void {
    this.#waiter?.();
    this.#waiter = null;
  }

  async commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    if (this.#ended || assignment !== ASSIGNMENT) {
      throw new SluiceError('assignment_lost', `Cannot commit under assignment ${assignment}: it is no longer held`);
    }
    const next = nextOffsets.get(PARTITION);
    if (next === undefined) return;
    assert(next <= this.#fetchedTo, 'what was not fetched cannot be committed');
    await this.#queue.writes.commit(this.#group, next);
  }

  /** Ends it for good, by an error. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.wake();
    this.#queue.left();
    this.#handler.failed(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.wake();
    this.#queue.left();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whoever called `consume` has the consumer in hand before the first callback.
    await new Promise(setImmediate);
    try {
      if (!this.#ended) {
        const start = { partition: PARTITION, next: this.#next, end: this.#queue.end() };
        this.#handler.assigned([this.#tries > 0 ? { ...start, tries: this.#tries } : start], ASSIGNMENT);
      }
      while (!this.#ended) {
        if (this.#paused || this.#next >= this.#queue.end()) await this.#woken();
        else await this.#fetch();
      }
    } catch (error) {
      this.fail(
        new SluiceError('queue_unavailable', `Cannot read the embedded queue: ${reasonOf(error)}`, { cause: error }),
      );
    }
  }

  async #fetch(): Promise<void> {
    const { thread } = this.#queue;
    const offset = this.#next;
    const from = { topic: 'logs', offset, bytesMax: this.#fetchBytesMax } as const;
    const { packed, end } = await thread.call('fetch', from);
    const records = fetchedRecords(packed);
    const last = records.at(-1);
    if (this.#ended || last === undefined || this.#next !== offset) return;
    this.#next = last.offset + 1;
    this.#fetchedTo = Math.max(this.#fetchedTo, this.#next);
    const batch = { partition: PARTITION, assignment: ASSIGNMENT, records, next: this.#next, endOffset: end };
    const leftFrom = this.#handler.fetched(batch);
    if (typeof leftFrom === 'number') this.#next = leftFrom;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#waiter = resolve));
  }
}
