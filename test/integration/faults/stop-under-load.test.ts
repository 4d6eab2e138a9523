// SIGTERM in the middle of a full load, to an indexer with a backlog and to a forwarder whose senders send as fast as
// they are acked: both end in time with exit code 0, no ack was false, and whoever comes next goes on where they
// stopped. And SIGTERM while Kafka is frozen: it holds its connections and answers nothing. What it did not take is in
// the spool, so that stop is in order, too.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka, privateKafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { NumberedLoad, numbersInElasticsearch } from '../parts/numbered-load.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const broker = await kafka();
const server = await elasticsearch();
const BACKLOG = 20_000;
const STOP_MS = 10_000;

/** Numbers of the events that Kafka holds, those that it holds twice twice. */
async function numbersInKafka(environment: Environment): Promise<number[]> {
  const { code, stdout, stderr } = await sluice(['cat'], null, environment);
  assert.equal(code, 0, stderr);
  return Array.from(stdout.matchAll(/"n":(\d+)/g), ([, n]) => Number(n));
}

/** What an indexer or forwarder says of itself at its end. */
function lastWords(stderr: string, event: string): Words {
  const line = stderr.split('\n').find((text) => text.includes(`"${event}"`));
  assert(line, `${event} is in the log:\n${stderr}`);
  return JSON.parse(line) as Words;
}

type Words = Record<string, number>;
type Tell = (line: string) => void;

/** Starts an indexer over the backlog and stops it in the middle; resolves to its last words. */
async function stoppedIndexer(place: Place, environment: Environment, load: NumberedLoad, tell: Tell): Promise<Words> {
  await using indexer = await new SluiceProcess(['indexer'], place, environment).ready();
  await indexer.until(async () => (await indexer.metric('events_indexed_total')) > 0);
  const { code, stderr, tookMs } = await indexer.stop();
  assert.equal(code, 0, stderr);
  assert(tookMs < STOP_MS);
  const words = lastWords(stderr, 'indexer_stopped');
  assert.equal(words['imbalance'], 0);
  tell(`indexer: stopped in ${Math.round(tookMs)} ms, ${words['indexed']} of ${load.sent} indexed`);
  return words;
}

/** Stops a forwarder whose senders send as fast as they are acked. */
async function stopForwarder(
  forwarder: SluiceProcess,
  environment: Environment,
  load: NumberedLoad,
  tell: Tell,
): Promise<void> {
  load.rate = Infinity;
  const before = load.sent;
  await forwarder.until(() => Promise.resolve(load.sent >= before + BACKLOG));
  const { code, tookMs, stderr } = await forwarder.stop();
  assert.equal(code, 0, stderr);
  assert(tookMs < STOP_MS);
  assert.equal(lastWords(stderr, 'forwarder_stopped')['events_in_flight'], 0);
  const acked = [...load.acked];
  const held = new Set(await numbersInKafka(environment));
  const missing = acked.filter((n) => !held.has(n));
  assert.deepEqual(missing, [], 'all that was acked is in Kafka');
  tell(
    `forwarder: stopped in ${Math.round(tookMs)} ms; ${acked.length} events acked, ${load.unacked} chunks not; ` +
      `${held.size - acked.length} events stored whose ack nobody received`,
  );
}

/** Waits until the second indexer has settled what the first left, and all is committed. */
async function goesOnAfter(first: Words, second: SluiceProcess, environment: Environment): Promise<void> {
  const inKafka = (await numbersInKafka(environment)).length;
  const drained = async (): Promise<boolean> =>
    (await second.metric('events_consumed_total')) + (first['consumed'] ?? 0) >= inKafka &&
    (await second.metric('events_inflight')) === 0;
  await second.until(drained);
  const consumed = await second.metric('events_consumed_total');
  const settled = (first['indexed'] ?? 0) + (first['deduplicated'] ?? 0);
  // A backlog at its start delays commits. What the first could not commit before its stop is read again, and is found
  // in the store.
  assert(settled + consumed >= inKafka, 'the second goes on where the first had committed, and passes nothing over');
  const isCommitted = async (): Promise<boolean> =>
    (await sluice(['lag', '--json', '--max-records', '0'], null, environment)).code === 0;
  await second.until(isCommitted);
}

suite('SIGTERM under full load', { skip: broker && server ? false : 'SKIPPED: no Kafka or no Elasticsearch' }, () => {
  test('indexer and forwarder end in time, and nothing is lost or twice', async (t) => {
    const tell = (line: string): void => t.diagnostic(line);
    const url = server?.url ?? '';
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_KAFKA_PARTITIONS: '4',
      SLUICE_ELASTICSEARCH_URL: url,
      // What is in hand at the stop is a part of the backlog.
      SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '2MiB',
      // A backlog at an assignment delays commits for so long.
      SLUICE_BULK_TIMEOUT_MS: '5000',
    };
    await using atForwarder = await newPlace();
    await using atIndexer = await newPlace();
    const setup = await sluice(['setup'], null, environment);
    assert.equal(setup.code, 0, setup.stderr);
    t.after(() => removeTopics(loadConfig({ env: environment, readFile: () => '' })));

    await using forwarder = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
    await using load = new NumberedLoad(atForwarder.forward, {
      connections: 16,
      eventsPerChunk: 50,
      messageBytes: 200,
    });
    load.rate = Infinity;
    await forwarder.until(async () => (await forwarder.metric('events_produced_total')) >= BACKLOG);
    load.rate = 50;

    const ofFirst = await stoppedIndexer(atIndexer, environment, load, tell);
    await stopForwarder(forwarder, environment, load, tell);

    await using _next = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
    load.rate = 50;
    await using second = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
    await load.end();
    assert.equal(load.acked.length, load.sent);
    await goesOnAfter(ofFirst, second, environment);
    assert.equal((await second.stop()).code, 0);
    assert.deepEqual(
      await numbersInElasticsearch(url, load.tags),
      Array.from({ length: load.sent }, (_, n) => n),
    );
  });
});

const noKafka = spawnSync('mvn', ['--version']).status !== 0 && 'SKIPPED: no mvn to start a Kafka that may be frozen';

suite('Kafka frozen at the end', { skip: noKafka }, () => {
  for (const command of ['forwarder', 'run']) {
    test(`sluice ${command} exits with 0, and feeds what it holds at its next start`, async () => {
      await using broker = await privateKafka();
      await broker.start();
      await using place = await newPlace();
      const environment = ownTopic(broker.brokers);
      const setup = await sluice(['setup'], place, environment);
      assert.equal(setup.code, 0, setup.stderr);
      {
        await using service = await new SluiceProcess([command], place, environment).ready();
        await using client = new ForwardClient(place.forward);
        await client.send('app.frozen', eventsFrom(0), 'packed');
        broker.freeze();
        for (const first of [10, 20, 30]) await client.send('app.frozen', eventsFrom(first), 'packed');
        const { code, stderr } = await service.stop();
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stderr, /stop_overdue/);
      }
      broker.thaw();
      await using next = await new SluiceProcess(['forwarder'], place, environment).ready();
      await next.until(async () => (await next.metric('events_spooled')) === 0);
      const { stdout } = await sluice(['cat'], place, environment);
      const numbers = new Set([...stdout.matchAll(/"n":(\d+)/g)].map((match) => Number(match[1])));
      assert.equal(numbers.size, 40);
    });
  }
});

function eventsFrom(first: number) {
  return Array.from({ length: 10 }, (_, i) => ({
    timeNs: BigInt(Date.now()) * 1_000_000n,
    record: { message: 'x', n: first + i },
  }));
}
