// The lag of a group in Kafka, from the brokers alone. A few requests, whatever the number of partitions: what is
// committed, the ends, and some ten rounds of look-ups by time for the partitions that lag, all of them in one request
// to each broker.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import type { GroupLag, LagSource, PartitionLag } from '../group-lag.ts';
import { failureOf } from './broker/failure.ts';
import { timeMsOf } from './broker/fetched-records.ts';
import { type PartitionOffsets, readPartitionOffsets } from './broker/group-offsets.ts';
import { type Cluster, createClient, createCluster, type Admin } from './kafkajs/client.ts';
import { brokerNames } from './kafkajs/connect-options.ts';
import { type Found, TimeBisection } from './positions/time-bisection.ts';
import { numberOf, readTopicFacts } from './broker/topic-facts.ts';

/** Each round halves what is left, in ratio of the age; from a year down to a tenth of a second is less than twenty. */
const ROUNDS_MAX = 40;
const FACTS_INTERVAL_MS = 600_000;

/** The record that a group reads next, and when it was appended. */
interface Oldest {
  readonly offset: number;
  readonly timeMs: number;
  /** End of the partition when it was found. */
  readonly high: number;
}

interface Connection {
  readonly admin: Admin;
  readonly cluster: Cluster;
}

export class KafkaLag implements LagSource {
  readonly #config: Config;
  readonly #clock: Clock;
  #connection: Connection | null = null;
  #retention: { readonly ms: number | null; readonly readAtMs: number } | null = null;
  /** Of the look before: a group that stands still is not searched for again. */
  #oldest: ReadonlyMap<number, Oldest> = new Map();

  constructor(config: Config, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  async sample(): Promise<GroupLag> {
    try {
      this.#connection ??= await this.#connect();
      return await this.#sample(this.#connection);
    } catch (error) {
      // Built anew with the next look: brokers may come and go.
      await this[Symbol.asyncDispose]();
      if (error instanceof SluiceError) throw error;
      const { code, reason } = failureOf(error);
      const brokers = brokerNames(this.#config).join(', ');
      throw new SluiceError(code, `Cannot read the lag from ${brokers}: ${reason}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    if (connection) await disconnect(connection);
  }

  async #connect(): Promise<Connection> {
    const options = { debug: () => undefined };
    const connection = {
      admin: createClient(this.#config, options).admin(),
      cluster: createCluster(this.#config, options),
    };
    try {
      await connection.admin.connect();
      await connection.cluster.connect();
      await connection.cluster.addTargetTopic(this.#config['kafka.topic']);
      return connection;
    } catch (error) {
      await disconnect(connection);
      throw error;
    }
  }

  async #sample({ admin, cluster }: Connection): Promise<GroupLag> {
    const { 'kafka.topic': topic, 'kafka.group': group } = this.#config;
    const retentionMs = await this.#retentionMs(admin);
    const { groups } = await admin.describeGroups([group]);
    const offsets = await readPartitionOffsets(admin, group, topic);
    const atMs = this.#clock.epochMs();
    const known = new Map<number, Oldest>();
    const sought: PartitionOffsets[] = [];
    for (const one of offsets) {
      if (one.next >= one.high) continue;
      const before = this.#oldest.get(one.partition);
      // A topic that was made anew begins again at 0.
      if (before?.offset === one.next && before.high <= one.high) known.set(one.partition, before);
      else sought.push(one);
    }
    for (const [partition, oldest] of await oldestOf(cluster, topic, sought, atMs)) known.set(partition, oldest);
    this.#oldest = known;
    const partitions = offsets.map(({ partition, low, high, next }): PartitionLag => ({
      partition,
      low,
      high,
      next,
      oldestMs: known.get(partition)?.timeMs ?? null,
    }));
    partitions.sort((a, b) => a.partition - b.partition);
    return { group, topic, atMs, partitions, members: groups[0]?.members.length ?? 0, retentionMs };
  }

  /** Settings change seldom. Rejects with topic_missing. */
  async #retentionMs(admin: Admin): Promise<number | null> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#retention === null || nowMs - this.#retention.readAtMs > FACTS_INTERVAL_MS) {
      const ms = numberOf(await readTopicFacts(admin, this.#config['kafka.topic']), 'retention.ms');
      this.#retention = { ms: ms === null || ms < 0 ? null : ms, readAtMs: nowMs };
    }
    return this.#retention.ms;
  }
}

async function disconnect({ admin, cluster }: Connection): Promise<void> {
  await Promise.allSettled([admin.disconnect(), cluster.disconnect()]);
}

/** When the next record of each of these partitions was appended. */
async function oldestOf(
  cluster: Cluster,
  topic: string,
  offsets: readonly PartitionOffsets[],
  nowMs: number,
): Promise<Map<number, Oldest>> {
  const searches = new Map<number, TimeBisection>();
  for (const { partition, next } of offsets) searches.set(partition, new TimeBisection(next, nowMs));
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const asked = new Map<number, number>();
    for (const [partition, { askMs }] of searches) if (askMs !== null) asked.set(partition, askMs);
    if (asked.size === 0) break;
    const found = await firstRecordsAt(cluster, topic, asked);
    for (const [partition, askedMs] of asked) searches.get(partition)?.learn(askedMs, found.get(partition) ?? null);
  }
  const oldest = new Map<number, Oldest>();
  for (const { partition, next, high } of offsets) {
    oldest.set(partition, { offset: next, high, timeMs: searches.get(partition)?.timeMs ?? nowMs });
  }
  return oldest;
}

/** The first record at or after a time, of each partition: one request to each broker. */
async function firstRecordsAt(
  cluster: Cluster,
  topic: string,
  times: ReadonlyMap<number, number>,
): Promise<Map<number, Found>> {
  await cluster.refreshMetadataIfNecessary();
  const asked = new Map<string, { partition: number; timestamp: number }[]>();
  for (const { partitionId: partition, leader } of cluster.findTopicPartitionMetadata(topic)) {
    const timestamp = times.get(partition);
    if (timestamp === undefined) continue;
    if (leader === null || leader < 0) {
      throw new SluiceError(
        'queue_unavailable',
        `Cannot read the lag: partition ${partition} of ${topic} has no leader`,
      );
    }
    const ofLeader = asked.get(String(leader)) ?? [];
    ofLeader.push({ partition, timestamp });
    asked.set(String(leader), ofLeader);
  }
  const found = new Map<number, Found>();
  const ask = async ([nodeId, partitions]: [string, { partition: number; timestamp: number }[]]): Promise<void> => {
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.listOffsets({ topics: [{ topic, partitions }] });
    for (const { partition, offset, timestamp } of responses.flatMap((response) => response.partitions)) {
      found.set(partition, Number(offset) < 0 ? null : { offset: Number(offset), timestampMs: timeMsOf(timestamp) });
    }
  };
  await Promise.all([...asked].map(ask));
  return found;
}
