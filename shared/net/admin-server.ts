// The operator's page: /metrics for Prometheus, /livez and /readyz for whoever starts and stops us, and actions for
// operators. It shows no data of senders and no secrets. While the process is not ready, /readyz answers 503 with the
// reasons, a line each. A process is alive if it answers at all.
//
// Guarantees: except for /livez and /readyz without a token, nothing is answered and nothing done before `access` has
// admitted the request, whatever its path. /readyz gives its reasons only to those who are known.

import type { RequestListener, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Server as TlsServer, TlsOptions } from 'node:tls';
import { reasonOf } from '../errors.ts';
import { AcceptedSockets } from './accepted-sockets.ts';
import { type AdminPageTelemetry, admitAll, type AdmissionOptions } from './admin-admission.ts';
import { addRoutes, type AdminRoutesOptions } from './admin-routes.ts';
import { boundedRequests } from './bounded-requests.ts';
import { IdleConnections } from './idle-connections.ts';
import { listenOn, parseListenAddress, printAddress } from './listen-address.ts';
import { peerAddress } from './networks.ts';

export interface AdminServerOptions extends AdmissionOptions, AdminRoutesOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** Null: in the clear. */
  readonly tls: AdminTls | null;
}

/** The certificate that the page shows. */
interface AdminTls {
  options(clients: 'reads'): TlsOptions;
  /** The server shows new certificates as they come. */
  follow(server: TlsServer, clients: 'reads'): void;
}

export interface AdminServer {
  /** As bound. */
  readonly address: string;
  close(): Promise<void>;
}

/** Nobody sends more than the few words of an action. */
const BODY_BYTES_MAX = 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 75_000;
/** Connections without a request. */
const IDLE_MAX = 48;

/** Rejects with config_invalid or listen_failed. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const address = parseListenAddress(options.listen);
  // On a unix socket the permissions guard, and nobody listens in.
  const tls = address.kind === 'tcp' ? options.tls : null;
  // Not before it is needed: a job that ends by itself has no page, and starts the faster.
  const { default: createFastify } = await import('fastify');
  const { createServer } = tls ? await import('node:https') : { createServer: null };
  const pipelined = ({ remoteAddress }: Socket): void =>
    options.telemetry.connectionEnded('admin', 'pipelined', peerAddress(remoteAddress, address.kind) ?? 'unknown');
  const http = { ...boundedRequests(pipelined), headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16 * 1024 };
  const fastify = createFastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    http,
    ...(tls &&
      createServer && {
        serverFactory(handler: RequestListener) {
          const timed: ServerOptions = { ...http, requestTimeout: REQUEST_TIMEOUT_MS };
          const handshakeTimeout = REQUEST_TIMEOUT_MS;
          const server = createServer({ ...tls.options('reads'), ...timed, handshakeTimeout }, handler);
          server.keepAliveTimeout = IDLE_TIMEOUT_MS;
          server.setTimeout(IDLE_TIMEOUT_MS);
          tls.follow(server, 'reads');
          tellTlsFailures(server, options.telemetry);
          return server;
        },
      }),
  });
  admitAll(fastify, options, address.kind);
  addRoutes(fastify, options);
  const idle = new IdleConnections(fastify.server, IDLE_MAX);
  fastify.server.prependListener('connection', (socket: Socket) => {
    if (options.door.enter(socket, address.kind) !== null) idle.opened(socket);
  });
  const accepted = new AcceptedSockets(fastify.server);
  await fastify.ready();
  const bound = await listenOn(fastify.server, address);
  return {
    address: printAddress(bound),
    async close() {
      const closed = new Promise<void>((resolve) => fastify.server.close(() => resolve()));
      // A scraper that holds its connection open has its answer already.
      accepted.destroyAll();
      await closed;
      await fastify.close();
    },
  };
}

function tellTlsFailures(server: TlsServer, telemetry: AdminPageTelemetry): void {
  // Who shows no certificate may be a probe; who shows one that is none of ours is nobody.
  server.on('secureConnection', (socket) => {
    if (!socket.authorizationError || !socket.getPeerX509Certificate()) return;
    const peer = peerAddress(socket.remoteAddress, 'tcp');
    telemetry.authFailed('admin', 'certificate_refused', peer, String(socket.authorizationError));
    socket.destroy();
  });
  // Node would take what is no TLS for a bad request, and answer it in the clear.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error, socket) => {
    const peer = peerAddress(socket.remoteAddress, 'tcp');
    telemetry.authFailed('admin', 'tls_failed', peer, reasonOf(error));
    socket.destroy();
  });
}
