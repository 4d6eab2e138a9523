// The operator's page: /metrics for Prometheus, /livez and /readyz for whoever starts and stops us. It has nothing of the senders'
// and nothing secret. A part that is not ready answers 503 with its reasons, a line each; liveness is that it answers at all.

import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { listenOn, parseListenAddress, printAddress } from './listen-address.ts';
import { peerAddress } from './networks.ts';

export interface AdminServerOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** Whether a connection from this address (of `peerAddress`) is answered; absent: any. */
  readonly admits?: (address: string) => boolean;
  /** `accept`: the header of the scraper. */
  readonly metrics: (accept: string) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Empty while all is well. */
  readonly unreadyReasons: () => readonly string[];
}

export interface AdminServer {
  /** As bound. */
  readonly address: string;
  close(): Promise<void>;
}

const TEXT = 'text/plain; charset=utf-8';
const INDEX = `Sluice, for its operators:
/metrics  counters and gauges, in the Prometheus text format
/livez    200 while the process runs
/readyz   200 while events can be taken and passed on, else 503 with the reasons
`;
/** Nobody sends a body here. */
const BODY_BYTES_MAX = 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 75_000;

/** Rejects with config_invalid or listen_failed. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const address = parseListenAddress(options.listen);
  const { admits = () => true } = options;
  const fastify = adminRoutes(options);
  fastify.server.prependListener('connection', (socket: Socket) => {
    if (!admits(peerAddress(socket.remoteAddress))) socket.destroy();
  });
  await fastify.ready();
  const bound = await listenOn(fastify.server, address);
  return {
    address: printAddress(bound),
    async close() {
      const closed = new Promise<void>((resolve) => fastify.server.close(() => resolve()));
      // A scraper that holds its connection open has its answer already.
      fastify.server.closeAllConnections();
      await closed;
      await fastify.close();
    },
  };
}

function adminRoutes({ metrics, unreadyReasons }: AdminServerOptions): FastifyInstance {
  const fastify = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
  });
  fastify.get('/', (_request, reply) => reply.type(TEXT).send(INDEX));
  fastify.get('/livez', (_request, reply) => reply.type(TEXT).send('ok\n'));
  fastify.get('/readyz', (_request, reply) => {
    const reasons = unreadyReasons();
    const body = reasons.length === 0 ? 'ok\n' : reasons.map((reason) => `${reason}\n`).join('');
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .type(TEXT)
      .send(body);
  });
  fastify.get('/metrics', async (request, reply) => {
    const { contentType, body } = await metrics(request.headers.accept ?? '');
    return reply.type(contentType).send(body);
  });
  return fastify;
}
