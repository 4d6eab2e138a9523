// Kafka → bulk requests. Twice: to an endpoint that only counts, which shows what the indexer costs; and to a real
// Elasticsearch beside a bare loader that sends ready-made bodies, which shows how much of what Elasticsearch takes
// gets there. The indexer is a process of its own: its processor time and memory are counted, not those of Kafka, the
// endpoint or this one. That Elasticsearch has half of the processors to itself, as it would on a machine of its own.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { reasonOf } from '#shared/errors.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { compress } from '#shared/record/compression.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { BulkRequest } from '#shared/store/store.ts';
import { privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { deleteStream, ownStreamName, withStream } from '#test/indexer/own-stream.ts';
import { halvesOfMachine, movedTo } from './parts/halves.ts';
import type { IndexerReport } from './parts/indexer-process.ts';
import { median } from './parts/median.ts';

const PARTITIONS = 4;
const ENTRIES_PER_RECORD = 1600;
const RECORDS = 500;
/** Elasticsearch takes a twentieth of what the counting endpoint does. */
const RECORDS_STORED = 75;
const ROUNDS = 5;
const WARM_UPS = 2;
const BODY_BYTES = 4 * 1024 * 1024;
const TAG = `bench.${randomBytes(4).toString('hex')}`;

/** A run of entries of about 320 bytes, as Docker's fluentd driver sends them. */
function dockerEntries(record: number): Buffer {
  const writer = new MsgpackWriter();
  for (let i = 0; i < ENTRIES_PER_RECORD; i++) {
    const n = record * ENTRIES_PER_RECORD + i;
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
    const id = (Math.imul(n, 2654435761) >>> 0).toString(16);
    writer.string(
      `2026-01-02T03:04:05.678Z INFO request=${id} GET /api/v1/items/${n}?page=2 status=200 "ok" duration=${n % 977}.4ms user=u${n % 97} agent=curl/8.1`.padEnd(
        180,
        ' abcdefgh',
      ),
    );
  }
  return writer.take();
}

function batchOf(): Batch {
  return {
    id: randomBytes(16),
    first: 0,
    count: ENTRIES_PER_RECORD,
    tag: TAG,
    input: 'forward',
    tenant: null,
    receivedMs: Date.now(),
    seq: Date.now() * 1000,
    sender: 'node-17',
    version: 2,
    chain: null,
  };
}

async function fill(env: NodeJS.ProcessEnv): Promise<number> {
  const config = loadConfig({ env, readFile: () => '' });
  await setupTopics(config);
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  await queue.opened();
  let bytes = 0;
  const lanes = Array.from({ length: PARTITIONS }, (): Promise<unknown> => Promise.resolve());
  for (let record = 0; record < RECORDS; record++) {
    const entries = dockerEntries(record);
    bytes += entries.length;
    const value = await compress(entries);
    const partition = record % PARTITIONS;
    await lanes[partition];
    lanes[partition] = queue.append(partition, [{ encoding: 'zstd', batches: encodeBatches([batchOf()]), value }]);
  }
  await Promise.all(lanes);
  return bytes / (RECORDS * ENTRIES_PER_RECORD);
}

/** Runs the indexer over the topic, in a group of its own, until it has settled so many events. */
async function index(env: NodeJS.ProcessEnv, events: number): Promise<IndexerReport> {
  const group = `bench-${randomBytes(4).toString('hex')}`;
  const child = fork(new URL('./parts/indexer-process.ts', import.meta.url), {
    env: { ...env, SLUICE_KAFKA_GROUP: group, SLUICE_TEST_EVENTS: String(events) },
  });
  const report = await message<IndexerReport>(child);
  await once(child, 'exit');
  return report;
}

async function message<T>(child: ChildProcess): Promise<T> {
  const early = once(child, 'exit').then(() => Promise.reject(new Error('the process ended before it told anything')));
  const [value]: T[] = await Promise.race([once(child, 'message'), early]);
  early.catch(() => undefined);
  if (value === undefined) throw new Error('an empty message');
  return value;
}

/** Documents per second of a loader that does nothing but send ready-made bodies, four at a time. */
async function loadBare(env: NodeJS.ProcessEnv, stream: string): Promise<number> {
  const requests: BulkRequest[] = [];
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { listsNumbers: true });
  for (let record = 0; record < RECORDS_STORED; record++) {
    const entries = dockerEntries(record);
    writer.startBatch(batchOf(), Date.now());
    for (let start = 0, i = 0; start < entries.length; i++) {
      const end = entryEnd(entries, start, entries.length);
      writer.write(entries, start, end, i);
      start = end;
      if (body.length >= BODY_BYTES) requests.push(body.request());
    }
  }
  if (body.count > 0) requests.push(body.request());
  await using store = withStream(await openStore(loadConfig({ env, readFile: () => '' })), stream);
  const startMs = systemClock.monotonicMs();
  let next = 0;
  const sendOn = async (): Promise<void> => {
    for (let request = requests[next++]; request; request = requests[next++]) await store.bulk(request);
  };
  await Promise.all([sendOn(), sendOn(), sendOn(), sendOn()]);
  return (RECORDS_STORED * ENTRIES_PER_RECORD) / ((systemClock.monotonicMs() - startMs) / 1000);
}

