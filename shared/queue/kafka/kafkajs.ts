// kafkajs 2.2.4, imported here and in kafkajs-fetch.ts, and nowhere else: how a client is configured, and what it gets wrong.
//
// Mended here: it encodes produce requests
// slowly; it sets a timer of minus 55 years after each answer, which makes Node print a warning and costs a timer for nothing; it
// keeps a connection whose broker does not answer; it takes bytes of one connection for bytes of the next; it knows no ids of topics and
// no leader epochs; and it commits "the earliest" by itself where an offset is out of range.

import { readFileSync } from 'node:fs';
import kafkajs, {
  type Admin as KafkaJsAdmin,
  type Consumer,
  type EachBatchPayload,
  type ITopicConfig,
  type KafkaMessage,
  type PartitionAssigner,
  type Producer,
} from 'kafkajs';
import Cluster from 'kafkajs/src/cluster/index.js';
import OffsetManager from 'kafkajs/src/consumer/offsetManager/index.js';
import socketFactory from 'kafkajs/src/network/socketFactory.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import metadataRequests from 'kafkajs/src/protocol/requests/metadata/index.js';
import produceRequests from 'kafkajs/src/protocol/requests/produce/index.js';
import { KafkaJSConnectionClosedError } from 'kafkajs/src/errors.js';
import Connection from 'kafkajs/src/network/connection.js';
import connectionStates from 'kafkajs/src/network/connectionStatus.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { mendFetching } from './kafkajs-fetch.ts';
import {
  decodeEpochResponse,
  decodeMetadataResponse,
  encodeEpochRequest,
  encodeMetadataRequest,
  type EpochEnd,
  type EpochQuestion,
} from './log-requests.ts';
import { encodeProduceRequest } from './produce-request.ts';

export type { Cluster, Consumer, EachBatchPayload, ITopicConfig, KafkaMessage, Producer };

/** kafkajs's own, and what it lacks. */
export interface Admin extends KafkaJsAdmin {
  /** Where the topic's logs go past these epochs. Rejects as requests of kafkajs do. */
  fetchEpochEnds(topic: string, questions: readonly EpochQuestion[]): Promise<EpochEnd[]>;
}

export type Kafka = Omit<kafkajs.Kafka, 'admin'> & { admin(): Admin };

/** The offsets of a member of a group under one generation. */
export interface OffsetKeeper {
  /** Tries once, with that generation. */
  commitOffsets: OffsetManager['commitOffsets'];
  /** Set by its owner: nothing is to be had at the offset that was to be fetched. Until then kafkajs goes to the earliest. */
  outOfRange?: (partition: number) => void;
}

/** The keepers of groups whose owner decides, by the member's id; told before GROUP_JOIN, and taken then. */
export const offsetKeepers = new Map<string, OffsetKeeper>();
/** Groups whose owner decides where reading goes on. */
export const decidedGroups = new Set<string>();

/** The one compression that kafkajs is asked for: the values are compressed already. */
export const NO_COMPRESSION = kafkajs.CompressionTypes.None;
export const TOPIC_RESOURCE = kafkajs.ConfigResourceTypes.TOPIC;

const CONNECTION_TIMEOUT_MS = 3000;
const REQUEST_TIMEOUT_MS = 15_000;
const METADATA_MAX_AGE_MS = 300_000;
const API_VERSIONS = 'ApiVersions';
/** An answer begins with its length. */
const LENGTH_BYTES = 4;

mendFetching();

// The original schedules a look at the waiting requests at `throttledUntil - now`, also when none waits and nothing
// throttles (`throttledUntil` is then -1). With nothing to look at there is nothing to schedule.
const scheduleCheck = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheck.call(this);
};

// The first request on a new connection may take as long as connecting may; the original lets it take as long as any request, so that
// a broker that is frozen, but whose kernel takes connections, is waited for before the next one is tried.
const createSocketRequest = RequestQueue.prototype.createSocketRequest;
RequestQueue.prototype.createSocketRequest = function limitedRequest(pushed) {
  const request = createSocketRequest.call(this, pushed);
  if (pushed.entry.apiName === API_VERSIONS && pushed.requestTimeout !== null) {
    request.requestTimeout = pushed.requestTimeout;
  }
  return request;
};

// The original fails the request that had no answer in time and keeps the connection, so the next requests go the same way: to a
// broker that is frozen or cut off, for as long as its metadata is believed, which is minutes. A connection that does not answer
// is closed here. To the rest of kafkajs that is a broker that is gone: it looks for the leaders anew.
const send = Connection.prototype.send;
Connection.prototype.send = async function sendOrGiveUp(request) {
  try {
    return await send.call(this, request);
  } catch (error) {
    if (!(error instanceof kafkajs.KafkaJSRequestTimeoutError)) throw error;
    const { host, port } = this;
    const isNew = request.request.apiName === API_VERSIONS;
    const gone = isNew
      ? new kafkajs.KafkaJSConnectionError(error.message, { broker: `${host}:${port}` })
      : new KafkaJSConnectionClosedError(error.message, { host, port });
    this.connectionStatus = connectionStates.CONNECTION_STATUS.DISCONNECTED;
    this.rejectRequests(gone);
    this.requestQueue.destroy();
    this.socket?.destroy();
    throw gone;
  }
};

