// Starts an operator's page (of a service at `admin.listen`, of the lag exporter at `lag.listen`) with all that guards
// it: networks, a limit of connections, TLS, tokens or client certificates, and the question whether its address is
// public.

import { readFileSync } from 'node:fs';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { connectionRates } from '#forwarder/admit/address-rates.ts';
import { allowedNetworks } from '#forwarder/admit/admission.ts';
import { ConnectionLimit, ConnectionTotal } from '#forwarder/admit/connection-limit.ts';
import { Door } from '#forwarder/admit/door.ts';
import { admittedExposures } from '#forwarder/admit/exposure.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { tlsContext } from '#forwarder/admit/tls.ts';
import { openTokenFile } from '#forwarder/admit/token-file.ts';
import { Tokens, loadTokens } from '#forwarder/admit/tokens.ts';
import { type AdminServer, type AdminServerOptions, startAdminServer } from '#shared/net/admin-server.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { NetworkSet, UNIX_PEER } from '#shared/net/networks.ts';
import { PageAccess } from './access.ts';
import { AdminTelemetry } from './telemetry.ts';

/**
 * There are few scrapers and probes; idle connections give way to new ones. Inputs leave at least 128 files free
 * (connection-limit.ts).
 */
const CONNECTIONS_MAX = 96;
const OF_ADDRESS_MAX = 72;
/** Requests with a wrong token that wait for their answers. */
const REFUSED_HELD_MAX = 16;

export interface PageOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Rejects with config_invalid or listen_failed. */
export async function startAdminPage(
  { config, clock, log, metrics }: PageOptions,
  page: Pick<AdminServerOptions, 'metrics' | 'unreadyReasons' | 'actions'>,
  setting: 'admin.listen' | 'lag.listen' = 'admin.listen',
): Promise<AdminServer> {
  const exposed = admittedExposures(config, [setting]);
  await using starting = new AsyncDisposableStack();
  const telemetry = starting.use(new AdminTelemetry(metrics, log, clock));
  for (const { input, address } of exposed) telemetry.exposed(input, address);
  const tls = tlsContext(config, { clock, telemetry }, 'admin.tls');
  if (tls) {
    starting.use(tls);
    telemetry.watchCertificate(() => tls.expiresMs);
  }
  const tokens = openTokens(config, { clock, telemetry });
  if (tokens) starting.use(tokens);
  const pace = new RefusalPace({ clock, heldMax: REFUSED_HELD_MAX, unreadyReason: () => null });
  const logins = new LoginLimit({ clock, pace });
  const server = await startAdminServer({
    ...page,
    listen: config[setting],
    door: doorOf(config, { clock, telemetry }),
    access: new PageAccess({
      holderOf: tokens ? (authorization) => tokens.holderOf(authorization) : null,
      asksCertificates: config['admin.tls.client_ca'] !== undefined,
      logins,
      telemetry,
    }),
    tls,
    telemetry,
  });
  const started = starting.move();
  return {
    address: server.address,
    async close() {
      await server.close();
      await started.disposeAsync();
    },
  };
}

function doorOf(
  config: Config,
  { clock, telemetry }: { readonly clock: Clock; readonly telemetry: AdminTelemetry },
): Door<'admin'> {
  const allowed = allowedNetworks(config);
  const networks = new NetworkSet(allowed);
  const all = new ConnectionTotal(CONNECTIONS_MAX);
  return new Door({
    input: 'admin',
    admits: (address) => allowed.length === 0 || address === UNIX_PEER || networks.has(address),
    limit: new ConnectionLimit({ max: CONNECTIONS_MAX, perAddressMax: OF_ADDRESS_MAX, all }),
    // The server would read what is closed later.
    pace: null,
    // Counted apart from what the address brings to the inputs. What is asked here is a few hundred bytes: these need
    // no rate.
    rates: connectionRates(config, { clock, throttled: () => undefined }),
    telemetry,
  });
}

interface PageTokens extends Disposable {
  holderOf(authorization: string): string | null;
}

/** Null where none is set. Throws config_invalid. */
function openTokens(
  config: Config,
  { clock, telemetry }: { readonly clock: Clock; readonly telemetry: AdminTelemetry },
): PageTokens | null {
  const { 'admin.token': secret, 'admin.tokens': path } = config;
  if (secret === undefined && path === undefined) return null;
  const own = secret === undefined ? null : Tokens.ofSecret(secret, 'admin.token');
  const file = path === undefined ? null : openTokenFile(path, { tenants: [], clock, telemetry });
  return {
    holderOf: (authorization) => own?.holderOf(authorization) ?? file?.holderOf(authorization) ?? null,
    [Symbol.dispose]: () => file?.[Symbol.dispose](),
  };
}

/** For `sluice check`: throws config_invalid where the tokens file cannot be used. */
export function checkPageTokens(config: Config): void {
  const path = config['admin.tokens'];
  if (path !== undefined) loadTokens(path, [], (file) => readFileSync(file, 'utf8'));
}
