// The operator's page: /metrics for Prometheus, /livez and /readyz for whoever starts and stops us, and actions for
// operators. It has nothing of the senders' and nothing secret. A part that is not ready answers 503 with its reasons,
// a line each; liveness is that it answers at all.
//
// Guarantees: but for /livez and /readyz without a token, nothing is answered and nothing done before `access` has
// admitted the request, whatever its path; who is not known gets no reasons from /readyz.

import type { IncomingMessage, RequestListener, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Server as TlsServer, TlsOptions } from 'node:tls';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AcceptedSockets } from './accepted-sockets.ts';
import type { AdminDeed } from '../access-log.ts';
import { boundedRequests } from './bounded-requests.ts';
import { SluiceError, reasonOf } from '../errors.ts';
import { IdleConnections } from './idle-connections.ts';
import { listenOn, parseListenAddress, printAddress } from './listen-address.ts';
import { peerAddress } from './networks.ts';

export interface AdminServerOptions {
  /** host:port, :port or unix:/path. */
  readonly listen: string;
  /** What every connection passes before a byte of it is read; it closes those that it does not let in. */
  readonly door: AdminDoor;
  readonly access: AdminAccess;
  /** Null: in the clear. */
  readonly tls: AdminTls | null;
  readonly telemetry: AdminPageTelemetry;
  /** `accept`: the header of the scraper. */
  readonly metrics: (accept: string) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Empty while all is well. */
  readonly unreadyReasons: () => readonly string[] | Promise<readonly string[]>;
  /** What an operator may ask the process to do. */
  readonly actions?: readonly AdminAction[];
}

interface AdminDoor {
  enter(socket: Socket, listensOn: 'tcp' | 'unix'): string | null;
  /** What an address may ask for; null: it has no rate. */
  rateOf(address: string): { request(): boolean } | null;
}

export type AdminVerdict =
  /** `who`: as the audit line of an action names it. */
  { readonly who: string; readonly mayAct: boolean } | { readonly refused: 401 | 403 | 429; readonly why: string };

export interface AdminAccess {
  /** Whether the request is answered; takes its time to refuse. */
  admit(request: IncomingMessage, peer: string): Promise<AdminVerdict>;
  /** Who it is, as far as is known; null: nobody who is known. Refuses nothing and tells nothing. */
  whoIs(request: IncomingMessage): string | null;
}

/** The certificate that the page shows. */
interface AdminTls {
  options(clients: 'reads'): TlsOptions;
  /** The server shows new certificates as they come. */
  follow(server: TlsServer, clients: 'reads'): void;
}

interface AdminPageTelemetry {
  authFailed(
    input: 'admin',
    reason: 'tls_failed' | 'certificate_refused' | 'other_machine',
    peer: string | null,
    detail?: string,
  ): void;
  /** It asks too often, or too much at once. */
  connectionEnded(input: 'admin', reason: 'too_fast' | 'pipelined', refusedPeer: string): void;
  acted(deed: AdminDeed): void;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers whoever may connect: it tells no more than that the process is well. */
    open?: true;
  }
  interface FastifyRequest {
    /** What `access` said; null on an open route. */
    operator: { readonly who: string; readonly mayAct: boolean; readonly peer: string } | null;
  }
}

/** Something that is done when it is posted for, by who may act. */
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
/** Of a refusal: what its asker sends on is not read. */
const GOODBYE = { connection: 'close' };
const LATER = { 'retry-after': '2' };
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

/** Every path, those that do not exist too, but for the open ones. */
function admitAll(
  fastify: FastifyInstance,
  { access, door, telemetry }: Pick<AdminServerOptions, 'access' | 'door' | 'telemetry'>,
  listensOn: 'tcp' | 'unix',
): void {
  fastify.decorateRequest('operator', null);
  fastify.addHook('onRequest', async (request, reply) => {
    const peer = peerAddress(request.socket.remoteAddress, listensOn);
    if (peer === null) {
      request.socket.destroy();
      return reply.hijack();
    }
    if (door.rateOf(peer)?.request() === false) {
      telemetry.connectionEnded('admin', 'too_fast', peer);
      const why = 'Cannot answer: your address asks more often than its rate; ask later\n';
      return reply
        .headers({ ...GOODBYE, ...LATER })
        .code(429)
        .type(TEXT)
        .send(why);
    }
    // Who shows a token is told whether it is right, which must not be free to guess anywhere.
    if (request.routeOptions.config.open && request.headers.authorization === undefined) return;
    const verdict = await access.admit(request.raw, peer);
    if (!('refused' in verdict)) {
      request.operator = { ...verdict, peer };
      return;
    }
    if (verdict.refused === 401) reply.header('www-authenticate', 'Bearer realm="sluice", Basic realm="sluice"');
    if (verdict.refused === 429) reply.headers(LATER);
    return reply.headers(GOODBYE).code(verdict.refused).type(TEXT).send(`${verdict.why}\n`);
  });
}

function addRoutes(
  fastify: FastifyInstance,
  { metrics, unreadyReasons, actions = [], access, telemetry }: AdminServerOptions,
): void {
  const index = INDEX + actions.map(({ path, about }) => `${path}  ${about}\n`).join('');
  fastify.get('/', (_request, reply) => reply.type(TEXT).send(index));
  const open = { config: { open: true } } as const;
  fastify.get('/livez', open, (_request, reply) => reply.type(TEXT).send('ok\n'));
  fastify.get('/readyz', open, async ({ raw }, reply) => {
    const reasons = await unreadyReasons();
    // They name brokers and stores.
    const told = access.whoIs(raw) === null ? ['not ready; the reasons are told to who shows a token'] : reasons;
    const body = reasons.length === 0 ? 'ok\n' : told.map((reason) => `${reason}\n`).join('');
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
  for (const action of actions) {
    fastify.post(action.path, (request, reply) => act(action, { request, reply, telemetry }));
  }
}

interface Asked {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly telemetry: AdminPageTelemetry;
}

async function act({ path, run }: AdminAction, { request, reply, telemetry }: Asked): Promise<FastifyReply> {
  const { operator } = request;
  if (!operator?.mayAct) {
    telemetry.authFailed('admin', 'other_machine', operator?.peer ?? null);
    const why = 'Cannot do this for another machine: ask from the one that Sluice runs on, or set SLUICE_ADMIN_TOKEN';
    return reply.code(403).type(TEXT).send(`${why}\n`);
  }
  const { who, peer } = operator;
  const tell = (outcome: AdminDeed['outcome']): void => telemetry.acted({ action: path, who, peer, outcome });
  const hangUp = new AbortController();
  reply.raw.on('close', () => hangUp.abort());
  const lines = run(request.body, hangUp.signal);
  try {
    const first = await lines.next();
    tell('started');
    return await reply.type(LINES).send(Readable.from(following(first, lines, tell)));
  } catch (error) {
    tell('failed');
    const status = error instanceof SluiceError ? error.kind.http : 500;
    return reply
      .code(status)
      .type(TEXT)
      .send(`${reasonOf(error)}\n`);
  }
}

async function* following(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, void>,
  tell: (outcome: AdminDeed['outcome']) => void,
): AsyncGenerator<string, void, void> {
  let outcome: AdminDeed['outcome'] = 'failed';
  try {
    if (!first.done) {
      yield first.value;
      yield* rest;
    }
    outcome = 'done';
  } finally {
    tell(outcome);
  }
}
