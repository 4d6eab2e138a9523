// SIGTERM in the middle of a full load, to an indexer with a backlog and to a forwarder whose senders send as fast as
// they are acked: both end in time with exit code 0, no ack was false, and whoever comes next goes on where they
// stopped.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { NumberedLoad, numbersInElasticsearch } from '../parts/numbered-load.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

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
function lastWords(stderr: string, event: string): Record<string, number> {
  const line = stderr.split('\n').find((text) => text.includes(`"${event}"`));
  assert(line, `${event} is in the log:\n${stderr}`);
  return JSON.parse(line) as Record<string, number>;
}

suite('SIGTERM under full load', { skip: broker && server ? false : 'SKIPPED: no Kafka or no Elasticsearch' }, () => {
  test('indexer and forwarder end in time, and nothing is lost or twice', async (t) => {
    const url = server?.url ?? '';
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_KAFKA_PARTITIONS: '4',
      SLUICE_ELASTICSEARCH_URL: url,
      // What is in hand at the stop is a part of the backlog.
      SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '2MiB',
      // A backlog at an assignment holds commits for so long.
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

    await using first = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
    await first.until(async () => (await first.metric('events_indexed_total')) > 0);
    const firstStopped = await first.stop();
    assert.equal(firstStopped.code, 0, firstStopped.stderr);
    assert(firstStopped.tookMs < STOP_MS);
    const ofFirst = lastWords(firstStopped.stderr, 'indexer_stopped');
    assert.equal(ofFirst['imbalance'], 0);
    t.diagnostic(
      `indexer: stopped in ${Math.round(firstStopped.tookMs)} ms, ${ofFirst['indexed']} of ${load.sent} indexed`,
    );

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
    t.diagnostic(
      `forwarder: stopped in ${Math.round(tookMs)} ms; ${acked.length} events acked, ${load.unacked} chunks not; ` +
        `${held.size - acked.length} events held that no ack was heard of`,
    );

    await using _next = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
    load.rate = 50;
    await using second = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
    await load.end();
    assert.equal(load.acked.length, load.sent);
    const inKafka = (await numbersInKafka(environment)).length;
    const drained = async (): Promise<boolean> =>
      (await second.metric('events_consumed_total')) + (ofFirst['consumed'] ?? 0) >= inKafka &&
      (await second.metric('events_inflight')) === 0;
    await second.until(drained);
    const consumed = await second.metric('events_consumed_total');
    const settled = (ofFirst['indexed'] ?? 0) + (ofFirst['deduplicated'] ?? 0);
    // What the first stopped with before it could commit (a backlog at its start holds its commits) is read again, and
    // found there.
    assert(settled + consumed >= inKafka, 'the second goes on where the first had committed, and passes nothing over');
    const isCommitted = async (): Promise<boolean> =>
      (await sluice(['lag', '--json', '--max-records', '0'], null, environment)).code === 0;
    await second.until(isCommitted);
    assert.equal((await second.stop()).code, 0);
    assert.deepEqual(
      await numbersInElasticsearch(url, load.tags),
      Array.from({ length: load.sent }, (_, n) => n),
    );
  });
});
