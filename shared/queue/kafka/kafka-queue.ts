// The queue in Kafka: producer, consumers, and what is known of the topics. See queue.ts for what it promises.
// It may be opened while no broker can be reached: it keeps trying, says why it is not ready, and recovers by itself.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { isRetryable, reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { appendDeadLetters, type DeadLetterAppend } from '../dead-letter-appends.ts';
import { type Headed, headedDeadLetter, headedRecord, recordBytes } from '../headers.ts';
import type { QueueObserver } from '../queue-observer.ts';
import type {
  ConsumeOptions,
  ConsumerHandler,
  DeadLetter,
  FetchedRecord,
  Queue,
  QueueConsumer,
  ReadOptions,
} from '../queue.ts';
import { KafkaConsumer } from './consumer/kafka-consumer.ts';
import { KafkaProducer } from './kafka-producer.ts';
import { readTopic } from './kafka-read.ts';
import { type Failure, failureOf } from './broker/failure.ts';
import { type Admin, createClient, type Kafka } from './kafkajs/client.ts';
import { brokersOf } from './kafkajs/connect-options.ts';
import {
  appendBytesMaxOf,
  isCompacted,
  readTopicFacts,
  readTopicShape,
  type TopicFacts,
  topicUnready,
  weaknessesOf,
} from './broker/topic-facts.ts';

const OPEN_PAUSE_FIRST_MS = 250;
const OPEN_PAUSE_MAX_MS = 2000;
const FACTS_INTERVAL_MS = 3_600_000;
// While nothing is appended, nobody would notice that the brokers are gone.
const CHECK_INTERVAL_MS = 5000;
const CHECK_INTERVAL_UNREADY_MS = 1000;
// A leader election or a dropped connection is over sooner, and no reason to turn senders away.
const FAILING_PATIENCE_MS = 2000;
// How often the facts are read after a refusal that they do not explain, and the pause in between.
const LIMIT_TRIES = 4;
const LIMIT_PAUSE_MS = 150;

export interface KafkaQueueOptions {
  readonly clock: Clock;
  /** A simulation's own, in place of kafkajs's clients. */
  readonly client?: typeof createClient;
  readonly observer: QueueObserver;
  debug(message: string): void;
}

/** Starts to open the queue; see `opened`. Throws config_invalid. */
export function openKafkaQueue(config: Config, options: KafkaQueueOptions): KafkaQueue {
  return new KafkaQueue(config, options);
}

export class KafkaQueue implements Queue {
  readonly kind = 'kafka';
  readonly #config: Config;
  readonly #options: KafkaQueueOptions;
  readonly #kafka: Kafka;
  readonly #producer: KafkaProducer;
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #closing = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #tending: Promise<void>;
  #logs: TopicFacts | null = null;
  #deadLetters: TopicFacts | null = null;
  #unready: string | null;
  #failingSinceMs: number | null = null;
  #lastAppendMs = Number.NEGATIVE_INFINITY;
  #nextDeadLetterPartition = 0;
  #learning: Promise<void> | null = null;
  #warned = new Set<string>();

