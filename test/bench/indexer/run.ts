// The indexer over a topic of Kafka, in a process of its own: the topic is filled once, each run reads all of it in a
// group of its own.

import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { loadConfig } from '#shared/config/load.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { compress } from '#shared/record/compression.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import type { IndexerReport } from '../parts/indexer-process.ts';

export const ENTRIES_PER_RECORD = 1600;
const PARTITIONS = 4;

/** A topic of random name. */
export interface Topic {
  readonly tag: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface RunOptions {
  /** To the indexer's process, beside what the topic's has. */
  readonly env?: NodeJS.ProcessEnv;
  /** For Node. */
  readonly flags?: readonly string[];
  /** Events that are settled before the counting begins. */
  readonly warmUp?: number;
}

export function newTopic(brokers: readonly string[], storePort: number): Topic {
  const tag = `bench.${randomBytes(4).toString('hex')}`;
  const env = {
    PATH: process.env['PATH'],
    SLUICE_KAFKA_BROKERS: brokers.join(),
    SLUICE_KAFKA_TOPIC: tag,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${tag}.dead`,
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: `http://127.0.0.1:${storePort}`,
  };
  return { tag, env };
}

/** A run of entries with these texts, as Docker's fluentd driver sends them. */
export function dockerEntries(record: number, textOf: (n: number) => string): Buffer {
  const writer = new MsgpackWriter();
  for (let i = 0; i < ENTRIES_PER_RECORD; i++) {
    writer.arrayHeader(2);
    writer.eventTime(1_767_323_045 + record, i * 1000);
    writer.mapHeader(4);
    for (const text of [
      'container_id',
      '3f4e8a9b'.repeat(8),
      'container_name',
      '/shop-web-1',
      'source',
      'stdout',
      'log',
    ])
      writer.string(text);
    writer.string(textOf(record * ENTRIES_PER_RECORD + i));
  }
  return writer.take();
}

export function batchOf({ tag }: Topic): Batch {
  return {
    id: randomBytes(16),
    first: 0,
    count: ENTRIES_PER_RECORD,
    tag,
    input: 'forward',
    tenant: null,
    receivedMs: Date.now(),
    seq: Date.now() * 1000,
    sender: 'node-17',
    version: 2,
    chain: null,
  };
}

/** Appends so many records to the topic; the mean bytes of an entry. */
export async function fill(topic: Topic, records: number, entriesOf: (record: number) => Buffer): Promise<number> {
  const config = loadConfig({ env: topic.env, readFile: () => '' });
  await setupTopics(config);
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  await queue.opened();
  let bytes = 0;
  const lanes = Array.from({ length: PARTITIONS }, (): Promise<unknown> => Promise.resolve());
  for (let record = 0; record < records; record++) {
    const entries = entriesOf(record);
    bytes += entries.length;
    const value = await compress(entries);
    const partition = record % PARTITIONS;
    await lanes[partition];
    lanes[partition] = queue.append(partition, [{ encoding: 'zstd', batches: encodeBatches([batchOf(topic)]), value }]);
  }
  await Promise.all(lanes);
  return bytes / (records * ENTRIES_PER_RECORD);
}

/** Runs the indexer over the topic, in a group of its own, until it has settled so many events. */
export async function index(topic: Topic, events: number, options: RunOptions = {}): Promise<IndexerReport> {
  const { env = {}, flags = [], warmUp = 0 } = options;
  const group = `bench-${randomBytes(4).toString('hex')}`;
  const child = fork(new URL('../parts/indexer-process.ts', import.meta.url), {
    execArgv: [...process.execArgv, ...flags],
    env: {
      ...topic.env,
      ...env,
      SLUICE_KAFKA_GROUP: group,
      SLUICE_TEST_EVENTS: String(events),
      SLUICE_TEST_WARM_UP: String(warmUp),
    },
  });
  const report = await message<IndexerReport>(child);
  await once(child, 'exit');
  return report;
}

/** The next message of the process. */
export async function message<T>(child: ChildProcess): Promise<T> {
  const early = once(child, 'exit').then(() => Promise.reject(new Error('the process ended before it told anything')));
  const [value]: T[] = await Promise.race([once(child, 'message'), early]);
  early.catch(() => undefined);
  if (value === undefined) throw new Error('an empty message');
  return value;
}

export async function dropTopics({ tag, env }: Topic): Promise<void> {
  const { createClient } = await import('#shared/queue/kafka/kafkajs/client.ts');
  const admin = createClient(loadConfig({ env, readFile: () => '' }), { debug: () => undefined }).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [tag, `${tag}.dead`] });
  await admin.disconnect();
}

export function thousands(value: number): string {
  return `${(value / 1000).toFixed(1)} k`;
}
