// Starts an operator's page (of a service at `admin.listen`, of the lag exporter at `lag.listen`) with all that guards
// it: networks, a limit of connections, TLS, tokens or client certificates, and the question whether its address is
// public.

import { readFileSync } from 'node:fs';
import { admittedExposures } from '#forwarder/admit/exposure.ts';
import { openTokenFile } from '#forwarder/admit/token-file.ts';
import { Tokens, loadTokens } from '#forwarder/admit/tokens.ts';
import { type AdminServer, type AdminServerOptions, startAdminServer } from '#shared/net/admin-server.ts';
import { isLoopback, parseListenAddress } from '#shared/net/listen-address.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { PageAccess } from './access.ts';
import { openPageGuard } from './page-guard.ts';
import { AdminTelemetry } from './telemetry.ts';

/** Fewer than all, so that others find room; more than may be idle, so that an idle one gives way to the next. */
const OF_ADDRESS_MAX = 72;

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
  const { door, logins, tls } = openPageGuard(
    'admin',
    { config, clock, telemetry, perAddressMax: OF_ADDRESS_MAX },
    starting,
  );
  const tokens = openTokens(config, { clock, telemetry });
  if (tokens) starting.use(tokens);
  const server = await startAdminServer({
    ...page,
    listen: config[setting],
    door,
    access: new PageAccess({
      holderOf: tokens ? (authorization) => tokens.holderOf(authorization) : null,
      asksCertificates: config['admin.tls.client_ca'] !== undefined,
      isLocal: isLocal(config[setting]),
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

/** A unix socket is asked for by any name; no browser can. */
function isLocal(listen: string): boolean {
  const address = parseListenAddress(listen);
  return address.kind === 'tcp' && isLoopback(address);
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
