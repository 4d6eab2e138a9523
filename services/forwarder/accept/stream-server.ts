// Listens for a protocol without acks on TCP, TLS or a unix socket, and gives each connection a session.

import { type Server, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '#shared/clock.ts';
import { type ListenAddress, listenOn } from '#shared/listen-address.ts';
import { peerAddress } from '#shared/networks.ts';
import type { TlsContext } from '../admit/tls.ts';
import type { InputName } from '../chunk.ts';
import type { Principal } from '../principal.ts';
import type { ForwarderTelemetry } from '../telemetry.ts';
import { HeldBytes, type StreamDecoder, StreamSession } from './stream-session.ts';
import type { Unacked } from './unacked.ts';

/** Whom a sender speaks for; null: it is not let in. `socket`: null for datagrams. */
export type Admit = (sender: string, socket: Socket | null) => Principal | null;

export interface StreamServerOptions {
  readonly input: InputName;
  readonly tag: string;
  readonly admit: Admit;
  readonly newDecoder: (sender: string) => StreamDecoder;
  readonly unacked: Unacked;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
  /** Null: without TLS. */
  readonly tls: TlsContext | null;
}

export interface StreamServer {
  readonly address: ListenAddress;
  /** Takes no new connections; resolves when what was sent so far is read, and every connection closed. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 4096;
/** Of messages that are not whole, of all connections together. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Rejects with listen_failed. */
export async function startStreamServer(listen: ListenAddress, options: StreamServerOptions): Promise<StreamServer> {
  const { input, tag, admit, newDecoder, unacked, telemetry, clock, tls } = options;
  const sessions = new Set<StreamSession>();
  const held = new HeldBytes(HELD_BYTES_MAX);
  const server = tls ? tlsServer(tls) : createServer(SOCKET_OPTIONS);
  server.maxConnections = CONNECTIONS_MAX;
  server.on('drop', () => telemetry.connectionEnded(input, 'too_many'));
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    telemetry.authFailed(input, 'tls_failed', `${peerAddress(socket.remoteAddress)}: ${error.message}`);
  });
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    const sender = peerAddress(socket.remoteAddress);
    const principal = admit(sender, socket);
    if (!principal) {
      telemetry.authFailed(input, 'network_refused', sender);
      socket.destroy();
      return;
    }
    const decoder = newDecoder(sender);
    const session = new StreamSession(socket, { input, tag, sender, principal, decoder, unacked, clock, held });
    sessions.add(session);
    telemetry.connectionOpened(input);
    socket.once('close', () => {
      sessions.delete(session);
      telemetry.connectionClosed(input);
    });
  });
  const address = await listenOn(server, listen);
  return {
    address,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.all([...sessions].map((session) => session.close()));
      await closed;
    },
  };
}

const SOCKET_OPTIONS = { keepAlive: true, keepAliveInitialDelay: 60_000 };

function tlsServer(tls: TlsContext): Server {
  const server = createTlsServer({
    ...SOCKET_OPTIONS,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...tls.options('only_writes'),
  });
  tls.follow(server, 'only_writes');
  return server;
}