// A connection is made anew in the place of the one that broke. The original keeps the beginning of an answer that the break cut
// off, and reads on in the middle of what the new connection brings; it still listens to the old socket, whose end then ends the
// new one; and two requests at once make two sockets.
const connect = Connection.prototype.connect;
const connecting = new WeakMap<Connection, Promise<unknown>>();
Connection.prototype.connect = function connectAnew(): Promise<unknown> {
  if (this.isConnected()) return Promise.resolve(true);
  const underWay = connecting.get(this);
  if (underWay !== undefined) return underWay;
  this.socket?.removeAllListeners();
  this.socket?.on('error', () => undefined);
  this.socket?.destroy();
  this.chunks = [];
  this.bytesBuffered = 0;
  this.bytesNeeded = LENGTH_BYTES;
  const made = connect.call(this).finally(() => connecting.delete(this));
  connecting.set(this, made);
  return made;
};

// Requests are made from what kafkajs has grouped by broker and partition; the rest of the way stays its own.
const produceRequestOf = produceRequests.protocol;
produceRequests.protocol = ({ version }) => {
  const make = produceRequestOf({ version });
  return (options) => {
    const made = make(options);
    if (version < 3 || options.compression !== NO_COMPRESSION || options.transactionalId !== undefined) return made;
    const encode = (): Promise<EncodedBytes> => Promise.resolve(encoded(encodeProduceRequest(options, Date.now())));
    return { ...made, request: { ...made.request, encode } };
  };
};

// Metadata 12 is the first version that is sure to tell topic ids, and tells leader epochs as well. Older brokers get what they know.
const METADATA_VERSION = 12;
const METADATA_VERSION_MAX_ORIGINAL = 6;
const metadataRequestOf = metadataRequests.protocol;
metadataRequests.versions = [...metadataRequests.versions, String(METADATA_VERSION)];
metadataRequests.protocol = ({ version }) => {
  const make = metadataRequestOf({ version: Math.min(version, METADATA_VERSION_MAX_ORIGINAL) });
  if (version < METADATA_VERSION) return make;
  return (options) => {
    const made = make(options);
    const { topics, allowAutoTopicCreation = true } = options;
    const encode = (): Promise<EncodedBytes> =>
      Promise.resolve(encoded(encodeMetadataRequest(topics, allowAutoTopicCreation)));
    const decode = (bytes: Buffer) => Promise.resolve(decodeMetadataResponse(bytes));
    return {
      request: { ...made.request, apiVersion: METADATA_VERSION, encode },
      response: { ...made.response, decode },
    };
  };
};

// The original commits "the earliest" for the group, with which what the group knew is gone, and goes on there without a word.
const clearAllOffsets = OffsetManager.prototype.clearAllOffsets;
OffsetManager.prototype.clearAllOffsets = function clearAndShow(): void {
  clearAllOffsets.call(this);
  if (decidedGroups.has(this.groupId)) offsetKeepers.set(this.memberId, this);
};
const setDefaultOffset = OffsetManager.prototype.setDefaultOffset;
OffsetManager.prototype.setDefaultOffset = function askOwner(this: OffsetManager & OffsetKeeper, place) {
  if (this.outOfRange === undefined) return setDefaultOffset.call(this, place);
  this.outOfRange(place.partition);
  return Promise.resolve();
};

/** What kafkajs takes for one of its encoders when it puts the request's header in front. */
interface EncodedBytes {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

const encoded = (bytes: Buffer): EncodedBytes => ({ buf: bytes, buffer: bytes, size: () => bytes.length });

// The original fills every buffer with zeros before it writes to it.
Encoder.prototype.ensureAvailable = function ensureAvailable(length: number): void {
  const needed = this.offset + length;
  if (needed <= this.buf.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, this.buf.length * 2));
  this.buf.copy(larger, 0, 0, this.offset);
  this.buf = larger;
};

export interface ClientOptions {
  /** How long one request may take; the least of what its caller can bear. */
  readonly requestTimeoutMs?: number;
  /** What kafkajs logs of itself. */
  debug(message: string): void;
}

