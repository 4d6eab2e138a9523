// Kafka → bulk requests. Twice: to an endpoint that only counts, which shows what the indexer costs; and to a real
// Elasticsearch beside a bare loader that sends ready-made bodies, which shows how much of what Elasticsearch takes
// gets there. The indexer is a process of its own: its processor time and memory are counted, not those of Kafka, the
// endpoint or this one. That Elasticsearch has half of the processors to itself, as it would on a machine of its own.

import { fork } from 'node:child_process';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { reasonOf } from '#shared/errors.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { BulkRequest } from '#shared/store/store.ts';
import { privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { deleteStream, ownStreamName, withStream } from '#test/indexer/own-stream.ts';
import { halvesOfMachine, movedTo } from '../parts/halves.ts';
import type { IndexerReport } from '../parts/indexer-process.ts';
import { median } from '../parts/median.ts';
import {
  ENTRIES_PER_RECORD, type Topic, batchOf, dockerEntries, dropTopics, fill, index, message, newTopic, thousands,
} from './run.ts'; // prettier-ignore

const RECORDS = 500;
/** Elasticsearch takes a twentieth of what the counting endpoint does. */
const RECORDS_STORED = 75;
const ROUNDS = 5;
const WARM_UPS = 2;
const BODY_BYTES = 4 * 1024 * 1024;

/** Of entries of about 320 bytes. */
function textOf(n: number): string {
  const id = (Math.imul(n, 2654435761) >>> 0).toString(16);
  const request = `request=${id} GET /api/v1/items/${n}?page=2 status=200 "ok" duration=${n % 977}.4ms user=u${n % 97}`;
  return `2026-01-02T03:04:05.678Z INFO ${request} agent=curl/8.1`.padEnd(180, ' abcdefgh');
}

const entriesOf = (record: number): Buffer => dockerEntries(record, textOf);

/** Documents per second of a loader that does nothing but send ready-made bodies, four at a time. */
async function loadBare(topic: Topic, env: NodeJS.ProcessEnv, stream: string): Promise<number> {
  const requests: BulkRequest[] = [];
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { listsNumbers: true });
  for (let record = 0; record < RECORDS_STORED; record++) {
    const entries = entriesOf(record);
    writer.startBatch(batchOf(topic), Date.now());
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
  const counter = fork(new URL('../parts/counting-bulk.ts', import.meta.url));
  const { port } = await message<{ port: number }>(counter);
  const topic = newTopic(broker.brokers, port);
  try {
    const entryBytes = await fill(topic, RECORDS, entriesOf);
    print('Kafka → counting _bulk', entryBytes, await index(topic, RECORDS * ENTRIES_PER_RECORD));
    await besideBareLoader(topic, entryBytes);
  } finally {
    counter.disconnect();
    await dropTopics(topic);
  }
}

async function besideBareLoader(topic: Topic, entryBytes: number): Promise<void> {
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
  await storeAll(topic, server.url, entryBytes);
}

/** Both into data streams of their own, which are there already: a document that is there is no work. */
async function storeAll(topic: Topic, url: string, entryBytes: number): Promise<void> {
  const env = { ...topic.env, SLUICE_ELASTICSEARCH_URL: url };
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
  const bareRate = () => intoOwn((stream) => loadBare(topic, env, stream));
  const indexed = () =>
    intoOwn((stream) =>
      index(topic, RECORDS_STORED * ENTRIES_PER_RECORD, { env: { ...env, SLUICE_TEST_STREAM: stream } }),
    );
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

function print(
  what: string,
  entryBytes: number,
  { events, seconds, cpuSeconds, rssPeakBytes, imbalance }: IndexerReport,
): void {
  console.log(
    `${what}: ${thousands(events)} events of ${entryBytes.toFixed(0)} bytes, ` +
      `${thousands(events / cpuSeconds)} events per CPU-second, ${thousands(events / seconds)}/s, ` +
      `peak ${(rssPeakBytes / 1048576).toFixed(0)} MiB, ledger imbalance ${imbalance}`,
  );
}
