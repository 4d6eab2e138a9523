// The main job: a line that a real container prints, through Docker's own fluentd driver, is one document in the store,
// whole and in order: through a real Kafka into a real Elasticsearch, and all in one process.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { runContainer, whyNoContainers } from '../parts/container.ts';
import { type Find, field, inElasticsearch, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const lineCount = 10_000;
/** Around Docker's split at 16 KiB, and more than two parts. */
const longLineBytes = [16_383, 16_384, 16_385, 40_000];

const noContainers = whyNoContainers();
const unique = randomBytes(4).toString('hex');

/**
 * Prints numbered lines; then one line of each long length, of digits that count on so that a lost or doubled part
 * shows.
 */
const numbered = `awk 'BEGIN { for (i = 1; i <= ${lineCount}; i++) print "line " i }'`;
const long = longLineBytes.map((bytes) => `seq 1 20000 | tr -d '\\n' | head -c ${bytes}; echo`).join('; ');
const digits = Array.from({ length: 20_000 }, (_, i) => i + 1).join('');

async function numberedLines(find: Find, port: number, name: string, options?: Record<string, string>) {
  const tag = `docker.${unique}.${name}`;
  const since = performance.now();
  const stored = () => untilStored(find, tag, lineCount);
  const acked = options?.['request-ack'] === 'true';
  const log = await runContainer({
    script: numbered,
    port,
    tag,
    ...(acked && { until: stored }),
    ...(options && { options }),
  });
  const documents = await stored();
  console.log(`${name}: all was stored ${Math.round(performance.now() - since)} ms after the start of the container`);
  assert.deepEqual(
    texts(documents, 'message'),
    Array.from({ length: lineCount }, (_, i) => `line ${i + 1}`),
    'every line once, in order of @timestamp and event.sequence',
  );
  for (const document of documents) {
    assert.equal(field(document, 'container.id'), log.id);
    assert.equal(field(document, 'stream'), 'stdout');
  }
  return { documents, log };
}

async function longLines(find: Find, port: number, name: string, options?: Record<string, string>): Promise<void> {
  const tag = `docker.${unique}.${name}`;
  await runContainer({ script: long, port, tag, ...(options && { options }) });
  const documents = await untilStored(find, tag, longLineBytes.length);
  assert.deepEqual(
    texts(documents, 'message').map((message) => message.length),
    longLineBytes,
  );
  for (const message of texts(documents, 'message')) assert.ok(message === digits.slice(0, message.length), 'whole');
}

const realKafka = await kafka();
const realElasticsearch = await elasticsearch();
const missing = [realKafka ? null : 'no Kafka', realElasticsearch ? null : 'no Elasticsearch', noContainers].filter(
  (reason) => reason !== null,
);

suite(
  'through Kafka into Elasticsearch',
  { skip: missing.length > 0 ? `SKIPPED: ${missing.join(', ')}` : false },
  () => {
    const environment: Environment = {
      ...ownTopic(realKafka?.brokers),
      SLUICE_KAFKA_PARTITIONS: '4',
      SLUICE_ELASTICSEARCH_URL: realElasticsearch?.url ?? '',
    };
    const find = inElasticsearch(realElasticsearch?.url ?? '');
    const started = new AsyncDisposableStack();
    let port = 0;

    before(async () => {
      const atForwarder = started.use(await newPlace());
      const atIndexer = started.use(await newPlace());
      const setup = await sluice(['setup'], atForwarder, environment);
      assert.equal(setup.code, 0, setup.stderr);
      const forwarder = started.use(new SluiceProcess(['forwarder'], atForwarder, environment));
      const indexer = started.use(new SluiceProcess(['indexer'], atIndexer, environment));
      await Promise.all([forwarder.ready(), indexer.ready()]);
      port = atForwarder.forward;
    });
    after(() => started.disposeAsync());

    test('10,000 lines', async () => void (await numberedLines(find, port, 'plain')));
    test('10,000 lines, each acked', async () =>
      void (await numberedLines(find, port, 'ack', { 'request-ack': 'true' })));
    test('10,000 lines with nanoseconds', async () => {
      const { documents, log } = await numberedLines(find, port, 'nanoseconds', { 'sub-second-precision': 'true' });
      // Docker's own record has the time that its driver sent.
      assert.deepEqual(
        texts(documents, '@timestamp').map(nanoseconds),
        log.lines.map(({ time }) => nanoseconds(time)),
      );
    });
    test('long lines', () => longLines(find, port, 'long'));
    test('long lines, each part acked', () => longLines(find, port, 'long-ack', { 'request-ack': 'true' }));
  },
);

suite('all in one', { skip: noContainers === null ? false : `SKIPPED: ${noContainers}` }, () => {
  const started = new AsyncDisposableStack();
  let port = 0;
  let find: Find = () => Promise.resolve([]);

  before(async () => {
    const place = started.use(await newPlace());
    await started.use(new SluiceProcess(['run'], place)).ready();
    find = inEmbeddedStore(place);
    port = place.forward;
  });
  after(() => started.disposeAsync());

  test('10,000 lines', async () => void (await numberedLines(find, port, 'plain')));
  test('10,000 lines, each acked, with nanoseconds', async () => {
    const options = { 'request-ack': 'true', 'sub-second-precision': 'true' };
    const { documents, log } = await numberedLines(find, port, 'ack', options);
    assert.deepEqual(
      texts(documents, '@timestamp').map(nanoseconds),
      log.lines.map(({ time }) => nanoseconds(time)),
    );
  });
  test('long lines', () => longLines(find, port, 'long'));
  test('long lines, each part acked', () => longLines(find, port, 'long-ack', { 'request-ack': 'true' }));
});

/** A time with nine digits after the point, however many zeros were left out. */
function nanoseconds(time: string): string {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}
