// What guards the inputs against too many connections, bytes and guesses: doors, rates, and the pace of refusals.
// All inputs together stay below the number of files that the process may open.

import { RefusalPace } from './accept/turns/refusal-pace.ts';
import { type AddressRates, connectionRates, datagramRates } from './admit/address-rates.ts';
import { ConnectionLimit, ConnectionTotal, connectionsWithin, openFilesMax } from './admit/connection-limit.ts';
import { Door } from './admit/door.ts';
import { EventDebts } from './admit/event-debts.ts';
import { LoginLimit } from './admit/login-limit.ts';
import type { Edge } from './build-intake.ts';
import type { Listener } from './intake/chunk.ts';

/** Connections that are refused and not yet closed. They count among the files that the process keeps for itself. */
const REFUSED_HELD_MAX = 2048;
const REFUSED_HELD_SHARE = 0.1;

export interface Guards {
  readonly doors: Readonly<Record<Listener, Door>>;
  readonly pace: RefusalPace;
  readonly logins: LoginLimit;
  readonly datagramRates: AddressRates;
}

export function guardsOf(edge: Edge): Guards {
  const { config, clock, telemetry, intake } = edge;
  const all = new ConnectionTotal(connectionsWithin(openFilesMax(), (config['collect.files'] ?? []).length > 0));
  const heldMax = Math.min(REFUSED_HELD_MAX, Math.ceil(all.max * REFUSED_HELD_SHARE));
  const pace = new RefusalPace({ clock, heldMax, unreadyReason: () => intake.unreadyReason });
  const throttled = (address: string): void => telemetry.addressThrottled(address);
  const rates = connectionRates(config, { clock, throttled });
  const debts = new EventDebts({ perSecond: config['rate.small_events_per_address'], clock, throttled });
  // Its own pace: peers with wrong secrets must not slow down those that are refused while nothing can be stored.
  const logins = new LoginLimit({ clock, pace: new RefusalPace({ clock, heldMax, unreadyReason: () => null }) });
  return {
    doors: doorsOf(edge, { all, pace, rates, debts }),
    pace,
    logins,
    datagramRates: datagramRates(config, { clock, throttled: (address) => telemetry.datagramsThrottled(address) }),
  };
}

interface DoorParts {
  readonly all: ConnectionTotal;
  readonly pace: RefusalPace;
  readonly rates: AddressRates;
  readonly debts: EventDebts;
}

function doorsOf(
  { config, admission, telemetry }: Edge,
  { all, pace, rates, debts }: DoorParts,
): Readonly<Record<Listener, Door>> {
  const admits = (address: string): boolean => admission.admits(address);
  const doorOf = (input: Listener): Door => {
    const max = config[`${input}.max_connections`];
    const perAddressMax = config[`${input}.max_connections_per_address`];
    const limit = new ConnectionLimit({ max, perAddressMax, all });
    // Only senders of Forward come back at once; an HTTP server reads a connection as soon as it has it.
    return new Door({ input, admits, telemetry, limit, rates, debts, pace: input === 'forward' ? pace : null });
  };
  return { forward: doorOf('forward'), http: doorOf('http'), syslog: doorOf('syslog'), gelf: doorOf('gelf') };
}
