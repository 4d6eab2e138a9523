// A real OpenSearch for tests: `opensearch()` is the one that all suites of a run share (use data streams with names of
// your own), `privateOpenSearch()` one that a test may stop, kill and start again. From Maven Central's distribution in
// any case: there is no container of it.

import { isHealthy, type PrivateElasticsearch } from './elasticsearch.ts';
import { freePort } from './free-port.ts';
import { JarServer } from './jars.ts';
import { obtain, type Running } from './source.ts';

const OPENSEARCH = '3.0.0';

let shared: Promise<{ url: string; how: string } | null> | undefined;

/** The shared OpenSearch; null where there is none to be had. */
export function opensearch(): Promise<{ url: string; how: string } | null> {
  shared ??= obtain({ variable: 'SLUICE_TEST_OPENSEARCH', container: distributed, jars: distributed }).then(
    (found) => found && { url: found.address, how: found.how },
  );
  return shared;
}

async function distributed(): Promise<Running> {
  const server = await privateOpenSearch();
  await server.start();
  return Object.assign(server, { address: server.url, how: `OpenSearch ${OPENSEARCH} as distributed` });
}

export interface OpenSearchOptions {
  readonly version?: string;
  /** As Java has it: 768m unless given. */
  readonly heap?: string;
  /** File that what it says is appended to. */
  readonly log?: string;
}

/** An OpenSearch of the test's own; it does not run yet. Throws where Java 21 or Maven is missing. */
export async function privateOpenSearch({ version, heap, log }: OpenSearchOptions = {}): Promise<PrivateElasticsearch> {
  const port = await freePort();
  const transportPort = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = new JarServer({
    name: 'opensearch',
    ...(version !== undefined && { version }),
    environment: (home, data) => ({
      OS_HOME: home,
      OS_DATA: data,
      OS_PORT: String(port),
      OS_TRANSPORT_PORT: String(transportPort),
      ...(heap !== undefined && { OS_HEAP: heap }),
    }),
    serves: () => isHealthy(url),
    ...(log !== undefined && { log }),
  });
  return Object.assign(server, { url });
}
