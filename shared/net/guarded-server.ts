// The HTTP server of a page for few: operators, scrapers, readers of logs. By TLS or in the clear, on an address or a
// unix socket. What a connection may cost is bounded before a byte of it is understood: by the door, by the number of
// those that ask nothing, by what one may ask before it has its answers.
//
// Guarantees: no byte of a connection is read that the door refused; nobody is answered in the clear where TLS is
// spoken; a stop waits for no peer.

import type { RequestListener } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Server as TlsServer, TlsOptions } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { reasonOf } from '../errors.ts';
import { AcceptedSockets } from './accepted-sockets.ts';
import { boundedRequests, refuseExpectations } from './bounded-requests.ts';
import { IdleConnections } from './idle-connections.ts';
import { listenOn, parseListenAddress, printAddress } from './listen-address.ts';
import { peerAddress } from './networks.ts';

/** The certificate that the page shows. */
export interface PageTls {
  options(clients: 'reads'): TlsOptions;
  /** The server shows new certificates as they come. */
  follow(server: TlsServer, clients: 'reads'): void;
}

/** What every connection passes before a byte of it is read; it closes those that it does not let in. */
export interface ServerDoor {
  enter(socket: Socket, listensOn: 'tcp' | 'unix'): string | null;
  /** What an address may ask for; null: it has no rate. */
  rateOf(address: string): { request(): boolean } | null;
}

/** Told of connections that are closed here. */
interface ConnectionRefusals {
  pipelined(peer: string): void;
  tlsFailed(reason: 'tls_failed' | 'certificate_refused', peer: string | null, detail: string): void;
}

export interface GuardedServerOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** Null: in the clear. */
  readonly tls: PageTls | null;
  readonly door: ServerDoor;
  readonly refusals: ConnectionRefusals;
  readonly bodyBytesMax: number;
  /** Connections without a whole request. */
  readonly idleMax: number;
  /** Whether HEAD is answered as GET is, without the body. */
  readonly answersHead: boolean;
}

export interface GuardedServer {
  /** As bound. */
  readonly address: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const CHECKED_EVERY_MS = 1000;
const IDLE_TIMEOUT_MS = 75_000;
const TLS_TIMES = { requestTimeout: REQUEST_TIMEOUT_MS, handshakeTimeout: REQUEST_TIMEOUT_MS };
const HEADERS_BYTES_MAX = 16 * 1024;

/** Rejects with config_invalid or listen_failed. `addRoutes` is told what the server listens on. */
export async function startGuardedServer(
  options: GuardedServerOptions,
  addRoutes: (fastify: FastifyInstance, listensOn: 'tcp' | 'unix') => void,
): Promise<GuardedServer> {
  const { door, refusals, bodyBytesMax, idleMax, answersHead } = options;
  const address = parseListenAddress(options.listen);
  // On a unix socket the permissions guard, and nobody listens in.
  const tls = address.kind === 'tcp' ? options.tls : null;
  // Not before it is needed: a job that ends by itself has no page, and starts the faster.
  const { default: createFastify } = await import('fastify');
  const { createServer } = tls ? await import('node:https') : { createServer: null };
  const pipelined = ({ remoteAddress }: Socket): void =>
    refusals.pipelined(peerAddress(remoteAddress, address.kind) ?? 'unknown');
  const http = {
    ...boundedRequests(pipelined),
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECKED_EVERY_MS,
    maxHeaderSize: HEADERS_BYTES_MAX,
  };
  const fastify = createFastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: answersHead,
    // A path that cannot be decoded: no hook runs that asks who it is, and for the rate.
    frameworkErrors: (_error, _request, reply) => {
      reply.hijack().raw.writeHead(400, { connection: 'close', 'content-length': 0 }).end();
    },
    http,
    ...(tls &&
      createServer && {
        serverFactory: (handler: RequestListener) =>
          tlsServer(createServer({ ...tls.options('reads'), ...http, ...TLS_TIMES }, handler), tls, refusals),
      }),
  });
  refuseExpectations(fastify.server);
  addRoutes(fastify, address.kind);
  const idle = new IdleConnections(fastify.server, idleMax);
  fastify.server.prependListener('connection', (socket: Socket) => {
    if (door.enter(socket, address.kind) !== null) idle.opened(socket);
  });
  const accepted = new AcceptedSockets(fastify.server);
  await fastify.ready();
  const bound = await listenOn(fastify.server, address);
  return {
    address: printAddress(bound),
    async close() {
      const closed = new Promise<void>((resolve) => fastify.server.close(() => resolve()));
      // Who holds a connection open has its answer already, or reads on without end.
      accepted.destroyAll();
      await closed;
      await fastify.close();
    },
  };
}

function tlsServer(server: HttpsServer, tls: PageTls, refusals: ConnectionRefusals): HttpsServer {
  server.keepAliveTimeout = IDLE_TIMEOUT_MS;
  server.setTimeout(IDLE_TIMEOUT_MS);
  tls.follow(server, 'reads');
  tellTlsFailures(server, refusals);
  return server;
}

function tellTlsFailures(server: TlsServer, refusals: ConnectionRefusals): void {
  // Who shows no certificate may be a probe; who shows one that is none of ours is nobody.
  server.on('secureConnection', (socket) => {
    if (!socket.authorizationError || !socket.getPeerX509Certificate()) return;
    const peer = peerAddress(socket.remoteAddress, 'tcp');
    refusals.tlsFailed('certificate_refused', peer, String(socket.authorizationError));
    socket.destroy();
  });
  // Node would take what is no TLS for a bad request, and answer it in the clear.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error, socket) => {
    refusals.tlsFailed('tls_failed', peerAddress(socket.remoteAddress, 'tcp'), reasonOf(error));
    socket.destroy();
  });
}
