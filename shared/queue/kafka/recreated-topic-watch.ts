// What is known about the two topics, and whether the topic of the logs could take an append now. Opens the queue, then
// asks the brokers from time to time while it is open: without appends nobody else would notice that they are gone.
// What a reader does when a topic was deleted and made anew: positions/log-position.ts.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { QueueObserver } from '../queue-observer.ts';
import { type Failure, failureOf } from './broker/failure.ts';
import {
  appendBytesMaxOf,
  readTopicFacts,
  readTopicShape,
  type TopicFacts,
  topicUnready,
  weaknessesOf,
} from './broker/topic-facts.ts';
import type { Admin } from './kafkajs/client.ts';

const OPEN_PAUSE_FIRST_MS = 250;
const OPEN_PAUSE_MAX_MS = 2000;
const FACTS_INTERVAL_MS = 3_600_000;
const CHECK_INTERVAL_MS = 5000;
const CHECK_INTERVAL_UNREADY_MS = 1000;
// A leader election or a dropped connection is over sooner, and no reason to turn senders away.
const FAILING_PATIENCE_MS = 2000;
// How often the facts are read after a refusal that they do not explain, and the pause in between.
const LIMIT_TRIES = 4;
const LIMIT_PAUSE_MS = 150;

type TopicShape = Awaited<ReturnType<typeof readTopicShape>>;

export interface TopicWatchOptions {
  readonly clock: Clock;
  readonly observer: QueueObserver;
  readonly logsTopic: string;
  readonly deadLettersTopic: string;
  /** For messages. */
  readonly brokers: readonly string[];
  /** Aborted when the queue is closed. */
  readonly signal: AbortSignal;
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  /** Makes ready to append. */
  connect(): Promise<void>;
  /** The queue was reached for the first time. */
  opened(): void;
  /** How the brokers describe the topic of the logs now. */
  saw(shape: TopicShape): void;
  /** Whether anybody reads the logs. */
  isRead(): boolean;
}

export class TopicWatch {
  readonly #options: TopicWatchOptions;
  #logs: TopicFacts | null = null;
  #deadLetters: TopicFacts | null = null;
  #unready: string | null;
  #failingSinceMs: number | null = null;
  #lastAppendMs = Number.NEGATIVE_INFINITY;
  #learning: Promise<void> | null = null;
  #warned = new Set<string>();
  /** Resolves when the queue is closed. */
  readonly ended: Promise<void>;

  constructor(options: TopicWatchOptions) {
    this.#options = options;
    this.#unready = `the brokers ${options.brokers.join(', ')} were not reached yet`;
    this.ended = this.#run();
  }

  /** Null where an append may be expected to succeed. */
  get unreadyReason(): string | null {
    return this.#unready;
  }

  /** Of the topic of the logs; null before it was reached. */
  get logs(): TopicFacts | null {
    return this.#logs;
  }

  get deadLetters(): TopicFacts | null {
    return this.#deadLetters;
  }

  get appendBytesMax(): number {
    return this.#logs === null ? 0 : appendBytesMaxOf(this.#logs);
  }

  /** The queue is closed. */
  close(): void {
    this.#unready = 'the queue is closed';
  }

  /**
   * Reads the facts anew, more than once where they do not explain why `bytes` were refused: brokers hear of a change
   * one after another.
   */
  learnLimit(bytes: number): Promise<void> {
    this.#learning ??= (async () => {
      for (let tries = 1; !this.#options.signal.aborted; tries++) {
        await this.attempt(() => this.readFacts());
        if (bytes > this.appendBytesMax || tries === LIMIT_TRIES) return;
        await this.#options.clock.sleep(LIMIT_PAUSE_MS, this.#options.signal).catch(() => undefined);
      }
    })().finally(() => (this.#learning = null));
    return this.#learning;
  }

  /** To be called with the outcome of each append; null where it succeeded. */
  produced(failure: Failure | null): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (failure === null) {
      this.#lastAppendMs = nowMs;
      this.#failingSinceMs = null;
      if (!this.#options.signal.aborted) this.#unready = null;
      return;
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs >= FAILING_PATIENCE_MS) this.#failed(this.#inWords(failure));
  }

  #failed(reason: string): void {
    if (this.#options.signal.aborted) return;
    if (this.#unready === null) this.#options.observer.unavailable(reason);
    this.#unready = reason;
  }

  // Opens, then looks after the connection and the facts until it is closed.
  async #run(): Promise<void> {
    const { clock, signal } = this.#options;
    const pause = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => undefined);
    for (let pauseMs = OPEN_PAUSE_FIRST_MS; !signal.aborted && !(await this.#open());) {
      await pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, OPEN_PAUSE_MAX_MS);
    }
    let factsMs = clock.monotonicMs();
    while (!signal.aborted) {
      await pause(this.#unready === null ? CHECK_INTERVAL_MS : CHECK_INTERVAL_UNREADY_MS);
      if (signal.aborted) return;
      if (clock.monotonicMs() - factsMs >= FACTS_INTERVAL_MS && (await this.attempt(() => this.readFacts()))) {
        factsMs = clock.monotonicMs();
      }
      // Who reads must hear of a topic that was made anew, whatever is appended.
      const busy = clock.monotonicMs() - this.#lastAppendMs < CHECK_INTERVAL_MS && !this.#options.isRead();
      if (this.#unready !== null || !busy) await this.attempt(() => this.#check());
    }
  }

  async #open(): Promise<boolean> {
    const open = await this.attempt(async () => {
      await this.readFacts();
      await this.#options.connect();
    });
    if (open) this.#options.opened();
    return open;
  }

  /** Does it, and keeps why it failed as the reason for not being ready. */
  async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      if (!this.#options.signal.aborted) this.#unready = null;
      return true;
    } catch (error) {
      this.#failed(this.#reasonOf(error));
      return false;
    }
  }

  async readFacts(): Promise<void> {
    const { logsTopic, deadLettersTopic } = this.#options;
    const [logs, deadLetters] = await this.#options.withAdmin(
      async (admin) => [await readTopicFacts(admin, logsTopic), await readTopicFacts(admin, deadLettersTopic)] as const,
    );
    this.#logs = logs;
    this.#deadLetters = deadLetters;
    for (const weakness of [...weaknessesOf(logs), ...weaknessesOf(deadLetters)]) {
      if (!this.#warned.has(weakness.message)) this.#options.observer.topicWeak(weakness);
      this.#warned.add(weakness.message);
    }
    const unready = topicUnready(logs);
    if (unready !== null) throw new SluiceError('queue_unavailable', unready);
  }

  // Could the logs topic take an append now?
  async #check(): Promise<void> {
    const logs = this.#logs;
    assert(logs !== null);
    const shape = await this.#options.withAdmin((admin) => readTopicShape(admin, logs.topic));
    this.#options.saw(shape);
    // Made anew, or made larger: partitions and limits may be others.
    if (shape.topicId !== logs.topicId || shape.partitions !== logs.partitions) await this.readFacts();
    const unready = topicUnready({ ...shape, settings: logs.settings });
    if (unready !== null) throw new SluiceError('queue_unavailable', unready);
    this.#failingSinceMs = null;
  }

  #reasonOf(error: unknown): string {
    return error instanceof SluiceError ? error.message : this.#inWords(failureOf(error));
  }

  #inWords({ reason, type }: Failure): string {
    if (!type.startsWith('KafkaJSConnection')) return reason;
    return `no broker of ${this.#options.brokers.join(', ')} can be reached: ${reason}`;
  }
}
