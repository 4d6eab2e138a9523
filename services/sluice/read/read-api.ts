// Starts the read API of a service: searches over HTTP on an address of their own (`read.listen`), apart from inputs
// and operators. Where nothing is set, `sluice run` has it on loopback, and does without where the port is taken.

import { readFileSync } from 'node:fs';
import type { Door } from '#forwarder/admit/door.ts';
import { admittedExposures } from '#forwarder/admit/exposure.ts';
import type { TlsContext } from '#forwarder/admit/tls.ts';
import { openTokenFile, type TokenFile } from '#forwarder/admit/token-file.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { NO_READ_API, READ_LISTEN_DEFAULT } from '#shared/config/settings/read.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { type GuardedServer, startGuardedServer } from '#shared/net/guarded-server.ts';
import type { Store } from '#shared/store/store.ts';
import { CONNECTIONS_MAX, openPageGuard } from '../admin/page-guard.ts';
import { ReadAdmission } from './admission.ts';
import { Answering } from './answering.ts';
import { addReadRoutes } from './routes.ts';
import { DirectSearches, type Searches, ThreadSearches } from './searches.ts';
import { ReadSlots } from './bounds/slots.ts';
import { ReadTelemetry } from './telemetry.ts';
import { loadReadTokens } from './tokens.ts';

export interface ReadApiOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: Store;
  /** Whether it listens on loopback where no address is set. */
  readonly byDefault: boolean;
}

export interface ReadApi extends AsyncDisposable {
  /** As bound. */
  readonly address: string;
}

const IDLE_MAX = 32;
/** Where nothing is to be posted; routes.ts has bounds of its own. */
const BODY_BYTES_MAX = 1024;

/** Null where there is to be none. Rejects with config_invalid or listen_failed. */
export async function startReadApi(options: ReadApiOptions): Promise<ReadApi | null> {
  const { config, clock, log, metrics, byDefault } = options;
  const listen = config['read.listen'] ?? (byDefault ? READ_LISTEN_DEFAULT : NO_READ_API);
  if (listen === NO_READ_API) return null;
  admittedExposures(config, ['read.listen']);
  await using starting = new AsyncDisposableStack();
  const telemetry = starting.use(new ReadTelemetry(metrics, log, clock));
  const guarded = { config, clock, telemetry, perAddressMax: CONNECTIONS_MAX };
  const { door, logins, tls } = openPageGuard('read', guarded, starting);
  const tokens = openTokens(config, { clock, telemetry });
  if (tokens) starting.use(tokens);
  const admission = new ReadAdmission({ tokens, logins, telemetry });
  const slots = new ReadSlots({ searches: config['read.searches_max'], tails: config['read.tails_max'] });
  telemetry.watch((kind) => slots.taken(kind));
  const searches = starting.use(searchesOf(options, telemetry));
  const timeoutMs = config['read.timeout_ms'];
  const isShared = admission.asksTokens;
  const answering = new Answering({ searches, slots, telemetry, clock, timeoutMs, isShared });
  const server = await serve({ config, listen, tls, door, telemetry }, (fastify, listensOn) =>
    addReadRoutes(fastify, { door, admission, telemetry, answering, clock }, listensOn),
  );
  if (server === null) return null;
  const started = starting.move();
  telemetry.listening(server.address);
  return {
    address: server.address,
    async [Symbol.asyncDispose]() {
      await answering.stop();
      await server.close();
      await started.disposeAsync();
    },
  };
}

interface Serving {
  readonly config: Config;
  readonly listen: string;
  readonly tls: TlsContext | null;
  readonly door: Door<'read'>;
  readonly telemetry: ReadTelemetry;
}

/** Null where the default address is taken: nobody asked for it. */
async function serve(
  { config, listen, tls, door, telemetry }: Serving,
  addRoutes: Parameters<typeof startGuardedServer>[1],
): Promise<GuardedServer | null> {
  const refusals = {
    pipelined: (peer: string) => telemetry.connectionEnded('read', 'pipelined', peer),
    tlsFailed: (reason: 'tls_failed' | 'certificate_refused', peer: string | null, detail: string) =>
      telemetry.authFailed('read', reason, peer, detail),
  };
  const bounds = { bodyBytesMax: BODY_BYTES_MAX, idleMax: IDLE_MAX, answersHead: false };
  try {
    return await startGuardedServer({ listen, tls, door, refusals, ...bounds }, addRoutes);
  } catch (error) {
    const isTaken = error instanceof SluiceError && error.code === 'listen_failed';
    if (!isTaken || config['read.listen'] !== undefined) throw error;
    telemetry.notListening(reasonOf(error));
    return null;
  }
}

function searchesOf({ config, clock, store }: ReadApiOptions, telemetry: ReadTelemetry): Searches {
  if (store.kind !== 'embedded') return new DirectSearches(store, clock);
  const warn = (message: string): void => telemetry.damaged(message);
  const nextArrival = () => store.nextArrival?.() ?? never;
  return new ThreadSearches({ dataDir: config['data.dir'], clock, nextArrival, warn });
}

const never = new Promise<never>(() => undefined);

interface Surroundings {
  readonly clock: Clock;
  readonly telemetry: ReadTelemetry;
}

/** Null where none is set. Throws config_invalid. */
function openTokens(config: Config, { clock, telemetry }: Surroundings): TokenFile | null {
  const { 'read.tokens': path, 'http.tokens': senders } = config;
  if (path === undefined) return null;
  return openTokenFile(path, {
    tenants: [],
    load: (file, readFile) => loadReadTokens(file, senders, readFile),
    clock,
    telemetry,
  });
}

/** For `sluice check`: throws config_invalid where the tokens file cannot be used. */
export function checkReadTokens(config: Config): void {
  const { 'read.tokens': path, 'http.tokens': senders } = config;
  if (path !== undefined) loadReadTokens(path, senders, (file) => readFileSync(file, 'utf8'));
}
