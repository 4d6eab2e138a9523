// kafkajs as KafkaQueue, KafkaProducer and KafkaConsumer use it, over the simulated wire: requests may be delayed, lost
// on the way, or done without an answer. The behaviour is that of kafkajs 2.2.4, its oddities included, as read from
// its sources.

import type { createClient, Admin, Consumer, Kafka, Producer } from '#shared/queue/kafka/kafkajs/client.ts';
import type { SimProcess } from '../machine/process.ts';
import { SimConsumer } from './consumer.ts';
import { type ClientWorld, Link } from './link.ts';
import { SimProducer } from './producer.ts';

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
