// Kafka goes away under load from senders that wait for their acks: the acks go on, from the spool; when Kafka is back
// the spool drains faster than events come in, and all of them are in Elasticsearch once, also when the forwarder was
// killed meanwhile.
//
//   SLUICE_TEST_KAFKA_AWAY_SECONDS=600   for how long Kafka is away; 20 if unset

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { privateKafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { field, inElasticsearch, untilStored } from '../parts/documents.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const awaySeconds = Number(process.env['SLUICE_TEST_KAFKA_AWAY_SECONDS'] || 20);
const eventsPerChunk = 50;
const chunksPerSecond = 40;
const shared = await elasticsearch();
const skip =
  spawnSync('mvn', ['--version']).status !== 0
    ? 'SKIPPED: no mvn to start a Kafka that may be stopped'
    : shared === null && 'SKIPPED: no Elasticsearch';

suite('Kafka away under load', { skip }, () => {
  test(`for ${awaySeconds} s: acks go on, the spool drains, all is there once`, async () => {
    await using world = await startWorld();
    const { forwarder, broker, load } = world;
    await delay(2000);
    await broker.kill();
    const before = load.acked;
    await delay((awaySeconds * 1000) / 2);
    const half = load.acked;
    assert.ok(half > before, 'acks go on');
    await delay((awaySeconds * 1000) / 2);
    const spooled = await forwarder.metric('events_spooled');
    assert.ok(load.acked > half, 'acks go on');
    assert.equal(await forwarder.metric('ledger_imbalance'), 0);
    assert.equal((await forwarder.readiness()).ready, true, 'the forwarder takes events');

    await broker.start();
    const drain = await world.drained();
    console.log(
      `${load.acked} events acked, ${load.acked - before} of them while Kafka was away; ${spooled} in the spool when it came back, ` +
        `drained in ${drain.seconds.toFixed(1)} s: ${drain.produced} out, ${drain.received} in`,
    );
    assert.ok(drain.produced >= 2 * drain.received, 'it drains at twice the rate that events come in');
    await load.end();
    await world.checkStored();
    assert.equal(await forwarder.metric('ledger_imbalance'), 0);
    assert.equal(await forwarder.metric('events_dropped_total'), 0);
    const received = await forwarder.metric('events_received_total');
    assert.equal(
      await forwarder.metric('events_produced_total'),
      received - (await forwarder.metric('events_rejected_total')),
    );
  });

  test('and the forwarder killed, twice: what it had acked is fed by the next one', async () => {
    await using world = await startWorld();
    const { broker, load } = world;
    await delay(1000);
    await broker.kill();
    await delay(5000);
    await world.restartForwarder();
    await delay(3000);
    assert.ok((await world.forwarder.metric('events_spooled')) > 0, 'it counts what it found');
    await broker.start();
    // In the middle of feeding, if it can be met.
    await world.forwarder.until(async () => (await world.forwarder.metric('events_produced_total')) > 0);
    await world.restartForwarder();
    await world.drained();
    await load.end();
    await world.checkStored();
    assert.equal(await world.forwarder.metric('ledger_imbalance'), 0);
  });

  test('at the start: a forwarder that has never seen Kafka takes events', async () => {
    await using broker = await privateKafka();
    await using place = await newPlace();
    const environment = environmentOf(broker.brokers, { SLUICE_KAFKA_PARTITIONS: '3' });
    await using forwarder = await new SluiceProcess(['forwarder'], place, environment).ready();
    await using load = new Load(place.forward);
    await load.until(1000);
    await broker.start();
    const setup = await sluice(['setup'], place, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await forwarder.until(async () => (await forwarder.metric('events_produced_total')) >= 1000);
    await load.end();
    await forwarder.until(async () => (await forwarder.metric('events_inflight')) === 0);
    const cat = await sluice(['cat'], place, environment);
    assert.equal(cat.code, 0, cat.stderr);
    const numbers = new Set([...cat.stdout.matchAll(/"n":(\d+)/g)].map((match) => Number(match[1])));
    assert.equal(numbers.size, load.sent);
    const { code, stderr } = await forwarder.stop();
    assert.equal(code, 0, stderr);
    assert.ok(existsSync(join(place.dataDir, 'spool', 'topic.json')), 'remembers the topic');
  });
});

function environmentOf(brokers: readonly string[], more: Environment = {}): Environment {
  return {
    ...ownTopic(brokers),
    SLUICE_KAFKA_PARTITIONS: '4',
    ...more,
  };
}

/** Senders that wait for each ack, at a steady rate together. */
class Load implements AsyncDisposable {
  readonly tag = `app.spool.${randomBytes(3).toString('hex')}`;
  sent = 0;
  acked = 0;
  readonly #client: ForwardClient;
  readonly #sending = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  #isOver = false;

  constructor(port: number) {
    this.#client = new ForwardClient(port);
    this.#loop = this.#run();
  }

  /** Resolves when so many events are acked. */
  async until(events: number): Promise<void> {
    while (this.acked < events) await delay(20);
  }

  /** Sends no more; resolves when all is acked. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    await Promise.all(this.#sending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    await this.#client[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const first = this.sent;
      const events = Array.from({ length: eventsPerChunk }, (_, i) => ({
        timeNs: BigInt(Date.now()) * 1_000_000n,
        record: { message: 'x'.repeat(80), n: first + i },
      }));
      this.sent += eventsPerChunk;
      const sending = this.#client.send(this.tag, events, 'packed').then(() => {
        this.acked += eventsPerChunk;
        this.#sending.delete(sending);
      });
      this.#sending.add(sending);
      await delay(1000 / chunksPerSecond);
    }
  }
}

/** A Kafka that may be killed, a forwarder, an indexer, and a load. */
async function startWorld() {
  assert.ok(shared);
  await using starting = new AsyncDisposableStack();
  const broker = starting.use(await privateKafka());
  await broker.start();
  const environment = environmentOf(broker.brokers, { SLUICE_ELASTICSEARCH_URL: shared.url });
  const place = starting.use(await newPlace());
  const atIndexer = starting.use(await newPlace());
  const setup = await sluice(['setup'], place, environment);
  assert.equal(setup.code, 0, setup.stderr);
  const forwarder = starting.use(await new SluiceProcess(['forwarder'], place, environment).ready());
  const indexer = starting.use(await new SluiceProcess(['indexer'], atIndexer, environment).ready());
  const load = starting.use(new Load(place.forward));
  const stack = starting.move();

  return {
    broker,
    load,
    forwarder,
    /** Kills the forwarder and starts another one in its place. */
    async restartForwarder() {
      await this.forwarder.kill();
      this.forwarder = stack.use(await new SluiceProcess(['forwarder'], place, environment).ready());
    },
    drained() {
      return drained(this.forwarder);
    },
    checkStored: () => checkStored(indexer, load, shared.url),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Waits until the spool is empty; resolves to what came in and went out meanwhile. */
async function drained(forwarder: SluiceProcess): Promise<{ seconds: number; received: number; produced: number }> {
  const sample = async () => ({
    atMs: performance.now(),
    received: await forwarder.metric('events_received_total'),
    produced: await forwarder.metric('events_produced_total'),
  });
  // Kafka is there again when the first events arrive there.
  let began = await sample();
  await forwarder.until(async () => {
    const now = await sample();
    if (now.produced > began.produced) return true;
    began = now;
    return false;
  });
  await forwarder.until(async () => (await forwarder.metric('events_spooled')) === 0);
  const ended = await sample();
  return {
    seconds: (ended.atMs - began.atMs) / 1000,
    received: ended.received - began.received,
    produced: ended.produced - began.produced,
  };
}

/** All that was acked is in the store, once. */
async function checkStored(indexer: SluiceProcess, load: Load, url: string): Promise<void> {
  // Not by what the indexer counts: events that were in flight in a rebalance are abandoned, and deduplicated later.
  const documents = await untilStored(inElasticsearch(url), load.tag, load.sent);
  const numbers = documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    Array.from({ length: load.sent }, (_, n) => n),
  );
  await indexer.until(async () => (await indexer.metric('events_inflight')) === 0);
  assert.equal(await indexer.metric('ledger_imbalance'), 0);
  assert.equal(await indexer.metric('events_dead_lettered_total'), 0);
}
