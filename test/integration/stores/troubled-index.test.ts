// An index in trouble, on a real Elasticsearch and a real OpenSearch of the test's own: while events come through a
// real Kafka, it is blocked, rolled over, closed and opened again, and two indexers are killed (kill -9) in between.
// At the end each event is there once.
//
//   SLUICE_TEST_TROUBLED_EVENTS=1000000   how many events, 30,000 unless given

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver as observer } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { type PrivateElasticsearch, privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { privateOpenSearch } from '#test/backends/opensearch.ts';
import { World } from '#test/indexer/world.ts';
import { ownTopic, quickCommits } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const EVENTS = Number(process.env['SLUICE_TEST_TROUBLED_EVENTS'] || 30_000);
/** Each of the three troubles once, and twice where there is time. */
const IS_LONG = EVENTS > 100_000;
const ROUNDS = IS_LONG ? 6 : 3;
/** Of those that a round sends, so many are written before it goes on: at length its trouble comes amid them. */
const MOVED = IS_LONG ? Math.floor(EVENTS / ROUNDS / 2) : 1;
const EVENTS_PER_RECORD = 250;
const PARTITIONS = 4;
const STREAM = 'logs-sluice-default';
const TIMEOUT_MS = 300_000 + 3 * EVENTS;

const broker = await kafka();
const isOnlyContainers = process.env['SLUICE_TEST_BACKENDS'] === 'containers';
const skip = broker && !isOnlyContainers ? false : 'SKIPPED: no Kafka, or no server from jars';

class Trouble {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(this.#url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    assert(answer.ok, `${method} ${path}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async count(): Promise<number> {
    await this.ask('POST', `/${STREAM}/_refresh?ignore_unavailable=true`);
    return Number((await this.ask('GET', `/${STREAM}/_count?ignore_unavailable=true`))['count']);
  }

  block(isBlocked: boolean | null): Promise<unknown> {
    return this.ask('PUT', `/${STREAM}/_settings`, { 'index.blocks.write': isBlocked });
  }

  rollOver(): Promise<unknown> {
    return this.ask('POST', `/${STREAM}/_rollover`);
  }

  /** The one before the one that is written to. */
  async older(): Promise<string> {
    const { data_streams: streams } = await this.ask('GET', `/_data_stream/${STREAM}`);
    const [stream] = streams as { indices: { index_name: string }[] }[];
    return stream?.indices.at(-2)?.index_name ?? assert.fail('there was a rollover');
  }
}

/** Sends `events` more, each with its number. */
async function append(queue: Queue, world: World, events: number): Promise<void> {
  const sent: Promise<unknown>[] = [];
  for (let left = events, record = 0; left > 0; left -= EVENTS_PER_RECORD, record++) {
    const count = Math.min(left, EVENTS_PER_RECORD);
    const entries = Array.from({ length: count }, () => world.entry({ log: `event ${world.sent++} ` }));
    const batch = { ...world.batch(count), id: timedId(), receivedMs: Date.now() };
    const value = Buffer.concat(entries);
    sent.push(queue.append(record % PARTITIONS, [{ encoding: 'identity', batches: encodeBatches([batch]), value }]));
    if (sent.length >= 4 * PARTITIONS) await Promise.all(sent.splice(0));
  }
  await Promise.all(sent);
}

/** As the edge makes it: 6 bytes of time, and chance. */
function timedId(): Buffer {
  const id = randomBytes(16);
  id.writeUIntBE(Date.now(), 0, 6);
  return id;
}

class Indexers implements AsyncDisposable {
  readonly #environment: Environment;
  readonly #running: { process: SluiceProcess; place: AsyncDisposable }[] = [];
  kills = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async start(): Promise<SluiceProcess> {
    const place = await newPlace();
    const process = new SluiceProcess(['indexer'], place, this.#environment);
    this.#running.push({ process, place });
    return process;
  }

  async kill(): Promise<void> {
    for (const { process, place } of this.#running.splice(0)) {
      await process.kill();
      await place[Symbol.asyncDispose]();
      this.kills++;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50);
}

/** Each round has another trouble, while its events are written. */
async function round(number: number, trouble: Trouble, indexers: Indexers): Promise<void> {
  const before = await trouble.count();
  const moved = () => until(async () => (await trouble.count()) >= before + MOVED);
  const first = await indexers.start();
  const second = await indexers.start();
  const said = (what: RegExp) =>
    until(async () => what.test((await first.readiness()).reasons + (await second.readiness()).reasons));
  if (number % 3 === 0) {
    await trouble.block(true);
    await said(/block/);
    await indexers.kill();
    await indexers.start();
    await trouble.block(null);
    await moved();
  } else if (number % 3 === 1) {
    await moved();
    await trouble.rollOver();
    await indexers.kill();
    await trouble.rollOver();
  } else {
    const older = await trouble.older();
    await trouble.ask('POST', `/${older}/_close`);
    // Of what came about when it was rolled over nobody can tell now whether it lies in there.
    await said(/it is closed/);
    await indexers.kill();
    await indexers.start();
    await trouble.ask('POST', `/${older}/_open`);
    await moved();
  }
  await indexers.kill();
}

async function run(server: PrivateElasticsearch): Promise<void> {
  const environment = {
    ...ownTopic(broker?.brokers),
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: server.url,
    SLUICE_BULK_MAX_BYTES: '131072',
    ...quickCommits,
  };
  const { code, stderr } = await sluice(['setup'], null, environment);
  assert.equal(code, 0, stderr);
  const trouble = new Trouble(server.url);
  await trouble.rollOver();
  const world = new World();
  await using queue = await openQueue(loadConfig({ env: environment, readFile: () => '' }), { observer });
  await queue.opened();
  await using indexers = new Indexers(environment);
  for (let number = 0; number < ROUNDS; number++) {
    await append(queue, world, Math.ceil((EVENTS - world.sent) / (ROUNDS - number)));
    await round(number, trouble, indexers);
  }
  const last = await indexers.start();
  await last.until(async () => (await trouble.count()) >= EVENTS);
  await last.until(async () => (await lagOf(environment)) === 0);

  await trouble.ask('POST', `/${STREAM}/_refresh`);
  const { numbers, documents } = await readAll(trouble);
  const told = [
    `${indexers.kills} indexers were killed`,
    `${await trouble.count()} documents are counted`,
    `missing: ${missing(numbers).slice(0, 20).join()}`,
    JSON.stringify(await trouble.ask('GET', `/${STREAM}/_stats/docs?filter_path=indices.*.primaries`)),
    last.stderr,
  ].join('\n');
  assert.deepEqual([numbers.size, documents], [EVENTS, EVENTS], told);
  const letters = await sluice(['dead-letters', 'list'], null, environment);
  assert.equal(letters.code, 0, letters.stderr);
  assert.doesNotMatch(letters.stdout, /document_/);
}

interface Scrolled {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: readonly { readonly _source: { readonly message: string } }[] };
}

/** In no order, many at once: the store's own pages would take longer than all the rest. */
async function readAll(trouble: Trouble): Promise<{ numbers: ReadonlySet<number>; documents: number }> {
  const numbers = new Set<number>();
  let documents = 0;
  const ask = async (path: string, body: object) => (await trouble.ask('POST', path, body)) as unknown as Scrolled;
  const first = { size: 10_000, sort: ['_doc'], _source: ['message'] };
  let page = await ask(`/${STREAM}/_search?scroll=5m`, first);
  for (; page.hits.hits.length > 0; page = await ask('/_search/scroll', { scroll: '5m', scroll_id: page._scroll_id })) {
    documents += page.hits.hits.length;
    for (const { _source: source } of page.hits.hits) numbers.add(Number(/event (\d+)/.exec(source.message)?.[1]));
  }
  return { numbers, documents };
}

function missing(numbers: ReadonlySet<number>): number[] {
  return Array.from({ length: EVENTS }, (_, number) => number).filter((number) => !numbers.has(number));
}

async function lagOf(environment: Environment): Promise<number> {
  const { stdout } = await sluice(['lag', '--json'], null, environment);
  return (JSON.parse(stdout) as { records: number }).records;
}

// Both wait most of the time, for the sessions of those that were killed.
suite(`an index in trouble, ${EVENTS} events`, { skip, concurrency: true }, () => {
  test('Elasticsearch', { timeout: TIMEOUT_MS }, async () => {
    await using server = await privateElasticsearch();
    await server.start();
    await run(server);
  });

  test('OpenSearch', { timeout: TIMEOUT_MS }, async () => {
    await using server = await privateOpenSearch();
    await server.start();
    await run(server);
  });
});