  constructor(config: Config, options: KafkaQueueOptions) {
    this.#config = config;
    this.#options = options;
    this.#unready = `the brokers ${brokersOf(config).join(', ')} were not reached yet`;
    const client = options.client ?? createClient;
    this.#kafka = client(config, options);
    const produceTimeoutMs = config['kafka.produce_timeout_ms'];
    // Two tries at least before an append is given up.
    const requestTimeoutMs = Math.max(1000, Math.min(15_000, Math.floor(produceTimeoutMs / 2)));
    const producing = client(config, { ...options, requestTimeoutMs });
    this.#producer = new KafkaProducer(producing, {
      clock: options.clock,
      produceTimeoutMs,
      ackTimeoutMs: requestTimeoutMs - 200,
      outcome: (failure) => this.#produced(failure),
    });
    this.#tending = this.#tend();
  }

  get unreadyReason(): string | null {
    return this.#unready;
  }

  get partitions(): number {
    return this.#logs?.partitions ?? 0;
  }

  get appendBytesMax(): number {
    return this.#logs === null ? 0 : appendBytesMaxOf(this.#logs);
  }

  async opened(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.#opened.promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([this.#opened.promise, aborted.promise]).finally(() =>
      signal.removeEventListener('abort', abort),
    );
  }

  async append(partition: number, records: readonly QueueRecord[]): Promise<void> {
    let bytes = 0;
    const headed: Headed[] = [];
    for (const record of records) {
      bytes += recordBytes(record);
      headed.push(headedRecord(record));
    }
    this.#checkOpen();
    if (bytes > this.appendBytesMax) {
      throw new SluiceError('queue_refused', `Cannot append ${bytes} bytes: the topic takes ${this.appendBytesMax}`);
    }
    // The topic may have been made anew with fewer since the partition was chosen.
    const present = partition % this.partitions;
    try {
      await this.#producer.append(this.#config['kafka.topic'], present, headed, bytes);
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'queue_refused') throw error;
      // Somebody may have changed what the topic takes: whoever tries again, with less, must know.
      await this.#learnLimit(bytes);
      throw this.#logs !== null && isCompacted(this.#logs) ? heldByPolicy(this.#logs, error) : error;
    }
  }

  /**
   * Reads the facts anew, more than once where they do not explain why `bytes` were refused: brokers hear of a change
   * one after another.
   */
  #learnLimit(bytes: number): Promise<void> {
    this.#learning ??= (async () => {
      for (let tries = 1; !this.#closing.signal.aborted; tries++) {
        await this.#attempt(() => this.#readFacts());
        if (bytes > this.appendBytesMax || tries === LIMIT_TRIES) return;
        await this.#options.clock.sleep(LIMIT_PAUSE_MS, this.#closing.signal).catch(() => undefined);
      }
    })().finally(() => (this.#learning = null));
    return this.#learning;
  }

  async appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.#checkOpen();
    const { partitions = 1 } = this.#deadLetters ?? {};
    const bytesMax = this.#deadLetters === null ? 0 : appendBytesMaxOf(this.#deadLetters);
    const topic = this.#config['kafka.dead_letter_topic'];
    const append = (one: DeadLetterAppend): Promise<void> => {
      const partition = (one.key === null ? this.#nextDeadLetterPartition++ : numberOfKey(one.key)) % partitions;
      return this.#producer.append(topic, partition, one.deadLetters.map(headedDeadLetter), one.bytes);
    };
    try {
      await appendDeadLetters(deadLetters, { bytesMax, append });
    } catch (error) {
      // Somebody may have changed what the topic takes: the next try must know.
      if (!isRetryable(error)) await this.#attempt(() => this.#readFacts());
      throw error;
    }
  }

  consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<QueueConsumer> {
    const needs = {
      kafka: this.#kafka,
      topic: this.#config['kafka.topic'],
      clock: this.#options.clock,
      withAdmin: <T>(work: (admin: Admin) => Promise<T>) => this.#withAdmin(work),
      observer: this.#options.observer,
    };
    const consumer = new KafkaConsumer(needs, handler, options);
    this.#consumers.add(consumer);
    return Promise.resolve(consumer);
  }

  read({ topic, fromMs, toMs, signal }: ReadOptions): AsyncGenerator<FetchedRecord, void, void> {
    return readTopic({
      kafka: this.#kafka,
      topic: this.#config[topic === 'logs' ? 'kafka.topic' : 'kafka.dead_letter_topic'],
      group: this.#config['kafka.group'],
      fromMs,
      toMs,
      signal,
      withAdmin: (work) => this.#withAdmin(work),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#unready = 'the queue is closed';
    for (const consumer of this.#consumers) await consumer[Symbol.asyncDispose]();
    await this.#producer[Symbol.asyncDispose]().catch(() => undefined);
    await this.#tending;
    this.#opened.promise.catch(() => undefined);
    this.#opened.reject(new SluiceError('shutting_down', 'Cannot open the queue: it was closed'));
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted)
      throw new SluiceError('shutting_down', 'Cannot append to Kafka: the queue is closed');
    if (this.#logs === null) {
      throw new SluiceError('queue_unavailable', `Cannot append to Kafka: ${this.#unready ?? 'it is not open'}`);
    }
  }

  #produced(failure: Failure | null): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (failure === null) {
      this.#lastAppendMs = nowMs;
      this.#failingSinceMs = null;
      if (!this.#closing.signal.aborted) this.#unready = null;
      return;
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs >= FAILING_PATIENCE_MS) this.#failed(this.#told(failure));
  }

  #failed(reason: string): void {
    if (this.#closing.signal.aborted) return;
    if (this.#unready === null) this.#options.observer.unavailable(reason);
    this.#unready = reason;
  }

  // Opens, then looks after the connection and the facts until it is closed.
  async #tend(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const pause = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => undefined);
    for (let pauseMs = OPEN_PAUSE_FIRST_MS; !signal.aborted && !(await this.#open());) {
      await pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, OPEN_PAUSE_MAX_MS);
    }
    let factsMs = clock.monotonicMs();
    while (!signal.aborted) {
      await pause(this.#unready === null ? CHECK_INTERVAL_MS : CHECK_INTERVAL_UNREADY_MS);
      if (signal.aborted) return;
      if (clock.monotonicMs() - factsMs >= FACTS_INTERVAL_MS && (await this.#attempt(() => this.#readFacts()))) {
        factsMs = clock.monotonicMs();
      }
      // Who reads must hear of a topic that was made anew, whatever is appended.
      const busy = clock.monotonicMs() - this.#lastAppendMs < CHECK_INTERVAL_MS && this.#consumers.size === 0;
      if (this.#unready !== null || !busy) await this.#attempt(() => this.#check());
    }
  }

  async #open(): Promise<boolean> {
    const open = await this.#attempt(async () => {
      await this.#readFacts();
      await this.#producer.connect();
    });
    if (open) this.#opened.resolve();
    return open;
  }

  /** Does it, and keeps why it failed as the reason for not being ready. */
  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      if (!this.#closing.signal.aborted) this.#unready = null;
      return true;
    } catch (error) {
      this.#failed(this.#reasonOf(error));
      return false;
    }
  }

  async #readFacts(): Promise<void> {
    const logsTopic = this.#config['kafka.topic'];
    const deadLettersTopic = this.#config['kafka.dead_letter_topic'];
    const [logs, deadLetters] = await this.#withAdmin(
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
    const shape = await this.#withAdmin((admin) => readTopicShape(admin, logs.topic));
    for (const consumer of this.#consumers) consumer.saw(shape);
    // Made anew, or made larger: partitions and limits may be others.
    if (shape.topicId !== logs.topicId || shape.partitions !== logs.partitions) await this.#readFacts();
    const unready = topicUnready({ ...shape, settings: logs.settings });
    if (unready !== null) throw new SluiceError('queue_unavailable', unready);
    this.#failingSinceMs = null;
  }

  #reasonOf(error: unknown): string {
    return error instanceof SluiceError ? error.message : this.#told(failureOf(error));
  }

  #told({ reason, type }: Failure): string {
    if (!type.startsWith('KafkaJSConnection')) return reason;
    return `no broker of ${brokersOf(this.#config).join(', ')} can be reached: ${reason}`;
  }

  async #withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return await work(admin);
    } finally {
      await admin.disconnect().catch((error: unknown) => this.#options.debug(reasonOf(error)));
    }
  }
}

/** Of random bytes, so that keys are spread evenly. */
function numberOfKey(key: Uint8Array): number {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readUInt32BE();
}

/** An operator's mistake: the topic refuses everything that is ours, so nothing is to be given up for it. */
function heldByPolicy({ topic, settings }: TopicFacts, cause: SluiceError): SluiceError {
  const policy = settings.get('cleanup.policy') ?? '';
  const message = `Cannot append to Kafka: topic ${topic} has cleanup.policy=${policy}, which takes no record without a key; set it to delete`;
  return new SluiceError('queue_unavailable', message, { cause });
}
