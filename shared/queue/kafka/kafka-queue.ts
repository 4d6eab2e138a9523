// The queue in Kafka: producer, consumers, and what is known of the topics. See queue.ts for what it promises.
// It may be opened while no broker can be reached: it keeps trying, says why it is not ready, and recovers by itself.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { isRetryable, SluiceError } from '#shared/errors.ts';
import { endedWithin } from '#shared/abort.ts';
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
import { type Admin, createClient, type Kafka } from './kafkajs/client.ts';
import { brokerNames } from './kafkajs/connect-options.ts';
import { withAdmin } from './kafkajs/with-admin.ts';
import { appendBytesMaxOf, isCompacted, readTopicShape, type TopicFacts } from './broker/topic-facts.ts';
import { topicNames } from './broker/topic-names.ts';
import { TopicWatch } from './recreated-topic-watch.ts';

/**
 * How long a close waits for brokers, which may be frozen. Whoever appended has had an answer by then, or waits for
 * none.
 */
const CLOSE_PATIENCE_MS = 2000;

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
  /**
   * A client of its own: kafkajs sends nothing to any of its topics while one of them is missing, and says so for all.
   */
  readonly #deadLetters: KafkaProducer;
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #closing = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #watch: TopicWatch;
  #nextDeadLetterPartition = 0;

  constructor(config: Config, options: KafkaQueueOptions) {
    this.#config = config;
    this.#options = options;
    const client = options.client ?? createClient;
    this.#kafka = client(config, options);
    const produceTimeoutMs = config['kafka.produce_timeout_ms'];
    // Two tries at least before an append is given up.
    const requestTimeoutMs = Math.max(1000, Math.min(15_000, Math.floor(produceTimeoutMs / 2)));
    const producing = client(config, { ...options, requestTimeoutMs });
    const common = { clock: options.clock, produceTimeoutMs, ackTimeoutMs: requestTimeoutMs - 200 };
    this.#producer = new KafkaProducer(producing, {
      ...common,
      outcome: (failure) => this.#watch.produced(failure),
    });
    this.#deadLetters = new KafkaProducer(producing, { ...common, outcome: () => undefined });
    this.#watch = new TopicWatch({
      clock: options.clock,
      observer: options.observer,
      logsTopic: config['kafka.topic'],
      deadLettersTopic: config['kafka.dead_letter_topic'],
      brokers: brokerNames(config),
      signal: this.#closing.signal,
      withAdmin: (work) => this.#withAdmin(work),
      connect: () => this.#producer.connect(),
      opened: () => this.#opened.resolve(),
      saw: (shape) => {
        for (const consumer of this.#consumers) if (consumer.topic === shape.topic) consumer.saw(shape);
      },
      isRead: () => this.#consumers.size > 0,
    });
  }

  get unreadyReason(): string | null {
    return this.#watch.unreadyReason;
  }

  get partitions(): number {
    return this.#watch.logs?.partitions ?? 0;
  }

  get appendBytesMax(): number {
    return this.#watch.appendBytesMax;
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
      await this.#watch.learnLimit(bytes);
      const { logs } = this.#watch;
      throw logs !== null && isCompacted(logs) ? refusedByPolicy(logs, error) : error;
    }
  }

  async appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.#checkOpen();
    const facts = this.#watch.deadLetters;
    const { partitions = 1 } = facts ?? {};
    const bytesMax = facts === null ? 0 : appendBytesMaxOf(facts);
    const topic = this.#config['kafka.dead_letter_topic'];
    const append = (one: DeadLetterAppend): Promise<void> => {
      const partition = (one.key === null ? this.#nextDeadLetterPartition++ : numberOfKey(one.key)) % partitions;
      return this.#deadLetters.append(topic, partition, one.deadLetters.map(headedDeadLetter), one.bytes);
    };
    try {
      await appendDeadLetters(deadLetters, { bytesMax, append });
    } catch (error) {
      // Somebody may have changed what the topic takes: the next try must know.
      if (!isRetryable(error)) await this.#watch.attempt(() => this.#watch.readFacts());
      throw error;
    }
  }

  consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<QueueConsumer> {
    const needs = {
      kafka: this.#kafka,
      topic: options.topic ?? this.#config['kafka.topic'],
      isForeign: options.topic !== undefined,
      clock: this.#options.clock,
      withAdmin: <T>(work: (admin: Admin) => Promise<T>) => this.#withAdmin(work),
      observer: this.#options.observer,
    };
    const consumer = new KafkaConsumer(needs, handler, options);
    this.#consumers.add(consumer);
    void consumer.ended.then(() => this.#consumers.delete(consumer));
    return Promise.resolve(consumer);
  }

  /** Those who read topics of others hear how these are, as `saw` says. */
  async topics(named: readonly string[] = []): Promise<string[]> {
    const foreign = [...this.#consumers].filter(({ isForeign }) => isForeign);
    return this.#withAdmin(async (admin) => {
      const names = await topicNames(admin, named);
      const present = new Set(names);
      const read = [...new Set(foreign.map(({ topic }) => topic))].filter((topic) => present.has(topic));
      for (const topic of read) {
        const shape = await readTopicShape(admin, topic);
        for (const consumer of foreign) if (consumer.topic === topic) consumer.saw(shape);
      }
      return names;
    });
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
    this.#watch.close();
    const ends = [...this.#consumers, this.#producer, this.#deadLetters].map((one) => one[Symbol.asyncDispose]());
    await endedWithin(Promise.allSettled([...ends, this.#watch.ended]), this.#options.clock, CLOSE_PATIENCE_MS);
    this.#opened.promise.catch(() => undefined);
    this.#opened.reject(new SluiceError('shutting_down', 'Cannot open the queue: it was closed'));
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted)
      throw new SluiceError('shutting_down', 'Cannot append to Kafka: the queue is closed');
    if (this.#watch.logs === null) {
      throw new SluiceError('queue_unavailable', `Cannot append to Kafka: ${this.unreadyReason ?? 'it is not open'}`);
    }
  }

  #withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    return withAdmin(this.#kafka, work, this.#options.debug);
  }
}

/** Of random bytes, so that keys are spread evenly. */
function numberOfKey(key: Uint8Array): number {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readUInt32BE();
}

/** An operator's mistake: the topic refuses everything that is ours, so nothing is to be given up for it. */
function refusedByPolicy({ topic, settings }: TopicFacts, cause: SluiceError): SluiceError {
  const policy = settings.get('cleanup.policy') ?? '';
  const message =
    `Cannot append to Kafka: topic ${topic} has cleanup.policy=${policy}, which takes no record without a key; ` +
    'set it to delete';
  return new SluiceError('queue_unavailable', message, { cause });
}
