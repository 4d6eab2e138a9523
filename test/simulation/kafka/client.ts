// kafkajs as KafkaQueue, KafkaProducer and KafkaConsumer use it, over the simulated wire: requests may be delayed, lost on the way, or
// done without an answer. The behaviour is that of kafkajs 2.2.4, its oddities included, as read from its sources.

import type { createClient, Admin, Consumer, Kafka, Producer } from '#shared/queue/kafka/kafkajs.ts';
import type { Faults } from '../faults.ts';
import type { SimProcess } from '../process.ts';
import type { Random } from '../random.ts';
import type { SimTime } from '../time.ts';
import type { Trace } from '../trace.ts';
import { Wire } from '../wire.ts';
import type { Broker } from './broker.ts';
import { SimConsumer } from './consumer.ts';
import { connectionError, requestTimeout } from './errors.ts';
import { SimProducer } from './producer.ts';

export interface ClientWorld {
  readonly time: SimTime;
  readonly broker: Broker;
  readonly faults: Faults;
  readonly random: Random;
  readonly trace: Trace;
}

/** The wire between one client and the brokers. */
export class Link {
  readonly world: ClientWorld;
  readonly process: SimProcess;
  readonly requestTimeoutMs: number;
  readonly #there: Wire;
  readonly #back: Wire;

  constructor(world: ClientWorld, process: SimProcess, requestTimeoutMs: number) {
    this.world = world;
    this.process = process;
    this.requestTimeoutMs = requestTimeoutMs;
    this.#there = new Wire(world.time, (ms, action) => world.time.after(ms, action));
    this.#back = new Wire(world.time, (ms, action) => process.later(ms, action));
  }

  /** Has `work` done by the brokers. Never settles where the process has died. */
  request<T>(work: () => T | Promise<T>, delayMs = 0): Promise<T> {
    const { broker, random } = this.world;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!this.process.isAlive) return promise;
    this.#there.send(random.between(0.5, 3) + delayMs, () => {
      const answer = (action: () => void): void => this.#back.send(random.between(0.5, 3), action);
      if (broker.isDown) return answer(() => reject(connectionError()));
      let done: T | Promise<T>;
      try {
        done = work();
      } catch (error) {
        return answer(() => reject(error));
      }
      if (!(done instanceof Promise)) return answer(() => resolve(done));
      // The wire is free meanwhile: such an answer comes when it comes.
      done.then(
        (value) => this.process.later(random.between(0.5, 3), () => resolve(value)),
        (error: unknown) => this.process.later(random.between(0.5, 3), () => reject(error)),
      );
    });
    return promise;
  }

  /** No answer comes. */
  async timeout(): Promise<never> {
    await this.process.sleep(this.requestTimeoutMs);
    throw requestTimeout();
  }
}

/** In place of `createClient`, for one process. */
export function simulatedKafka(world: ClientWorld, process: SimProcess): typeof createClient {
  return (_config, options) => {
    const link = (): Link => new Link(world, process, options.requestTimeoutMs ?? 15_000);
    const client = {
      admin: () => new SimAdmin(link()) as unknown as Admin,
      producer: () => new SimProducer(link()) as unknown as Producer,
      consumer: (given: ConstructorParameters<typeof SimConsumer>[1]) =>
        new SimConsumer(link(), given) as unknown as Consumer,
    };
    return client as unknown as Kafka;
  };
}

const TOPIC_ID = 'simulated-topic-000000';

class SimAdmin {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  async connect(): Promise<void> {
    await this.#link.request(() => null);
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  fetchTopicMetadata({ topics }: { topics: string[] }) {
    const { broker } = this.#link.world;
    return this.#link.request(() => ({
      topics: topics.map((name) => ({
        name,
        partitions: broker.topic(name).partitions.map((_, partitionId) => ({
          partitionId,
          topicId: TOPIC_ID,
          leader: 1,
          leaderEpoch: 0,
          replicas: [1, 2, 3],
          isr: [1, 2, 3],
        })),
      })),
    }));
  }

  describeConfigs({ resources }: { resources: { name: string }[] }) {
    const { broker } = this.#link.world;
    return this.#link.request(() => ({
      resources: resources.map(({ name }) => ({
        configEntries: [
          { configName: 'max.message.bytes', configValue: String(broker.topic(name).batchBytesMax) },
          { configName: 'min.insync.replicas', configValue: '2' },
        ],
      })),
    }));
  }

  fetchTopicOffsets(name: string) {
    const { broker } = this.#link.world;
    return this.#link.request(() =>
      broker.topic(name).partitions.map((log, partition) => {
        return { partition, low: String(broker.low(name, partition)), high: String(log.length) };
      }),
    );
  }

  fetchOffsets({ topics }: { topics: string[] }) {
    const { broker } = this.#link.world;
    return this.#link.request(() =>
      topics.map((topic) => ({
        topic,
        partitions: [...broker.group.committed].map(([partition, offset]) => {
          return { partition, offset: String(offset), metadata: broker.group.metadata.get(partition) ?? null };
        }),
      })),
    );
  }

  fetchEpochEnds(name: string, questions: readonly { readonly partition: number }[]) {
    const { broker } = this.#link.world;
    return this.#link.request(() =>
      questions.map(({ partition }) => {
        return { partition, errorCode: 0, endOffset: broker.topic(name).partitions[partition]?.length ?? 0 };
      }),
    );
  }
}
