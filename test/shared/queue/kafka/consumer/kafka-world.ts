// A consumer of Kafka with a client of kafkajs that is not one, and brokers that say of the one partition what a test
// wants.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { endMark } from '#shared/queue/kafka/wire/end-marks.ts';
import { KafkaConsumer } from '#shared/queue/kafka/consumer/kafka-consumer.ts';
import type { Admin, Consumer, EachBatchPayload, Kafka } from '#shared/queue/kafka/kafkajs/client.ts';
import { type OffsetKeeper, offsetKeepers } from '#shared/queue/kafka/kafkajs/patches/offset-manager.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { VirtualClock } from '#test/memory/clock.ts';

const topic = 'logs';

interface TopicPartitions {
  readonly partitions: readonly number[];
}

/** A client as kafkajs makes it, told by the test what it hears. */
export class Client extends EventEmitter {
  readonly events = { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash', END_BATCH_PROCESS: 'done' };
  /** It says good-bye to a coordinator that does not answer. */
  readonly hangsUp = Promise.withResolvers<void>();
  commits = 0;
  pauses = 0;
  resumes = 0;
  /** Partitions that are paused now. */
  readonly paused = new Set<number>();
  readonly sought: number[] = [];
  readonly resolved: string[] = [];
  /** What becomes of a commit; the metadata are those of the first partition. */
  commit: (offset: string, metadata?: string) => Promise<void> = () => Promise.resolve();
  keeper: OffsetKeeper | undefined;
  #eachBatch: (payload: EachBatchPayload) => Promise<void> = () => Promise.resolve();

  connect(): Promise<void> {
    return Promise.resolve();
  }

  subscribe(): Promise<void> {
    return Promise.resolve();
  }

  run({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }): Promise<void> {
    this.#eachBatch = eachBatch;
    return Promise.resolve();
  }

  pause(given: readonly TopicPartitions[]): void {
    this.pauses++;
    for (const { partitions } of given) for (const partition of partitions) this.paused.add(partition);
  }

  resume(given: readonly TopicPartitions[]): void {
    this.resumes++;
    for (const { partitions } of given) for (const partition of partitions) this.paused.delete(partition);
  }

  seek({ offset }: { offset: string }): void {
    this.sought.push(Number(offset));
  }

  disconnect(): Promise<void> {
    return this.hangsUp.promise;
  }

  join(): void {
    this.keeper = {
      commitOffsets: ({ topics }) => {
        this.commits++;
        const [first] = topics[0]?.partitions ?? [];
        return this.commit(first?.offset ?? '', first?.metadata);
      },
    };
    offsetKeepers.set('m', this.keeper);
    this.emit('join', { payload: { memberId: 'm', memberAssignment: { [topic]: [0] } } });
  }

  /** Hands over one record, as it was fetched. */
  fetch(offset: number, epoch = 0, isStale = false): Promise<void> {
    return this.fetchAll([offset], epoch, isStale);
  }

  /** `end`: the last offset of what was fetched, where no reader sees a record there. */
  fetchAll(offsets: readonly number[], epoch = 0, isStale = false, end?: number): Promise<void> {
    const batchContext = { partitionLeaderEpoch: epoch };
    const records = offsets.map((offset) => ({
      offset: String(offset),
      timestamp: '0',
      value: Buffer.from('x'),
      headers: {},
      batchContext,
    }));
    const messages = end === undefined ? records : [...records, endMark({ lastOffset: end, epoch })];
    const lastOffset = () => messages.at(-1)?.offset ?? '';
    const from = offsets[0] ?? Number(this.resolved.at(-1)) + 1;
    const batch = { topic, partition: 0, messages, highWatermark: '10', lastOffset };
    const payload = {
      batch: { ...batch, fetchedOffset: String(from) },
      resolveOffset: (resolved: string) => void this.resolved.push(resolved),
      heartbeat: () => Promise.resolve(),
      isStale: () => isStale,
    };
    return this.#eachBatch(payload as unknown as EachBatchPayload);
  }
}

export class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly handler = new RecordingHandler();
  readonly clients: Client[] = [];
  readonly consumer: KafkaConsumer;
  /** What the operator is told, in sentences. */
  readonly told: string[] = [];
  /** What the brokers say of the one partition. */
  readonly log = {
    topicId: 'A'.repeat(22),
    leaderEpoch: 0,
    low: 0,
    high: 10,
    epochEnd: 10,
    committed: { offset: '0', metadata: '' },
  };

  /** Why the brokers do not tell of the topic. */
  metadataFails: Error | null = null;

  constructor({ isForeign = false } = {}) {
    const consumer = (): Consumer => {
      const client = new Client();
      this.clients.push(client);
      return client as unknown as Consumer;
    };
    const { log } = this;
    const admin = {
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      fetchTopicMetadata: async () => {
        if (this.metadataFails) throw this.metadataFails;
        const partitions = [{ partitionId: 0, topicId: log.topicId, leaderEpoch: log.leaderEpoch }];
        return { topics: [{ name: topic, partitions }] };
      },
      fetchTopicOffsets: () => Promise.resolve([{ partition: 0, low: String(log.low), high: String(log.high) }]),
      fetchOffsets: () => Promise.resolve([{ topic, partitions: [{ partition: 0, ...log.committed }] }]),
      fetchEpochEnds: () => Promise.resolve([{ partition: 0, errorCode: 0, endOffset: log.epochEnd }]),
    } as unknown as Admin;
    this.consumer = new KafkaConsumer(
      {
        kafka: { consumer, admin: () => admin } as unknown as Kafka,
        topic,
        isForeign,
        clock: this.clock,
        withAdmin: (work) => work(admin),
        observer: observeInWords((sentence) => void this.told.push(sentence)),
      },
      this.handler,
      { group: 'g', fetchBytesMax: 1 },
    );
  }

  /** The n-th client, which has joined and fetched a record. */
  async joined(n: number, commit: Client['commit']): Promise<Client> {
    await this.clock.settle();
    const client = this.clients[n];
    assert.ok(client, `client ${n} was made`);
    client.join();
    await this.clock.settle();
    // What was committed so far is that it begins.
    client.commit = commit;
    client.commits = 0;
    await client.fetch(0);
    return client;
  }

  commit(): Promise<unknown> {
    return this.consumer.commit(this.handler.assignment, new Map([[0, 1]])).catch((error: unknown) => error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.hangsUp.resolve();
    await this.consumer[Symbol.asyncDispose]();
  }
}
