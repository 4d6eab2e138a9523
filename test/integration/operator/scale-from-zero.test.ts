// From zero and back, under a load that changes: nothing indexes, logs arrive, an autoscaler that reads what KEDA
// reads, with the settings of infra/k8s, starts indexers, stops some, starts them again, and ends them all. Once with
// long-running indexers, once with drain jobs. In the end each event is in Elasticsearch once, the group has no lag,
// and nothing runs.

import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import {
  type Autoscaler,
  type AutoscalerOptions,
  KafkaScaler,
  ScaledJobs,
  ScaledProcesses,
  scaleSettings,
} from '../parts/lag-autoscaler.ts';
import { NumberedLoad, numbersInElasticsearch } from '../parts/numbered-load.ts';
import { RefusingProxy } from '../parts/refusing-proxy.ts';
import { ownTopic, quickCommits } from '../parts/own-topic.ts';
import { newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const broker = await kafka();
const server = await elasticsearch();
const PARTITIONS = 4;
/** Chunks per second: more than one indexer can take with a store so slow, and far less. */
const MUCH = 250;
const LITTLE = 20;
/** Records that wait at most: a busy machine must not be given more than it can do. */
const BACKLOG = 300;

interface Scenario {
  readonly manifest: string;
  /** Of the command line; those of the manifest's container where it has them. */
  readonly args?: readonly string[];
  readonly scale: (options: AutoscalerOptions) => Autoscaler;
}

async function scaleFromZero(t: TestContext, { manifest, args, scale }: Scenario): Promise<void> {
  const url = server?.url ?? '';
  // It waits rather than works: four indexers do four times as much as one, also on a machine that is busy.
  await using store = await RefusingProxy.start(url);
  store.bulkDelayMs = 50;
  const environment = {
    ...ownTopic(broker?.brokers),
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: store.url,
    SLUICE_GATHER_RECORD_BYTES: '16KiB',
    SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1MiB',
    SLUICE_BULK_MAX_BYTES: '64KiB',
    SLUICE_BULK_CONCURRENCY: '1',
    ...quickCommits,
    SLUICE_ADMIN_LISTEN: '127.0.0.1:0',
  };
  const config = loadConfig({ env: environment, readFile: () => '' });
  await using atForwarder = await newPlace();
  const setup = await sluice(['setup'], null, environment);
  assert.equal(setup.code, 0, setup.stderr);
  t.after(() => removeTopics(config));
  const { SLUICE_ADMIN_LISTEN: _, ...ofForwarder } = environment;
  await using forwarder = await new SluiceProcess(['forwarder'], atForwarder, ofForwarder).ready();
  // So many tags that each partition has some; two or three chunks fill a record.
  const chunks = { connections: 32, eventsPerChunk: 4, messageBytes: 1600 };
  await using load = new NumberedLoad(atForwarder.forward, chunks);

  const read = scaleSettings(manifest);
  const settings = { ...read, maxReplicaCount: Math.min(read.maxReplicaCount, PARTITIONS) };
  await using autoscaler = scale({
    settings,
    config,
    start: () => Promise.resolve(new SluiceProcess(args ?? read.args, null, environment)),
  });
  const burst = (): Promise<void> =>
    autoscaler.until(() => {
      load.rate = autoscaler.lag < BACKLOG ? MUCH : LITTLE;
      return autoscaler.count === PARTITIONS;
    });
  await burst();
  load.rate = LITTLE;
  await autoscaler.until(() => autoscaler.count < PARTITIONS);
  await burst();
  await load.end();
  await autoscaler.until(() => autoscaler.lag === 0 && autoscaler.alive === 0);
  t.diagnostic(`${load.sent} events; ${autoscaler.started} starts, at most ${autoscaler.most} at once`);

  for (const { code, stderr } of autoscaler.ended) {
    // One that was told to end before it listened to signals has ended without a word.
    if (code !== null || stderr !== '') assert.equal(code, 0, stderr);
  }
  assert.equal((await forwarder.stop()).code, 0);
  const lag = await sluice(['lag', '--json', '--max-records', '0'], null, environment);
  assert.equal(lag.code, 0, lag.stdout + lag.stderr);
  assert.deepEqual(
    await numbersInElasticsearch(url, load.tags),
    Array.from({ length: load.sent }, (_event, n) => n),
  );
}

suite('from zero and back', { skip: broker && server ? false : 'SKIPPED: no Kafka or no Elasticsearch' }, () => {
  test('long-running indexers, as a ScaledObject has them', (t) =>
    scaleFromZero(t, {
      manifest: 'keda/scaled-object.yaml',
      args: ['indexer'],
      scale: (options) => new ScaledProcesses(options),
    }));

  test('drain jobs, as a ScaledJob has them', (t) =>
    scaleFromZero(t, { manifest: 'keda-jobs/scaled-job.yaml', scale: (options) => new ScaledJobs(options) }));
});

test('a lag that nobody works at yet wakes indexers and starts jobs, with the settings of each', () => {
  const stands = [{ partition: 0, committed: 7, high: 20 }];
  for (const [manifest, expected] of [
    ['keda/scaled-object.yaml', { lag: 13, replicas: 0, isActive: true }],
    ['keda-jobs/scaled-job.yaml', { lag: 13, replicas: 1, isActive: true }],
  ] as const) {
    const scaler = new KafkaScaler(scaleSettings(manifest).trigger);
    scaler.look([{ partition: 0, committed: 7, high: 7 }]);
    // KEDA starts a first replica for whatever is active, but as many jobs as are asked for, and no more.
    assert.deepEqual(scaler.look(stands), expected, manifest);
  }
});
