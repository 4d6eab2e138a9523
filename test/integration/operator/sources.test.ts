// Topics of others in a real Kafka: foreign producers write, indexers read them beside their own topic, are killed and
// join, and the topic is made anew with the same messages at the same places. Each message is in Elasticsearch once.
//
//   SLUICE_TEST_FOREIGN_MESSAGES=1000000   how many messages, 20,000 unless given; from 100,000 on, four indexers read
//                                          them, and more of them are killed

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { field, inElasticsearch } from '../parts/documents.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const broker = await kafka();
const store = await elasticsearch();
const skip = broker && store ? false : 'SKIPPED: no Kafka or no Elasticsearch';

const PARTITIONS = 4;
const MESSAGES = Number(process.env['SLUICE_TEST_FOREIGN_MESSAGES'] || 20_000);
const IS_LONG = MESSAGES >= 100_000;
const INDEXERS = IS_LONG ? 4 : 2;
/** Each time one of the indexers, and another one joins. */
const KILLS = IS_LONG ? 5 : 1;
/** Elasticsearch gives no more buckets at once, so the numbers are asked for in parts. */
const NUMBERS_PER_ANSWER = 30_000;
const PRODUCER = join(import.meta.dirname, '../parts/foreign-producer.ts');
const TRANSACTIONS = join(import.meta.dirname, '../parts/foreign-transactions.ts');
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const run = promisify(execFile);
/** Given by the producer, so that a message that is written again is the same in all but its topic's id. */
const TIME_MS = 1_767_323_045_000;

interface LagLine {
  readonly topic: string;
  readonly group: string;
  readonly records: number;
}

interface Found {
  readonly aggregations: {
    readonly numbers: { readonly buckets: readonly { readonly key: string; readonly doc_count: number }[] };
  };
}

class ForeignTopic implements AsyncDisposable {
  readonly name: string;
  readonly #config: Config;

  constructor(config: Config, name: string) {
    this.#config = config;
    this.name = name;
  }

  async make(): Promise<void> {
    await this.#asAdmin((admin) =>
      admin.createTopics({
        topics: [
          {
            topic: this.name,
            numPartitions: PARTITIONS,
            replicationFactor: 1,
            // The messages' times are old.
            configEntries: [{ name: 'retention.ms', value: '-1' }],
          },
        ],
      }),
    );
  }

  /** The same name, and nothing of what was in it; as soon as brokers let go of the old one. */
  async makeAnew(waiting: SluiceProcess): Promise<void> {
    await this.remove();
    await waiting.until(() =>
      this.make().then(
        () => true,
        () => false,
      ),
    );
  }

  async remove(): Promise<void> {
    await this.#asAdmin((admin) => admin.deleteTopics({ topics: [this.name] }));
  }

  /** Messages with the numbers [first, end), round robin. */
  async write(first: number, end: number): Promise<void> {
    const brokers = this.#config['kafka.brokers']?.join() ?? '';
    const args = [PRODUCER, brokers, this.name, ...[PARTITIONS, first, end, TIME_MS].map(String)];
    await run(process.execPath, args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove().catch(() => undefined);
  }

  async #asAdmin(work: (admin: Admin) => Promise<unknown>): Promise<void> {
    const admin = createClient(this.#config, { debug: () => undefined }).admin();
    await admin.connect();
    await work(admin).finally(() => admin.disconnect());
  }
}

async function lagOf(topic: string, environment: Environment): Promise<LagLine> {
  const { stdout, stderr } = await sluice(['lag', '--json'], null, environment);
  const lines = stdout.split('\n').filter((line) => line !== '');
  const found = lines.map((line) => JSON.parse(line) as LagLine).find((line) => line.topic === topic);
  assert(found, `sluice lag tells of ${topic}: ${stdout} ${stderr}`);
  return found;
}

const STREAM = `${store?.url}/logs-sluice-default`;

