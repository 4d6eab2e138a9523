// Listens for the Forward protocol: TCP (or a unix socket), and the UDP heartbeat on the same port.

import { createServer } from 'node:net';
import { listenFailure, listenOn, parseListenAddress, printAddress } from '#shared/listen-address.ts';
import { ForwardSession, type SessionOptions } from './forward-session.ts';
import { startUdpHeartbeat } from './udp-heartbeat.ts';

export interface ForwardServer {
  /** As bound: host:port, or unix:/path. */
  readonly address: string;
  /** Takes no new connections and reads no more; resolves when every connection has its answers and is closed. */
  close(): Promise<void>;
}

/** `listen`: host:port, :port or unix:/path. Rejects with config_invalid or listen_failed. */
export async function startForwardServer(listen: string, options: SessionOptions): Promise<ForwardServer> {
  const sessions = new Set<ForwardSession>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
  server.on('connection', (socket) => {
    const session = new ForwardSession(socket, options);
    sessions.add(session);
    socket.on('close', () => sessions.delete(session));
  });
  const bound = await listenOn(server, parseListenAddress(listen));
  const heartbeat =
    bound.kind === 'tcp'
      ? await startUdpHeartbeat(bound.host, bound.port).catch((error: unknown) => {
          server.close();
          throw listenFailure(bound, error);
        })
      : null;
  return {
    address: printAddress(bound),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await heartbeat?.[Symbol.asyncDispose]();
      await Promise.all([...sessions].map((session) => session.close()));
      await closed;
    },
  };
}
