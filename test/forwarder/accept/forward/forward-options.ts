// Options of a Forward server for tests: nobody is asked for anything, and no limit is near, unless a test says so.

import type { ForwardServerOptions } from '#forwarder/accept/forward/forward-server.ts';
import type { SessionOptions } from '#forwarder/accept/forward/session-options.ts';
import { Admission } from '#forwarder/admit/admission.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import type { Intake } from '#forwarder/intake/chunk.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { type DoorChanges, openDoor } from '#test/forwarder/admit/open-door.ts';
import { wholeSlices } from '../whole-slices.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export function forwardOptions(
  intake: Intake,
  { limits, ...changes }: Partial<ForwardServerOptions> & { limits?: DoorChanges } = {},
  session: Partial<SessionOptions> = {},
): ForwardServerOptions & { readonly metrics: Metrics } {
  const metrics = new Metrics({ version: '0', command: 'test' });
  const telemetry = new ForwarderTelemetry(metrics, SILENT);
  const clock = changes.clock ?? systemClock;
  const { admission = new Admission({ allowed: [], tenants: [], credentials: null }) } = changes;
  return {
    metrics,
    admission,
    telemetry,
    clock,
    tls: null,
    serverName: 'sluice-test',
    door: openDoor({ admits: (address) => admission.admits(address), telemetry, ...limits }),
    logins: new LoginLimit({ clock, pace: { hold: () => Promise.resolve() } }),
    handshakeTimeoutMs: 60_000,
    datagramRates: null,
    session: {
      intake: wholeSlices(intake),
      telemetry,
      clock,
      frameBytesMax: 1_000_000,
      unpacking: new ByteBudget(2_000_000),
      ...session,
    },
    ...changes,
  };
}

/** A counter's samples, by their labels as Prometheus prints them; "" where it has none. */
export async function samples(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const lines = (await metrics.render()).body.split('\n').filter((line) => line.startsWith(`sluice_${name}{`));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(line.indexOf('{'), space), Number(line.slice(space + 1))];
    }),
  );
}
