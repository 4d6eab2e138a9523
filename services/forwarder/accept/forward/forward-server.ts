// Listens for the Forward protocol: TCP (or a unix socket), and the UDP heartbeat on the same port.

import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import {
  type TcpAddress,
  listenFailure,
  listenOn,
  parseListenAddress,
  printAddress,
} from '#shared/net/listen-address.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import { type ConnectionOptions, ForwardConnections } from './forward-connections.ts';
import { startUdpHeartbeat } from './udp-heartbeat.ts';

export interface ForwardServerOptions extends ConnectionOptions {
  /** Permissions of a unix socket; undefined: as the umask says. */
  readonly socketMode?: number | undefined;
  /** How many heartbeats of an address are answered; null: any number. */
  readonly datagramRates: { of(address: string): AddressRate | null } | null;
}

export interface ForwardServer {
  /** As bound: host:port, or unix:/path. */
  readonly address: string;
  /** Takes no new connections and reads no more; resolves when every connection has its answers and is closed. */
  close(): Promise<void>;
}

/** `listen`: host:port, :port or unix:/path. Rejects with config_invalid or listen_failed. */
export async function startForwardServer(listen: string, options: ForwardServerOptions): Promise<ForwardServer> {
  const address = parseListenAddress(listen);
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
  const connections = new ForwardConnections(server, address.kind, options);
  const bound = await listenOn(server, address);
  let heartbeat: AsyncDisposable | null = null;
  try {
    if (bound.kind === 'unix') setMode(bound.path, options.socketMode);
    else heartbeat = await heartbeatOn(bound, options);
  } catch (error) {
    server.close();
    throw listenFailure(bound, error);
  }
  return {
    address: printAddress(bound),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await heartbeat?.[Symbol.asyncDispose]();
      await connections.close();
      await closed;
    },
  };
}

function heartbeatOn(
  bound: TcpAddress,
  { admission, telemetry, clock, datagramRates }: ForwardServerOptions,
): Promise<AsyncDisposable> {
  const answers = (address: string, bytes: number): boolean => {
    const isAdmitted = admission.admits(address);
    if (!isAdmitted) telemetry.datagramRefused('forward', address);
    return isAdmitted && datagramRates?.of(address)?.datagram(bytes) !== false;
  };
  return startUdpHeartbeat(bound, { answers, clock });
}

function setMode(path: string, mode: number | undefined): void {
  if (mode !== undefined) chmodSync(path, mode);
}