export async function run(): Promise<void> {
  const broker = await kafka();
  if (!broker) {
    console.log('indexer: skipped, there is no Kafka');
    return;
  }
  const counter = fork(new URL('./parts/counting-bulk.ts', import.meta.url));
  const { port } = await message<{ port: number }>(counter);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    SLUICE_KAFKA_BROKERS: broker.brokers.join(),
    SLUICE_KAFKA_TOPIC: TAG,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${TAG}.dead`,
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: `http://127.0.0.1:${port}`,
  };
  try {
    const entryBytes = await fill(env);
    print('Kafka → counting _bulk', entryBytes, await index(env, RECORDS * ENTRIES_PER_RECORD));
    await besideBareLoader(env, entryBytes);
  } finally {
    counter.disconnect();
    await dropTopics(env);
  }
}

async function besideBareLoader(env: NodeJS.ProcessEnv, entryBytes: number): Promise<void> {
  const halves = halvesOfMachine();
  await using server = await privateElasticsearch({ heap: '1g', ...(halves && { processors: halves.server }) });
  try {
    await server.start();
  } catch (error) {
    console.log(`Kafka → Elasticsearch: skipped, ${reasonOf(error)}`);
    return;
  }
  using _ = halves && movedTo(halves.others);
  if (!halves)
    console.log('Kafka → Elasticsearch: it shares its processors with the indexer, since they cannot be told apart');
  await storeAll({ ...env, SLUICE_ELASTICSEARCH_URL: server.url }, server.url, entryBytes);
}

/** Both into data streams of their own, which are there already: a document that is there is no work. */
async function storeAll(env: NodeJS.ProcessEnv, url: string, entryBytes: number): Promise<void> {
  await using store = await openStore(loadConfig({ env, readFile: () => '' }));
  await store.setup();
  const intoOwn = async <T>(load: (stream: string) => Promise<T>): Promise<T> => {
    const stream = ownStreamName();
    await fetch(`${url}/_data_stream/${stream}`, { method: 'PUT' });
    try {
      return await load(stream);
    } finally {
      await deleteStream(url, stream);
    }
  };
  const bareRate = () => intoOwn((stream) => loadBare(env, stream));
  const indexed = () =>
    intoOwn((stream) => index({ ...env, SLUICE_TEST_STREAM: stream }, RECORDS_STORED * ENTRIES_PER_RECORD));
  // Java is slow at first.
  for (let round = 0; round < WARM_UPS; round++) await bareRate();
  const rounds: { readonly rate: number; readonly bare: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Each comes first as often: a machine is faster in one minute than in the next.
    const early = round % 2 === 0 ? null : await bareRate();
    const report = await indexed();
    print('Kafka → Elasticsearch', entryBytes, report);
    rounds.push({ rate: report.events / report.seconds, bare: early ?? (await bareRate()) });
  }
  const share = median(rounds.map(({ rate, bare }) => rate / bare));
  const [rate, bare] = [median(rounds.map((each) => each.rate)), median(rounds.map((each) => each.bare))];
  console.log(
    `Kafka → Elasticsearch, medians of ${ROUNDS}: ${thousands(rate)} documents/s; a bare loader ${thousands(bare)}; ` +
      `share ${(100 * share).toFixed(0)} % (goal: at least 95 %, ${share >= 0.95 ? 'kept' : 'MISSED'})`,
  );
}

async function dropTopics(env: NodeJS.ProcessEnv): Promise<void> {
  const { createClient } = await import('#shared/queue/kafka/kafkajs/client.ts');
  const admin = createClient(loadConfig({ env, readFile: () => '' }), { debug: () => undefined }).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [TAG, `${TAG}.dead`] });
  await admin.disconnect();
}

function print(
  what: string,
  entryBytes: number,
  { events, seconds, cpuSeconds, rssPeakBytes, imbalance }: IndexerReport,
): void {
  console.log(
    `${what}: ${thousands(events)} events of ${entryBytes.toFixed(0)} bytes, ${thousands(events / cpuSeconds)} events per CPU-second, ` +
      `${thousands(events / seconds)}/s, peak ${(rssPeakBytes / 1048576).toFixed(0)} MiB, ledger imbalance ${imbalance}`,
  );
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(1)} k`;
}
