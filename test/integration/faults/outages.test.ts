// What is behind Sluice goes away and comes back: nothing lost, nothing twice, nobody restarts Sluice.
//
//   SLUICE_TEST_ELASTICSEARCH_AWAY_SECONDS=60   for how long Elasticsearch is away; 15 if unset

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka, privateKafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { field, inElasticsearch, untilStored } from '../parts/documents.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const outageMs = 1000 * Number(process.env['SLUICE_TEST_ELASTICSEARCH_AWAY_SECONDS'] || 15);
const shared = await kafka();
const noJars =
  spawnSync('mvn', ['--version']).status === 0 ? null : 'SKIPPED: no mvn to start a server that may be stopped';

function environmentOf(brokers: readonly string[], more: Environment = {}): Environment {
  return {
    ...ownTopic(brokers),
    SLUICE_KAFKA_PARTITIONS: '2',
    ...more,
  };
}

const events = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    timeNs: BigInt(Date.now()) * 1_000_000n,
    record: { message: `event ${first + i}`, n: first + i },
  }));

suite('Elasticsearch', { skip: noJars ?? (shared ? false : 'SKIPPED: no Kafka') }, () => {
  test('down under load, killed, then back', async () => {
    await using elasticsearch = await privateElasticsearch();
    await elasticsearch.start();
    const environment = environmentOf(shared?.brokers ?? [], { SLUICE_ELASTICSEARCH_URL: elasticsearch.url });
    await using atForwarder = await newPlace();
    await using atIndexer = await newPlace();
    const setup = await sluice(['setup'], atForwarder, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await using forwarder = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
    await using indexer = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
    await using client = new ForwardClient(atForwarder.forward);

    let sent = 0;
    const sendFor = async (ms: number): Promise<void> => {
      for (const end = performance.now() + ms; performance.now() < end; await delay(5)) {
        await client.send('app.outage', events(sent, 20), 'packed');
        sent += 20;
      }
    };
    await sendFor(1500);
    const load = sendFor(outageMs + 2000);
    await elasticsearch.kill();
    await delay(outageMs);
    const heldBack = sent;
    await elasticsearch.start();
    await load;

    const documents = await untilStored(inElasticsearch(elasticsearch.url), 'app.outage', sent);
    const numbers = documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
    console.log(`${sent} events acked, ${heldBack} of them by the end of the outage; ${numbers.length} documents`);
    assert.deepEqual(
      numbers,
      Array.from({ length: sent }, (_, n) => n),
    );
    await indexer.until(async () => (await indexer.metric('events_inflight')) === 0);
    assert.equal(await indexer.metric('ledger_imbalance'), 0);
    assert.equal(await forwarder.metric('ledger_imbalance'), 0);
    assert.equal(await indexer.metric('events_dead_lettered_total'), 0);
    for (const program of [forwarder, indexer]) {
      const stopped = await program.stop();
      assert.equal(stopped.code, 0, stopped.stderr);
    }
  });
});

suite('Kafka', { skip: noJars ?? false }, () => {
  test('without a spool: down at the start, then up, then killed and up again', async () => {
    await using broker = await privateKafka();
    const environment = environmentOf(broker.brokers, { SLUICE_SPOOL: 'false' });
    await using place = await newPlace();
    await using forwarder = new SluiceProcess(['forwarder'], place, environment);
    await forwarder.until(async () => (await forwarder.readiness()).reasons !== '');
    const { reasons } = await forwarder.readiness();
    assert.ok(reasons.includes(broker.brokers.join()), `says which broker it cannot reach: ${reasons}`);

    await using client = new ForwardClient(place.forward);
    let acked = 0;
    const early = client.send('app.kafka', events(0, 10), 'packed').then(() => (acked += 10));
    const posted = fetch(`http://127.0.0.1:${place.http}/app.kafka`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"message":"early"}',
    });
    const refusal = await posted;
    assert.equal(refusal.status, 503);
    assert.ok(refusal.headers.get('retry-after'), 'Retry-After');
    assert.equal(acked, 0, 'nothing is acked before Kafka has it');

    await broker.start();
    const setup = await sluice(['setup'], place, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await early;
    await forwarder.ready();
    assert.equal(acked, 10);

    await broker.kill();
    const late = client.send('app.kafka', events(10, 10), 'packed').then(() => (acked += 10));
    await delay(3000);
    assert.equal(acked, 10, 'nothing is acked while Kafka is away');
    await broker.start();
    await late;
    await forwarder.ready();
    assert.equal(acked, 20);

    const cat = await sluice(['cat'], place, environment);
    assert.equal(cat.code, 0, cat.stderr);
    const found = new Set(Array.from({ length: 20 }, (_, n) => n).filter((n) => cat.stdout.includes(`event ${n}"`)));
    assert.equal(found.size, 20, 'all that was acked is in Kafka');
    const stopped = await forwarder.stop();
    assert.equal(stopped.code, 0, stopped.stderr);
  });
});