/** What a request of the data stream is answered; null as long as there is none: its first document makes it. */
async function asked(path: string, body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(STREAM + path, { method: 'POST', headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  if (answer.status === 404) return null;
  assert(answer.ok, text);
  return JSON.parse(text);
}

async function documentsOf(tag: string): Promise<number> {
  await asked('/_refresh');
  const answer = await asked('/_count', { query: { term: { 'fluentd.tag': tag } } });
  return (answer as { count: number } | null)?.count ?? 0;
}

/** How often each number is there. */
async function countsOf(tag: string): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  await asked('/_refresh');
  const partitions = Math.ceil((1.1 * MESSAGES) / NUMBERS_PER_ANSWER);
  for (let partition = 0; partition < partitions; partition++) {
    const include = { partition, num_partitions: partitions };
    const answer = await asked('/_search', {
      size: 0,
      query: { term: { 'fluentd.tag': tag } },
      aggs: { numbers: { terms: { field: 'attributes.n', size: 2 * NUMBERS_PER_ANSWER, include } } },
    });
    for (const { key, doc_count: count } of (answer as Found | null)?.aggregations.numbers.buckets ?? [])
      counts.set(Number(key), count);
  }
  return counts;
}

/** What is committed is in the store: so many as lag does not tell of are there. */
async function checkLag(topic: string, environment: Environment, written: number): Promise<void> {
  const { records } = await lagOf(topic, environment);
  const documents = await documentsOf(topic);
  assert(documents >= written - records, `${documents} of ${written} are there, and a lag of ${records} is told`);
}

function checkOnce(counts: ReadonlyMap<number, number>, end: number, times: (n: number) => number): void {
  const wrong = Array.from({ length: end }, (_, n) => n).filter((n) => (counts.get(n) ?? 0) !== times(n));
  const shown = wrong.slice(0, 10).map((n) => `${n}: ${counts.get(n) ?? 0}`);
  assert.equal(wrong.length, 0, `so often in the store: ${shown.join(', ')}`);
  assert.equal(counts.size, end);
}

async function killAll(processes: readonly SluiceProcess[]): Promise<void> {
  for (const each of processes) await each.kill();
}

function environmentOf(own: Environment, name: string): Environment {
  return {
    ...own,
    SLUICE_KAFKA_PARTITIONS: '2',
    SLUICE_ELASTICSEARCH_URL: store?.url ?? '',
    SLUICE_BULK_TIMEOUT_MS: '2000',
    SLUICE_KAFKA_SOURCES: JSON.stringify([
      { pattern: `${name}.*`, format: 'json', time: { field: 'ts', format: 'ms' }, keep: ['key'] },
      { topic: `${name}-never`, format: 'text' },
    ]),
  };
}

suite('topics of others', { skip }, () => {
  test('are read once, by indexers that are killed and join, also when the topic is made anew', async () => {
    const own = ownTopic(broker?.brokers);
    const name = `${own.SLUICE_KAFKA_TOPIC}.foreign`;
    const environment = environmentOf(own, name);
    const config = loadConfig({ env: environment, readFile: () => '' });
    const setup = await sluice(['setup'], null, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await using topic = new ForeignTopic(config, name);
    await using places = new AsyncDisposableStack();
    const indexer = async () => new SluiceProcess(['indexer'], places.use(await newPlace()), environment);
    try {
      await topic.make();
      await topic.write(0, MESSAGES / 2);
      const before = await lagOf(name, environment);
      assert.deepEqual([before.group, before.records], [`${own.SLUICE_KAFKA_GROUP}.${name}`, MESSAGES / 2]);

      const indexers = await Promise.all(Array.from({ length: INDEXERS }, indexer));
      places.defer(() => killAll(indexers));
      for (let kill = 0, there = 0; kill < KILLS; kill++) {
        const [victim, ...others] = indexers;
        assert(victim);
        await victim.until(async () => (await documentsOf(name)) > there);
        await victim.kill();
        indexers.splice(0, INDEXERS, ...others, await indexer());
        there = await documentsOf(name);
        const [from, to] = [kill, kill + 1].map((part) => MESSAGES / 2 + Math.floor((MESSAGES / 2 / KILLS) * part));
        await topic.write(from ?? 0, to ?? 0);
        await checkLag(name, environment, to ?? 0);
      }
      const [second] = indexers;
      assert(second);
      await second.until(async () => (await lagOf(name, environment)).records === 0);
      checkOnce(await countsOf(name), MESSAGES, () => 1);

      await topic.makeAnew(second);
      // The same as before in all but the topic's id, and beyond where the old one was read to nothing.
      const again = MESSAGES / 10;
      await topic.write(0, again);
      const caughtUp = async (): Promise<boolean> => (await lagOf(name, environment)).records === 0;
      await second.until(async () => (await documentsOf(name)) >= MESSAGES + again && (await caughtUp()));
      checkOnce(await countsOf(name), MESSAGES, (n) => (n < again ? 2 : 1));

      await topic.write(MESSAGES, MESSAGES + again);
      const drain = await sluice(['indexer', '--drain', '--max-seconds', '55'], null, environment);
      assert.equal(drain.code, 0, drain.stderr);
      checkOnce(await countsOf(name), MESSAGES + again, (n) => (n < again ? 2 : 1));
      for (const { code, stdout } of await Promise.all(indexers.map((each) => each.stop())))
        assert.equal(code, 0, stdout);
    } finally {
      await removeTopics(config);
    }
  });

  test('batches in every codec, and what a transaction has committed', async () => {
    const own = ownTopic(broker?.brokers);
    const name = `${own.SLUICE_KAFKA_TOPIC}.text`;
    const environment = {
      ...own,
      SLUICE_ELASTICSEARCH_URL: store?.url ?? '',
      SLUICE_KAFKA_SOURCES: JSON.stringify([{ topic: name, format: 'text', keep: ['key'] }]),
    };
    const config = loadConfig({ env: environment, readFile: () => '' });
    const setup = await sluice(['setup'], null, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await using topic = new ForeignTopic(config, name);
    try {
      await topic.make();
      const brokers = broker?.brokers.join() ?? '';
      const expected: string[] = [];
      for (const codec of spawnSync('kcat', ['-V']).status === 0 ? CODECS : []) {
        const lines = Array.from({ length: 300 }, (_, i) => `${codec} ${i}`);
        const { status } = spawnSync('kcat', ['-P', '-b', brokers, '-t', name, '-z', codec], {
          input: lines.join('\n'),
        });
        assert.equal(status, 0);
        expected.push(...lines);
      }
      await run(process.execPath, [TRANSACTIONS, brokers, name]);
      for (const i of [0, 2, 4]) expected.push(...[0, 1, 2].map((k) => `committed ${i} ${k}`));
      expected.push('', '');
      const drain = await sluice(['indexer', '--drain', '--max-seconds', '55'], null, environment);
      assert.equal(drain.code, 0, drain.stderr);
      const documents = await inElasticsearch(store?.url ?? '')(name);
      const messages = documents.map((document) => String(field(document, 'message')));
      assert.deepEqual(messages.toSorted(), expected.toSorted());
      const tombstone = documents.find((document) => field(document, 'attributes.kafka_tombstone') === true);
      assert.deepEqual(field(tombstone ?? {}, 'log.flags'), ['unread']);
      assert.equal((await lagOf(name, environment)).records, 0);
    } finally {
      await removeTopics(config);
    }
  });
});
