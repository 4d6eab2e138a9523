// A real Elasticsearch for tests: `elasticsearch()` is the one that all suites of a run share (use data streams with
// names of your own), `privateElasticsearch()` one that a test may stop, kill and start again.

import { startContainer } from './container.ts';
import { freePort } from './free-port.ts';
import { JarServer } from './jars.ts';
import { obtain, type Running } from './source.ts';

const containerPort = 9200;

export interface PrivateElasticsearch extends AsyncDisposable {
  readonly url: string;
  /** Data and address are the same over a restart. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP, until `thaw`. */
  freeze(): void;
  thaw(): void;
}

let shared: Promise<{ url: string; how: string } | null> | undefined;

/** The shared Elasticsearch; null where there is none to be had. */
export function elasticsearch(): Promise<{ url: string; how: string } | null> {
  shared ??= obtain({ variable: 'SLUICE_TEST_ELASTICSEARCH', container, jars }).then(
    (found) => found && { url: found.address, how: found.how },
  );
  return shared;
}

export interface ElasticsearchOptions {
  /** As Java has it: 768m unless given. */
  readonly heap?: string;
  /** The only processors that it uses, as taskset has them. */
  readonly processors?: string;
  /** File that what it says is appended to. */
  readonly log?: string;
  /** Without the tokenizers that every distribution has. */
  readonly isBare?: boolean;
  /** As it is distributed, with security. */
  readonly distributed?: DistributedOptions;
}

interface DistributedOptions {
  /** More lines of elasticsearch.yml. */
  readonly settings: string;
  /** Files that belong beside it: of users, certificates, keys. */
  readonly configFolder: string;
  /** Whether the server at this port of 127.0.0.1 answers. */
  readonly serves: (port: number) => Promise<boolean>;
}

/** An Elasticsearch of the test's own, from the jars; it does not run yet. Throws where Java 21 or Maven is missing. */
export async function privateElasticsearch({
  heap,
  processors,
  log,
  isBare = false,
  distributed,
}: ElasticsearchOptions = {}): Promise<PrivateElasticsearch> {
  const port = await freePort();
  const transportPort = await freePort();
  const url = `${distributed ? 'https' : 'http'}://127.0.0.1:${port}`;
  const server = new JarServer({
    name: 'elasticsearch',
    ...(distributed && { version: 'distributed' }),
    environment: (home, data) => ({
      ES_HOME: home,
      ES_DATA: data,
      ES_PORT: String(port),
      ES_TRANSPORT_PORT: String(transportPort),
      ...(heap !== undefined && { ES_HEAP: heap }),
      ...(processors !== undefined && { ES_CPUS: processors }),
      ...(isBare && { GLUE_SPLITTING: 'false' }),
      ...(distributed && { ES_SETTINGS: distributed.settings, ES_CONFIG: distributed.configFolder }),
    }),
    serves: () => (distributed ? distributed.serves(port) : isHealthy(url)),
    ...(log !== undefined && { log }),
  });
  return Object.assign(server, { url });
}

async function jars(): Promise<Running> {
  const server = await privateElasticsearch();
  await server.start();
  return Object.assign(server, { address: server.url, how: 'Elasticsearch 9.5.3 from its jars' });
}

async function container(): Promise<Running> {
  const image = process.env['SLUICE_TEST_ELASTICSEARCH_IMAGE'] || 'docker.elastic.co/elasticsearch/elasticsearch:9.5.3';
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await startContainer({
    image,
    ports: [{ container: containerPort, host: port }],
    environment: {
      'discovery.type': 'single-node',
      'xpack.security.enabled': 'false',
      'cluster.routing.allocation.disk.threshold_enabled': 'false',
      ES_JAVA_OPTS: '-Xms768m -Xmx768m',
    },
    serves: () => isHealthy(url),
  });
  return { ...started, address: url, how: `container of ${image}` };
}

/** Of OpenSearch too. */
export async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(2000) });
    const health = await answer.text();
    return answer.ok && /"status":"(green|yellow)"/.test(health);
  } catch {
    return false;
  }
}
