// A forwarder and an indexer as two processes each, on one machine: they share the work and have one admin page; one
// that is killed and all that are replaced under load cost no event, and no connection is refused.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { NumberedLoad, numbersInElasticsearch } from '../parts/numbered-load.ts';
import { ownTopic, quickCommits } from '../parts/own-topic.ts';
import { type Environment, newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const broker = await kafka();
const server = await elasticsearch();
const url = server?.url ?? '';

/** Processes that this one has started and that run. */
function childrenOf({ pid }: SluiceProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

/** Rows of a metric by the label `worker`. */
async function byWorker({ admin }: Place, name: string): Promise<number[]> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  return Array.from(text.matchAll(new RegExp(`^sluice_${name}\\{worker="\\d+"\\} (\\d+)$`, 'gm')), ([, n]) =>
    Number(n),
  );
}

function assertShared(shares: readonly number[]): void {
  const sum = shares.reduce((total, n) => total + n, 0);
  assert.equal(shares.length, 2);
  assert(Math.max(...shares) <= 0.6 * sum, `the work is shared 60/40 or better: ${shares.join()}`);
}

/**
 * Connects again and again until it is told to end; resolves to the connections that were taken. Rejects when one is
 * not.
 */
async function connecting(port: number, signal: AbortSignal): Promise<number> {
  let taken = 0;
  for (; !signal.aborted; taken++) {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.destroy();
    await delay(2);
  }
  return taken;
}

async function newTopic(): Promise<Environment> {
  const environment = {
    ...ownTopic(broker?.brokers),
    SLUICE_KAFKA_PARTITIONS: '4',
    SLUICE_ELASTICSEARCH_URL: url,
    ...quickCommits,
  };
  const setup = await sluice(['setup'], null, environment);
  assert.equal(setup.code, 0, setup.stderr);
  return environment;
}

interface Running {
  readonly forwarder: SluiceProcess;
  readonly indexer: SluiceProcess;
  readonly atForwarder: Place;
  readonly load: NumberedLoad;
}

async function sharesWork({ forwarder, indexer, atForwarder }: Running): Promise<void> {
  // As many chunks as make chance alone small: a share of 60 % is then six standard deviations from half.
  await forwarder.until(async () => (await forwarder.metric('events_received_total')) >= 10_000);
  assertShared(await byWorker(atForwarder, 'worker_events'));
  assert.equal(await forwarder.metric('workers'), 2);
  assert.equal(await forwarder.metric('connections'), 32);
  assert.equal(await indexer.metric('indexer_partitions'), 4);
}

async function replacesEach(t: TestContext, { forwarder, indexer, atForwarder, load }: Running): Promise<void> {
  load.rate = 100;
  const former = childrenOf(forwarder);
  const formerIndexers = childrenOf(indexer);
  const ending = new AbortController();
  const taken = connecting(atForwarder.forward, ending.signal);
  const received = await forwarder.metric('events_received_total');
  process.kill(forwarder.pid ?? 0, 'SIGHUP');
  await forwarder.until(async () => (await forwarder.metric('worker_restarts_total')) === 2);
  ending.abort();
  t.diagnostic(`${await taken} connections were taken meanwhile, none was refused`);
  assert((await forwarder.metric('events_received_total')) >= received, 'what was counted stays counted');
  const present = childrenOf(forwarder);
  assert.equal(present.length, 2);
  assert(present.every((pid) => !former.includes(pid)));
  assert.equal((await forwarder.readiness()).reasons, '');

  process.kill(indexer.pid ?? 0, 'SIGHUP');
  await indexer.until(async () => (await indexer.metric('worker_restarts_total')) === 2);
  assert(childrenOf(indexer).every((pid) => !formerIndexers.includes(pid)));
}

async function startsAgain({ forwarder, indexer }: Running): Promise<void> {
  const [ofForwarder = 0] = childrenOf(forwarder);
  process.kill(ofForwarder, 'SIGKILL');
  await forwarder.until(async () => (await forwarder.metric('worker_restarts_total')) === 3);
  const [ofIndexer = 0] = childrenOf(indexer);
  process.kill(ofIndexer, 'SIGKILL');
  await indexer.until(async () => (await indexer.metric('worker_restarts_total')) === 3);
  await forwarder.ready();
  await indexer.ready();
}

suite('two workers', { skip: broker && server ? false : 'SKIPPED: no Kafka or no Elasticsearch' }, () => {
  test('share the work; a kill and a replacement under load lose nothing', async (t) => {
    const environment = await newTopic();
    t.after(() => removeTopics(loadConfig({ env: environment, readFile: () => '' })));
    await using atForwarder = await newPlace();
    await using atIndexer = await newPlace();
    await using forwarder = await new SluiceProcess(['forwarder', '--workers', '2'], atForwarder, environment).ready();
    await using indexer = await new SluiceProcess(['indexer'], atIndexer, {
      ...environment,
      SLUICE_WORKERS: '2',
    }).ready();
    // Connections of one moment go to whichever worker is quicker; those that come one by one go to each in turn. With
    // so many, a few that go to the quicker one after all, on a busy machine, do not decide the share.
    await using load = new NumberedLoad(atForwarder.forward, {
      connections: 32,
      eventsPerChunk: 10,
      messageBytes: 200,
      connectGapMs: 25,
    });
    load.rate = 400;

    const running = { forwarder, indexer, atForwarder, load };
    await t.test('one page has the sum, and shows how the work is shared', () => sharesWork(running));
    await t.test('SIGHUP replaces each; connections are taken all the time', () => replacesEach(t, running));
    await t.test('one that is killed is started again', () => startsAgain(running));

    await load.end();
    assert.equal(load.acked.length, load.sent);
    await indexer.until(async () => {
      const lag = await sluice(['lag', '--json', '--max-records', '0'], null, environment);
      return lag.code === 0;
    });
    assert.deepEqual(
      await numbersInElasticsearch(url, load.tags),
      Array.from({ length: load.sent }, (_, n) => n),
    );
    for (const service of [forwarder, indexer]) {
      const { code, stderr } = await service.stop();
      assert.equal(code, 0, stderr);
    }
  });

  test('a connection that was on its way to a worker that is killed is closed, so that its sender comes again', async (t) => {
    const environment = await newTopic();
    t.after(() => removeTopics(loadConfig({ env: environment, readFile: () => '' })));
    await using place = await newPlace();
    await using forwarder = await new SluiceProcess(['forwarder', '--workers', '2'], place, environment).ready();
    const [frozen = 0] = childrenOf(forwarder);
    // It is given a connection, and can't say that it has taken it.
    process.kill(frozen, 'SIGSTOP');
    await using load = new NumberedLoad(place.forward, { connections: 4, eventsPerChunk: 1, messageBytes: 10 });
    load.rate = 100;
    const page = await forwarder.readiness();
    assert.equal(page.reasons, 'worker 1: it does not answer\n');
    assert(load.unacked > 0, 'a sender waits');
    process.kill(frozen, 'SIGKILL');
    await load.end();
    assert.equal(load.acked.length, load.sent);
    assert.equal((await forwarder.stop()).code, 0);
  });

  test('a mistake ends them all, as it ends one', async () => {
    await using place = await newPlace();
    const embedded = await sluice(['forwarder', '--workers', '2'], place);
    assert.equal(embedded.code, 2);
    assert.match(
      embedded.stderr,
      /^sluice: Cannot run 2 workers: the embedded queue belongs to one process; set SLUICE_KAFKA_BROKERS$/m,
    );
    const inherited = await sluice(['forwarder', '--workers', '2'], place, {
      SLUICE_KAFKA_BROKERS: broker?.brokers.join() ?? '',
      SLUICE_FORWARD_LISTEN: `fd:3@127.0.0.1:${place.forward}`,
    });
    assert.equal(inherited.code, 2);
    assert.match(
      inherited.stderr,
      /^sluice: Cannot run 2 workers: systemd's sockets .* give SLUICE_FORWARD_LISTEN an/m,
    );
    const none = await sluice(['forwarder', '--workers', '0'], place);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /Cannot run "0" workers/);
    const environment = { SLUICE_KAFKA_BROKERS: broker?.brokers.join() ?? '', SLUICE_USERS: '/does/not/exist' };
    const missing = await sluice(['forwarder', '--workers', '2'], place, environment);
    assert.equal(missing.code, 2, missing.stderr);
    assert.equal(missing.stderr.match(/^sluice: /gm)?.length, 1, missing.stderr);
  });
});
