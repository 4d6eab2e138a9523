// A queue in memory that a test can slow down, stop, and fail before or after it has taken something; and that can be
// cut off from whoever uses it, as by a kill: what is under way then never ends for them, but may still be done.

import { SluiceError } from '#shared/errors.ts';
import type { ConsumeOptions, ConsumerHandler, DeadLetter, FetchedRecord } from '#shared/queue/queue.ts';
import type { LocalConsumer, LocalQueue } from '#shared/queue/spooled/local/local-queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import type { VirtualClock } from '#test/memory/clock.ts';
import { MemoryQueue } from '#test/memory/queue.ts';

/** What becomes of one append: how long until it is done, until it is answered, and with what. */
export interface Fate {
  /** Null: it is never done. */
  readonly doneMs: number | null;
  readonly answerMs: number;
  readonly error: SluiceError | null;
}

export const atOnce: Fate = { doneMs: 0, answerMs: 0, error: null };

export function refusedWith(code: SluiceError['code'], answerMs = 0): Fate {
  return { doneMs: null, answerMs, error: new SluiceError(code, 'Cannot append: the test says so') };
}

export class UnsteadyQueue {
  readonly clock: VirtualClock;
  readonly memory: MemoryQueue;
  fate: (records: readonly QueueRecord[], partition: number) => Fate = () => atOnce;
  unreadyReason: string | null = null;
  isReached = true;
  appendBytesMax = 1_000_000;
  /** Whether it is of the process that uses it: what is not done when that is killed never is. */
  diesWithUser = false;
  /** Appends so far, done or not. */
  appends = 0;
  #users: Connection[] = [];

  constructor(clock: VirtualClock, partitions: number) {
    this.clock = clock;
    this.memory = new MemoryQueue(partitions, { epochMs: () => clock.epochMs() });
  }

  /** The queue as a process sees it. */
  connect(): LocalQueue {
    const user = new Connection(this);
    this.#users.push(user);
    return user;
  }

  /** All its users are killed. */
  async cutOff(): Promise<void> {
    for (const user of this.#users.splice(0)) await user.cutOff();
  }
}

class Connection implements LocalQueue {
  readonly kind = 'kafka';
  readonly #server: UnsteadyQueue;
  #isCut = false;
  #consumers: LocalConsumer[] = [];

  constructor(server: UnsteadyQueue) {
    this.#server = server;
  }

  get unreadyReason(): string | null {
    return this.#server.unreadyReason;
  }

  get partitions(): number {
    return this.#server.isReached ? this.#server.memory.partitions : 0;
  }

  get appendBytesMax(): number {
    return this.#server.appendBytesMax;
  }

  async cutOff(): Promise<void> {
    this.#isCut = true;
    for (const consumer of this.#consumers.splice(0)) await consumer[Symbol.asyncDispose]();
  }

  async opened(signal?: AbortSignal): Promise<void> {
    while (!this.#server.isReached) await this.#server.clock.sleep(100, signal);
  }

  append(partition: number, records: readonly QueueRecord[]): Promise<void> {
    return this.#work(this.#server.fate(records, partition), () => this.#server.memory.append(partition, records));
  }

  async forget(offsets: readonly number[]): Promise<void> {
    if (this.#isCut) return never();
    await this.#server.memory.forget(offsets);
  }

  appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    return this.#work(this.#server.fate([], -1), () => this.#server.memory.appendDeadLetters(deadLetters));
  }

  async consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<LocalConsumer> {
    if (this.#isCut) return never();
    const consumer = await this.#server.memory.consume(handler, options);
    if (this.#isCut) await consumer[Symbol.asyncDispose]();
    this.#consumers.push(consumer);
    return consumer;
  }

  async *read(): AsyncIterable<FetchedRecord> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async #work({ doneMs, answerMs, error }: Fate, work: () => Promise<void>): Promise<void> {
    if (this.#isCut) return never();
    this.#server.appends++;
    const done = async (): Promise<void> => {
      if (doneMs === null) return;
      if (doneMs > 0) await this.#server.clock.sleep(doneMs);
      if (!this.#isCut || !this.#server.diesWithUser) await work();
    };
    const doing = done();
    if (answerMs > 0) await this.#server.clock.sleep(answerMs);
    if (error === null) await doing;
    if (this.#isCut) return never();
    if (error !== null) throw error;
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
