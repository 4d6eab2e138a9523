// What guards a page for few, the operators' or the read API, before it looks at a request: networks, a limit of
// connections, rates, TLS, and how often a wrong token may be shown.

import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { connectionRates } from '#forwarder/admit/address-rates.ts';
import { allowedNetworks } from '#forwarder/admit/admission.ts';
import { ConnectionLimit, ConnectionTotal } from '#forwarder/admit/connection-limit.ts';
import { Door } from '#forwarder/admit/door.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { tlsContext, type TlsContext } from '#forwarder/admit/tls.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { NetworkSet, UNIX_PEER } from '#shared/net/networks.ts';
import type { GuardTelemetry } from './guard-telemetry.ts';

/**
 * There are few scrapers, probes and readers; idle connections give way to new ones. Inputs leave at least 128 files
 * free (connection-limit.ts).
 */
export const CONNECTIONS_MAX = 96;
/** Requests with a wrong token that wait for their answers. */
const REFUSED_HELD_MAX = 16;

export interface GuardOptions<Name extends 'admin' | 'read'> {
  readonly config: Config;
  readonly clock: Clock;
  readonly telemetry: GuardTelemetry<Name>;
  /** Connections from one address. */
  readonly perAddressMax: number;
}

export interface PageGuard<Name> {
  readonly door: Door<Name>;
  readonly logins: LoginLimit;
  /** Null: in the clear. */
  readonly tls: TlsContext | null;
}

/** Throws config_invalid. `held` is given what has to be closed with the page. */
export function openPageGuard<Name extends 'admin' | 'read'>(
  name: Name,
  { config, clock, telemetry, perAddressMax }: GuardOptions<Name>,
  held: AsyncDisposableStack,
): PageGuard<Name> {
  const tls = tlsContext(config, { clock, telemetry }, `${name}.tls`);
  if (tls) {
    held.use(tls);
    telemetry.watchCertificate(() => tls.expiresMs);
  }
  const pace = new RefusalPace({ clock, heldMax: REFUSED_HELD_MAX, unreadyReason: () => null });
  const allowed = allowedNetworks(config);
  const networks = new NetworkSet(allowed);
  const door = new Door({
    input: name,
    admits: (address) => allowed.length === 0 || address === UNIX_PEER || networks.has(address),
    limit: new ConnectionLimit({ max: CONNECTIONS_MAX, perAddressMax, all: new ConnectionTotal(CONNECTIONS_MAX) }),
    // The server would read what is closed later.
    pace: null,
    // Counted apart from what the address brings to the inputs, and asks of other pages. What is asked is a few hundred
    // bytes: these need no rate.
    rates: connectionRates(config, { clock, throttled: () => undefined }),
    telemetry,
  });
  return { door, logins: new LoginLimit({ clock, pace }), tls };
}
