// A client of kafkajs, as it is configured, with what it lacks. All of kafkajs is known in this folder and nowhere
// else; what it gets wrong is mended in patches/, each in a place of its own, before the first client is made.

import kafkajs, {
  type Admin as KafkaJsAdmin,
  type Consumer,
  type EachBatchPayload,
  type ITopicConfig,
  type KafkaMessage,
  type Producer,
} from 'kafkajs';
import Cluster from 'kafkajs/src/cluster/index.js';
import socketFactory from 'kafkajs/src/network/socketFactory.js';
import type { Config } from '#shared/config/settings.ts';
import type { EpochEnd, EpochQuestion } from '../wire/log-requests.ts';
import { connectOptions } from './connect-options.ts';
import { fetchEpochEnds } from './epoch-ends.ts';
import { patchKafkajs } from './patches/all.ts';

export type { Cluster, Consumer, EachBatchPayload, ITopicConfig, KafkaMessage, Producer };

/** kafkajs's own, and what it lacks. */
export interface Admin extends KafkaJsAdmin {
  /** Where the topic's logs go past these epochs. Rejects as requests of kafkajs do. */
  fetchEpochEnds(topic: string, questions: readonly EpochQuestion[]): Promise<EpochEnd[]>;
}

export type Kafka = Omit<kafkajs.Kafka, 'admin'> & { admin(): Admin };

export interface ClientOptions {
  /** How long one request may take; the least of what its caller can bear. */
  readonly requestTimeoutMs?: number;
  /** What kafkajs logs of itself. */
  debug(message: string): void;
}

/** The one compression that kafkajs is asked for: the values are compressed already. */
export const NO_COMPRESSION = kafkajs.CompressionTypes.None;
export const TOPIC_RESOURCE = kafkajs.ConfigResourceTypes.TOPIC;
const METADATA_MAX_AGE_MS = 300_000;

patchKafkajs();

/**
 * A client for the configured brokers; connects when something is made of it. Throws config_invalid for files that
 * cannot be read.
 */
export function createClient(config: Config, options: ClientOptions): Kafka {
  const kafka = new kafkajs.Kafka({
    ...connectOptions(config, options.requestTimeoutMs),
    logLevel: kafkajs.logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log }) =>
        options.debug(`${namespace}: ${log.message}`),
  });
  const adminOf = kafka.admin.bind(kafka);
  const admin = (): Admin =>
    Object.assign(adminOf(), {
      fetchEpochEnds: (topic: string, questions: readonly EpochQuestion[]) =>
        fetchEpochEnds(createCluster(config, options), topic, questions),
    });
  return Object.assign(kafka, { admin });
}

/**
 * The connections below a client, for a request of which kafkajs's own admin asks and tells only half: it has one time
 * for all partitions, and drops the times in the answer. Throws as `createClient` does.
 */
export function createCluster(config: Config, options: ClientOptions): Cluster {
  return new Cluster({
    ...connectOptions(config, options.requestTimeoutMs),
    logger: createClient(config, options).logger(),
    socketFactory: socketFactory(),
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
  });
}