/** A client for the configured brokers; connects when something is made of it. Throws config_invalid for files that cannot be read. */
export function createClient(config: Config, options: ClientOptions): Kafka {
  const kafka = new kafkajs.Kafka({
    ...connectionOf(config, options),
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

/** Asks the leaders, each for its partitions. */
async function fetchEpochEnds(
  cluster: Cluster,
  topic: string,
  questions: readonly EpochQuestion[],
): Promise<EpochEnd[]> {
  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    const leaders = new Map<number, number | null>();
    for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic)) leaders.set(partitionId, leader);
    const asked = Map.groupBy(questions, ({ partition }) => leaders.get(partition) ?? NO_LEADER);
    if (asked.has(NO_LEADER)) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    const answers = [...asked].map(async ([nodeId, ofLeader]) => {
      const { connectionPool } = await cluster.findBroker({ nodeId: String(nodeId) });
      return connectionPool.send(epochProtocol(topic, ofLeader));
    });
    return (await Promise.all(answers)).flat();
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

const NO_LEADER = -1;
const LEADER_NOT_AVAILABLE = 5;
const OFFSET_FOR_LEADER_EPOCH = { apiKey: 23, apiVersion: 3, apiName: 'OffsetForLeaderEpoch' };

function epochProtocol(topic: string, questions: readonly EpochQuestion[]) {
  return {
    request: {
      ...OFFSET_FOR_LEADER_EPOCH,
      encode: () => Promise.resolve(encoded(encodeEpochRequest(topic, questions))),
    },
    response: {
      decode: (bytes: Buffer) => Promise.resolve(decodeEpochResponse(bytes)),
      parse(ends: EpochEnd[]) {
        const failed = ends.find(({ errorCode }) => errorCode !== 0);
        return failed === undefined ? Promise.resolve(ends) : Promise.reject(createErrorFromCode(failed.errorCode));
      },
    },
  };
}

/**
 * The connections below a client, for a request of which kafkajs's own admin asks and tells only half: it has one time for all
 * partitions, and drops the times in the answer. Throws as `createClient` does.
 */
export function createCluster(config: Config, options: ClientOptions): Cluster {
  return new Cluster({
    ...connectionOf(config, options),
    logger: createClient(config, options).logger(),
    socketFactory: socketFactory(),
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
  });
}

function connectionOf(config: Config, options: ClientOptions) {
  const sasl = saslOf(config);
  return {
    clientId: 'sluice',
    brokers: [...brokersOf(config)],
    ssl: tlsOf(config),
    ...(sasl === null ? {} : { sasl }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    authenticationTimeout: 10_000,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    // Enough to try each broker of a usual list; whoever calls tries again with its own patience.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1000, factor: 0.2, multiplier: 2 },
  };
}

export function brokersOf(config: Config): readonly string[] {
  const brokers = config['kafka.brokers'];
  if (brokers !== undefined && brokers.length > 0) return brokers;
  throw new SluiceError('config_invalid', 'Cannot use Kafka: kafka.brokers (SLUICE_KAFKA_BROKERS) is not set');
}

function saslOf(config: Config) {
  const mechanism = config['kafka.sasl.mechanism'];
  const username = config['kafka.sasl.username'];
  const password = config['kafka.sasl.password'];
  if (mechanism === undefined) return null;
  if (username === undefined || password === undefined) {
    throw new SluiceError('config_invalid', 'Cannot use SASL: kafka.sasl.username and kafka.sasl.password must be set');
  }
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password } as const;
    case 'scram-sha-256':
      return { mechanism, username, password } as const;
    case 'scram-sha-512':
      return { mechanism, username, password } as const;
  }
}

function tlsOf(config: Config) {
  if (!config['kafka.tls']) return false;
  const part = (name: 'ca' | 'cert' | 'key', setting: 'kafka.tls_ca' | 'kafka.tls_cert' | 'kafka.tls_key') => {
    const file = config[setting];
    return file === undefined ? {} : { [name]: readText(setting, file) };
  };
  return { ...part('ca', 'kafka.tls_ca'), ...part('cert', 'kafka.tls_cert'), ...part('key', 'kafka.tls_key') };
}

function readText(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot read the file of ${setting}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * kafkajs's own round robin, which calls `beforeJoin` synchronously before each request to join the group is sent:
 * after that call a commit could be stamped with a generation it does not belong to.
 */
export function fencedAssigner(beforeJoin: () => void): PartitionAssigner {
  return (config) => {
    const inner = kafkajs.PartitionAssigners.roundRobin(config);
    return {
      name: inner.name,
      version: inner.version,
      assign: (group) => inner.assign(group),
      protocol(subscription) {
        beforeJoin();
        return inner.protocol(subscription);
      },
    };
  };
}

/** Offset that was asked for when the batch was fetched; kafkajs has it, its types do not. */
export function fetchedOffset(batch: EachBatchPayload['batch']): number | null {
  return 'fetchedOffset' in batch && typeof batch.fetchedOffset === 'string' ? Number(batch.fetchedOffset) : null;
}

/** The epoch of the leader that wrote the message; kafkajs has it, its types do not. */
export function epochOf(message: KafkaMessage): number | null {
  const context: unknown = 'batchContext' in message ? message.batchContext : undefined;
  if (typeof context !== 'object' || context === null || !('partitionLeaderEpoch' in context)) return null;
  const { partitionLeaderEpoch: epoch } = context;
  return typeof epoch === 'number' && epoch >= 0 ? epoch : null;
}

/** What a partition's metadata tells where the brokers are new enough. */
export function identityOf(partition: object): {
  readonly topicId: string | null;
  readonly leaderEpoch: number | null;
} {
  const topicId = 'topicId' in partition && typeof partition.topicId === 'string' ? partition.topicId : null;
  const known = 'leaderEpoch' in partition && typeof partition.leaderEpoch === 'number' && partition.leaderEpoch >= 0;
  return { topicId, leaderEpoch: known ? (partition.leaderEpoch as number) : null };
}
