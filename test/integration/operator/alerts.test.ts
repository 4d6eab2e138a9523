// A real Prometheus and two real Alertmanagers watch a real run, with all times of the rules divided by sixty:
// Elasticsearch goes away, and the lag alert names it and resolves; what cannot be indexed is told; and every query of
// every dashboard finds what it asks for.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { freePort } from '#test/backends/free-port.ts';
import { kafka, privateKafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { metricFacts } from '../../../infra/build/metrics-reference.ts';
import { dashboards } from '../../../infra/grafana/dashboards.ts';
import { type Program, Receiver, shortened, startAlertmanagers, startPrometheus } from '../parts/monitoring.ts';
import { scrape } from '../parts/scrape.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const broker = await kafka();
const store = await elasticsearch();
const programs = ['prometheus', 'prometheus-alertmanager', 'kcat'];
const absent = programs.find((program) => spawnSync(program, ['--version']).error);
const skip = absent ? `SKIPPED: no ${absent}` : broker && store ? false : 'SKIPPED: no Kafka or no Elasticsearch';

/** In front of Elasticsearch: it can be cut, as by a cable. */
async function cuttable(url: string) {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((socket) => {
    const behind = connect(Number(port), hostname);
    for (const end of [socket, behind]) {
      open.add(end);
      end.on('error', () => undefined).on('close', () => (open.delete(end), socket.destroy(), behind.destroy()));
    }
    if (isCut) socket.destroy();
    else socket.pipe(behind).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      for (const socket of open) socket.destroy();
    },
    mend: () => void (isCut = false),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const noJars =
  spawnSync('mvn', ['--version']).status === 0 ? null : 'SKIPPED: no mvn to start a Kafka that may be stopped';
const rulesOfAMinute = shortened(readFileSync('infra/prometheus/rules.yaml', 'utf8'), 60).replace(
  'vector(60)',
  'vector(10)',
);

interface Answer {
  readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
}

suite('alerts and dashboards', { skip }, () => {
  test('Elasticsearch away, poison, and what the dashboards ask', async () => {
    await using proxy = await cuttable(store?.url ?? '');
    const lagPort = await freePort();
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_KAFKA_PARTITIONS: '2',
      SLUICE_ELASTICSEARCH_URL: proxy.url,
      SLUICE_LAG_LISTEN: `127.0.0.1:${lagPort}`,
      // What had no answer is committed so much later.
      SLUICE_BULK_TIMEOUT_MS: '10000',
    };
    await using atForwarder = await newPlace();
    await using atIndexer = await newPlace();
    const setup = await sluice(['setup'], atForwarder, environment);
    assert.equal(setup.code, 0, setup.stderr);
    try {
      await using forwarder = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
      await using indexer = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
      await using _exporter = new SluiceProcess(['lag', '--serve'], null, environment);
      await using receiver = await Receiver.start();
      const [first, second] = await startAlertmanagers(receiver);
      await using _first = first;
      await using _second = second;
      const rules = rulesOfAMinute;
      const targets = {
        'sluice-forwarder': atForwarder.admin,
        'sluice-indexer': atIndexer.admin,
        'sluice-lag': lagPort,
      };
      await using prometheus = await startPrometheus({ targets, rules, alertmanagers: [first, second] });
      const query = async (expr: string): Promise<Answer['data']['result']> =>
        (await prometheus.get<Answer>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).data.result;
      const firing = async (): Promise<string[]> =>
        (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric['alertname'] ?? '');

      await using load = startLoad(atForwarder.forward);
      await indexer.until(async () => (await query('sluice:events_indexed:rate5m > 0')).length > 0);
      await indexer.until(async () => (await query('sluice:lag_late:bool == 0')).length > 0);
      // That there was no forwarder before the first scrape is over by now.
      await indexer.until(async () => (await firing()).length === 0);

      await hearsOfAnOutage(proxy, receiver);
      await hearsOfPoison(receiver, environment.SLUICE_KAFKA_TOPIC);

      await askDashboards(query);
      await tellsWhatIsWritten([atForwarder.admin, atIndexer.admin, lagPort]);
      await toldOnce(receiver, second);
      await silencesConsequences(first);
      assert.deepEqual(
        (await firing()).filter((alert) => alert !== 'SluiceLagBudgetUsed'),
        [],
      );
      await load[Symbol.asyncDispose]();
      for (const program of [forwarder, indexer]) assert.equal((await program.stop()).code, 0);
    } finally {
      await removeTopics(loadConfig({ env: environment, readFile: () => '' }));
    }
  });

  test('Kafka away: the spool is foretold to be full long before it is', { skip: noJars ?? false }, async () => {
    await using own = await privateKafka();
    await own.start();
    const environment = {
      SLUICE_KAFKA_BROKERS: own.brokers.join(),
      SLUICE_KAFKA_PARTITIONS: '2',
      SLUICE_SPOOL_MAX_BYTES: '64MiB',
    };
    await using place = await newPlace();
    const setup = await sluice(['setup'], place, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await using forwarder = await new SluiceProcess(['forwarder'], place, environment).ready();
    await using receiver = await Receiver.start();
    const [first, second] = await startAlertmanagers(receiver);
    await using _first = first;
    await using _second = second;
    const targets = { 'sluice-forwarder': place.admin };
    await using _prometheus = await startPrometheus({ targets, rules: rulesOfAMinute, alertmanagers: [first, second] });
    await using load = startLoad(place.forward, 'x'.repeat(10_000));
    await forwarder.until(async () => (await forwarder.metric('events_produced_total')) > 0);
    await own.kill();
    await receiver.hears('SluiceSpoolFilling', 'firing', 60_000);
    const share = (await forwarder.metric('spool_bytes')) / (await forwarder.metric('spool_limit_bytes'));
    assert(share < 0.5, `the spool is full to ${share}`);
    assert(!receiver.told.some((alert) => alert.name === 'SluiceSpoolFull'));
    console.log(`told with the spool full to ${(100 * share).toFixed(1)} %`);
    await own.start();
    await receiver.hears('SluiceSpoolFilling', 'resolved', 120_000);
    await load[Symbol.asyncDispose]();
    assert.equal(await forwarder.metric('ledger_imbalance'), 0);
  });
});

/** Elasticsearch is cut off: the alerts name the cause, and resolve when it is back. */
async function hearsOfAnOutage(proxy: { cut(): void; mend(): void }, receiver: Receiver): Promise<void> {
  proxy.cut();
  const late = await receiver.hears('SluiceLagOverObjective', 'firing', 60_000);
  assert.match(late.annotations['description'] ?? '', /Logs wait .*s before .*Cause: the store \(Elasticsearch\)/);
  assert.equal(late.labels['severity'], 'critical');
  console.log(`told: ${late.annotations['description']}`);
  await receiver.hears('SluiceStoreDown', 'firing', 30_000);
  proxy.mend();
  await receiver.hears('SluiceStoreDown', 'resolved', 60_000);
  await receiver.hears('SluiceLagOverObjective', 'resolved', 120_000);
}

/** A record that nobody can read becomes a dead letter, which alerts for a while. */
async function hearsOfPoison(receiver: Receiver, topic: string): Promise<void> {
  // A later version would hold its partition.
  const headers = ['-H', 'v=none', '-H', 'encoding=identity'];
  const args = ['-b', broker?.brokers.join() ?? '', '-P', '-t', topic, '-p', '0', ...headers];
  execFileSync('kcat', args, { input: 'of another time' });
  const deadLettered = await receiver.hears('SluiceDeadLetters', 'firing', 30_000);
  assert.equal(deadLettered.labels['reason'], 'record_malformed');
  await receiver.hears('SluiceDeadLetters', 'resolved', 60_000);
}

/** Sends an event every 20 ms until it is disposed of; `more` makes the events longer. */
function startLoad(port: number, more = ''): AsyncDisposable {
  const stop = new AbortController();
  const sending = (async () => {
    await using client = new ForwardClient(port);
    for (let n = 0; !stop.signal.aborted; n++) {
      const record = { message: `event ${n} ${more}` };
      await client.send(`app.alerts${n % 5}`, [{ timeNs: BigInt(Date.now()) * 1_000_000n, record }], 'packed');
      await delay(20);
    }
  })();
  // A failure is told at the end, unless the test has failed before.
  sending.catch(() => undefined);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await sending;
    },
  };
}

/** Each query is valid, and finds something unless its panel says that it need not. */
async function askDashboards(query: (expr: string) => Promise<readonly unknown[]>): Promise<void> {
  let asked = 0;
  for (const { title, rows } of dashboards) {
    for (const panel of rows.flatMap((row) => row.panels)) {
      for (const { expr } of panel.queries) {
        const concrete = expr.replaceAll(/\$(?:namespace|tenant)/g, '.*').replaceAll('$__rate_interval', '30s');
        const found = await query(concrete);
        assert(found.length > 0 || panel.mayBeEmpty, `${title}, ${panel.title}: nothing for ${concrete}`);
        asked++;
      }
    }
  }
  console.log(`${asked} queries of ${dashboards.length} dashboards`);
}

/** What the processes tell is in docs/metrics.md. */
async function tellsWhatIsWritten(ports: readonly number[]): Promise<void> {
  const known = new Set(metricFacts().map(({ name }) => name));
  for (const port of ports) {
    const samples = await scrape(`http://127.0.0.1:${port}/metrics`);
    assert(samples.length > 0);
    for (const { name } of samples) {
      if (!name.startsWith('sluice_')) continue;
      assert(known.has(name) || known.has(name.replace(/_(?:bucket|sum|count)$/, '')), name);
    }
  }
}

/** The Alertmanagers know each other, and tell an alert to a receiver as one would. */
async function toldOnce({ told }: Receiver, alertmanager: Program): Promise<void> {
  const status = await alertmanager.get<{ cluster: { peers: readonly unknown[] } }>('/api/v2/status');
  assert.equal(status.cluster.peers.length, 2);
  const receivers = told.filter((alert) => alert.name === 'SluiceDeadLetters' && alert.status === 'firing');
  assert.deepEqual(
    receivers.map(({ receiver }) => receiver),
    ['chat'],
  );
}

/** A dead queue silences what follows from it, and nothing else. */
async function silencesConsequences(alertmanager: Program): Promise<void> {
  const labels = { cluster: 'elsewhere', namespace: 'logs', severity: 'critical' };
  const names = ['SluiceQueueDown', 'SluiceLagOverObjective', 'SluiceAcksSlow', 'SluiceLedgerOpen'];
  const posted = await fetch(`${alertmanager.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(names.map((alertname) => ({ labels: { ...labels, alertname } }))),
  });
  assert.equal(posted.status, 200);
  interface Alert {
    readonly labels: Record<string, string>;
    readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
  }
  let found: Alert[] = [];
  while (found.length < names.length || found.some(({ status }) => status.state === 'unprocessed')) {
    found = await alertmanager.get<Alert[]>('/api/v2/alerts?filter=cluster%3Delsewhere');
    await delay(100);
  }
  const inhibited = found
    .filter(({ status }) => status.inhibitedBy.length > 0)
    .map((alert) => alert.labels['alertname']);
  assert.deepEqual(new Set(inhibited), new Set(['SluiceAcksSlow', 'SluiceLagOverObjective']));
}
