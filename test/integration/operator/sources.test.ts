// Topics of others in a real Kafka: foreign producers write, indexers read them beside their own topic, are killed and
// join, and the topic is made anew with the same messages at the same places. Each message is in Elasticsearch once.

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
const MESSAGES = 20_000;
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

/** How often each number is there. */
async function countsOf(tag: string): Promise<Map<number, number>> {
  const stream = `${store?.url}/logs-sluice-default`;
  await fetch(`${stream}/_refresh`, { method: 'POST' });
  const answer = await fetch(`${stream}/_search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      size: 0,
      query: { term: { 'fluentd.tag': tag } },
      aggs: { numbers: { terms: { field: 'attributes.n', size: 2 * MESSAGES } } },
    }),
  });
  // The data stream is made by the first document.
  if (answer.status === 404) return new Map();
  const found = (await answer.json()) as Found;
  return new Map(found.aggregations.numbers.buckets.map(({ key, doc_count: count }) => [Number(key), count]));
}

function checkOnce(counts: ReadonlyMap<number, number>, end: number, times: (n: number) => number): void {
  const wrong = Array.from({ length: end }, (_, n) => n).filter((n) => (counts.get(n) ?? 0) !== times(n));
  const shown = wrong.slice(0, 10).map((n) => `${n}: ${counts.get(n) ?? 0}`);
  assert.equal(wrong.length, 0, `so often in the store: ${shown.join(', ')}`);
  assert.equal(counts.size, end);
}

suite('topics of others', { skip }, () => {
  test('are read once, by indexers that are killed and join, also when the topic is made anew', async () => {
    const own = ownTopic(broker?.brokers);
    const name = `${own.SLUICE_KAFKA_TOPIC}.foreign`;
    const environment = {
      ...own,
      SLUICE_KAFKA_PARTITIONS: '2',
      SLUICE_ELASTICSEARCH_URL: store?.url ?? '',
      SLUICE_BULK_TIMEOUT_MS: '2000',
      SLUICE_KAFKA_SOURCES: JSON.stringify([
        { pattern: `${name}.*`, format: 'json', time: { field: 'ts', format: 'ms' }, keep: ['key'] },
        { topic: `${name}-never`, format: 'text' },
      ]),
    };
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

      const first = await indexer();
      await using second = await indexer();
      await first.until(async () => (await countsOf(name)).size > 0);
      await first.kill();
      await using third = await indexer();
      await topic.write(MESSAGES / 2, MESSAGES);
      await second.until(async () => (await lagOf(name, environment)).records === 0);
      checkOnce(await countsOf(name), MESSAGES, () => 1);

      await topic.remove();
      await second.until(() =>
        topic.make().then(
          () => true,
          () => false,
        ),
      );
      // The same as before in all but the topic's id, and beyond where the old one was read to nothing.
      const again = MESSAGES / 10;
      await topic.write(0, again);
      const caughtUp = async (): Promise<boolean> => (await lagOf(name, environment)).records === 0;
      await second.until(async () => (await countsOf(name)).get(again - 1) === 2 && (await caughtUp()));
      checkOnce(await countsOf(name), MESSAGES, (n) => (n < again ? 2 : 1));

      await topic.write(MESSAGES, MESSAGES + again);
      const drain = await sluice(['indexer', '--drain', '--max-seconds', '55'], null, environment);
      assert.equal(drain.code, 0, drain.stderr);
      checkOnce(await countsOf(name), MESSAGES + again, (n) => (n < again ? 2 : 1));
      for (const { code, stdout } of await Promise.all([second.stop(), third.stop()])) assert.equal(code, 0, stdout);
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
