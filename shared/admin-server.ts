// The operator's page: /metrics for Prometheus, /livez and /readyz for whoever starts and stops us, and actions for whoever sits at this
// machine. It has nothing of the senders' and nothing secret. A part that is not ready answers 503 with its reasons, a line each; liveness is that it answers at all.

import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { SluiceError, reasonOf } from './errors.ts';
import { isLoopback, listenOn, parseListenAddress, printAddress } from './listen-address.ts';
import { UNIX_PEER, peerAddress } from './networks.ts';

export interface AdminServerOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** Whether a connection from this address (of `peerAddress`) is answered. */
  readonly admits: (address: string) => boolean;
  /** `accept`: the header of the scraper. */
  readonly metrics: (accept: string) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Empty while all is well. */
  readonly unreadyReasons: () => readonly string[] | Promise<readonly string[]>;
  /** What an operator of this machine may ask the process to do. */
  readonly actions?: readonly AdminAction[];
}

/** Something that is done when it is posted for; only from this machine, whatever the page listens on. */
export interface AdminAction {
  readonly path: string;
  /** For the index: method, and what it does. */
  readonly about: string;
  /**
   * Tells how far it is, line by line; rejects with a SluiceError before the first line where it cannot be done.
   * @param body the request's JSON @param signal aborted when the asker hangs up
   */
  readonly run: (body: unknown, signal: AbortSignal) => AsyncGenerator<string, void, void>;
}

export interface AdminServer {
  /** As bound. */
  readonly address: string;
  close(): Promise<void>;
}

const TEXT = 'text/plain; charset=utf-8';
const LINES = 'application/x-ndjson';
const INDEX = `Sluice, for its operators:
/metrics  counters and gauges, in the Prometheus text format
/livez    200 while the process runs
/readyz   200 while events can be taken and passed on, else 503 with the reasons
`;
/** Nobody sends more than the few words of an action. */
const BODY_BYTES_MAX = 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 75_000;

/** Rejects with config_invalid or listen_failed. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const address = parseListenAddress(options.listen);
  const { admits } = options;
  // Not before it is needed: a job that ends by itself has no page, and starts the faster.
  const { default: createFastify } = await import('fastify');
  const fastify = createFastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
  });
  addRoutes(fastify, options, address.kind);
  fastify.server.prependListener('connection', (socket: Socket) => {
    const peer = peerAddress(socket.remoteAddress, address.kind);
    if (peer === null || !admits(peer)) socket.destroy();
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

function addRoutes(
  fastify: FastifyInstance,
  { metrics, unreadyReasons, actions = [] }: AdminServerOptions,
  listensOn: 'tcp' | 'unix',
): void {
  const index = INDEX + actions.map(({ path, about }) => `${path}  ${about}\n`).join('');
  fastify.get('/', (_request, reply) => reply.type(TEXT).send(index));
  fastify.get('/livez', (_request, reply) => reply.type(TEXT).send('ok\n'));
  fastify.get('/readyz', async (_request, reply) => {
    const reasons = await unreadyReasons();
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
  // A page in a browser can post text to loopback, but no JSON without asking first; so JSON it must be.
  fastify.removeContentTypeParser('text/plain');
  for (const action of actions) addAction(fastify, action, listensOn);
}

function addAction(fastify: FastifyInstance, action: AdminAction, listensOn: 'tcp' | 'unix'): void {
  fastify.post(action.path, async (request, reply) => {
    if (!isOfThisMachine(peerAddress(request.socket.remoteAddress, listensOn))) {
      return reply
        .code(403)
        .type(TEXT)
        .send('Cannot do this for another machine: ask from the one that Sluice runs on\n');
    }
    const hangUp = new AbortController();
    reply.raw.on('close', () => hangUp.abort());
    const lines = action.run(request.body, hangUp.signal);
    try {
      const first = await lines.next();
      return await reply.type(LINES).send(Readable.from(following(first, lines)));
    } catch (error) {
      const status = error instanceof SluiceError ? error.kind.http : 500;
      return reply
        .code(status)
        .type(TEXT)
        .send(`${reasonOf(error)}\n`);
    }
  });
}

async function* following(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, void>,
): AsyncGenerator<string, void, void> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

function isOfThisMachine(peer: string | null): boolean {
  return peer === UNIX_PEER || (peer !== null && isLoopback({ kind: 'tcp', host: peer, port: 0 }));
}
