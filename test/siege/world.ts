// What is besieged: all in one process, or a forwarder, a Kafka, an indexer and an Elasticsearch, each process of
// Sluice under a limit of memory; every listener that there is; and one network that may connect, so that there are
// those who may not.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '#test/backends/free-port.ts';
import { privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { privateKafka } from '#test/backends/kafka.ts';
import { type Environment, newPlace, type Place } from '#test/integration/parts/sluice-process.ts';
import { Target } from './target.ts';

const program = join(import.meta.dirname, '../../dist/sluice.js');
const MIB = 1024 * 1024;

export type Backend = 'embedded' | 'kafka';

/** Limits of the configuration that are held against what is on the disk. */
export const diskBytesMax = { queue: 1024 * MIB, spool: 256 * MIB, incoming: 256 * MIB } as const;

export interface Ports {
  readonly forward: number;
  readonly http: number;
  readonly syslog: number;
  readonly gelf: number;
}

export interface World extends AsyncDisposable {
  /** Every process of Sluice; the first one takes the logs. */
  readonly targets: readonly [Target, ...Target[]];
  readonly ports: Ports;
  /** Null: the store is embedded. */
  readonly elasticsearchUrl: string | null;
}

export interface WorldOptions {
  readonly backend: Backend;
  readonly memoryBytesMax: number;
  readonly logDir: string;
}

export async function startWorld({ backend, memoryBytesMax, logDir }: WorldOptions): Promise<World> {
  await using starting = new AsyncDisposableStack();
  const place = starting.use(await newPlace());
  const ports: Ports = {
    forward: place.forward,
    http: place.http,
    syslog: await freePort(),
    gelf: await freePort(),
  };
  const servers = backend === 'kafka' ? await startServers(starting, logDir) : null;
  const environment: Environment = {
    ...servers?.environment,
    SLUICE_ALLOW_NETWORKS: '127.0.0.1/32',
    // The attackers and the load have one address, which would be in debt for both.
    SLUICE_RATE_SMALL_EVENTS_PER_ADDRESS: '0',
    SLUICE_QUEUE_MAX_BYTES: String(diskBytesMax.queue),
    SLUICE_SPOOL_MAX_BYTES: String(diskBytesMax.spool),
    SLUICE_FRAME_FILE_MAX_BYTES: String(diskBytesMax.incoming),
  };
  const listeners: Environment = {
    SLUICE_SYSLOG_LISTEN: `127.0.0.1:${ports.syslog}`,
    SLUICE_GELF_LISTEN: `127.0.0.1:${ports.gelf}`,
  };
  const start = async (command: 'run' | 'forwarder' | 'indexer', at: Place, more: Environment): Promise<Target> =>
    starting.use(await Target.start({ command, place: at, memoryBytesMax, environment: { ...environment, ...more } }));
  let targets: [Target, ...Target[]];
  if (servers === null) targets = [await start('run', place, listeners)];
  else {
    await promisify(execFile)(process.execPath, [program, 'setup'], { env: { ...process.env, ...environment } });
    const own = starting.use(await newPlace());
    targets = [await start('forwarder', place, listeners), await start('indexer', own, {})];
  }
  const started = starting.move();
  return {
    targets,
    ports,
    elasticsearchUrl: servers?.url ?? null,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function startServers(
  starting: AsyncDisposableStack,
  logDir: string,
): Promise<{ readonly url: string; readonly environment: Environment }> {
  const kafka = starting.use(await privateKafka());
  const elasticsearch = starting.use(
    await privateElasticsearch({ heap: '1g', log: join(logDir, 'elasticsearch.log') }),
  );
  await Promise.all([kafka.start(), elasticsearch.start()]);
  const { url } = elasticsearch;
  return { url, environment: { SLUICE_KAFKA_BROKERS: kafka.brokers.join(','), SLUICE_ELASTICSEARCH_URL: url } };
}
