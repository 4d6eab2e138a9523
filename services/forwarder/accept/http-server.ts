// The server of all HTTP inputs, on fastify: its limits and times, its routes, and what it answers to an error.
//
//   POST /<tag>      events (http-input.ts)
//   GET /            what this is
//   anything else    404 or 405, with a reason
//
// Errors are answered {"error": code, "message": "Cannot …"}, those that may pass with Retry-After.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Clock, systemClock } from '#shared/clock.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import { listenOn, parseListenAddress, printAddress } from '#shared/listen-address.ts';
import { peerAddress } from '#shared/networks.ts';
import type { TlsContext } from '../admit/tls.ts';
import type { Intake } from '../chunk.ts';
import type { Principal } from '../principal.ts';
import type { AuthFailure } from '../telemetry.ts';
import type { TenantRoom } from '../tenant-rooms.ts';
import { BodyReader } from './http-body.ts';
import { HttpConnections } from './http-connections.ts';
import { answerError, codeOf, messageOf } from './http-errors.ts';
import { readChunk } from './http-input.ts';
import { createHttpsServer } from './https-server.ts';

interface HttpTelemetry {
  connectionOpened(input: 'http'): void;
  connectionClosed(input: 'http'): void;
  /** A request was refused before intake had its events. */
  chunkRejected(input: 'http', reason: ErrorCode | 'internal', detail: string): void;
  authFailed(input: 'http', reason: AuthFailure, detail: string): void;
}

export interface HttpServerOptions {
  readonly intake: Intake;
  readonly telemetry: HttpTelemetry;
  /** Most bytes of a body, as sent and uncompressed. */
  readonly bodyBytesMax: number;
  readonly clock?: Clock;
  /** Whether a connection from this address (of `peerAddress`) is read; absent: any. */
  readonly admits?: (address: string) => boolean;
  /** Null: requests come in the clear. */
  readonly tls?: TlsContext | null;
  /** Whom a connection speaks for, where no token says it. */
  readonly principalOf?: (request: IncomingMessage) => Principal;
  /** What a tenant may bring; absent: whatever intake takes. */
  readonly roomOf?: (tenant: string | null) => Pick<TenantRoom, 'rateWaitMs'>;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits {
  /** How long a request waits while the edge has its hands full. */
  readonly roomWaitMs: number;
  /** How long a request may take to come in; its headers alone. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  /** How long a connection may be silent between requests. Longer than the usual pool's or balancer's, so that they close first. */
  readonly keepAliveTimeoutMs: number;
  /** How long a connection may be silent at all. */
  readonly idleTimeoutMs: number;
  /** How long a stop waits for requests in hand. */
  readonly closeGraceMs: number;
}

export interface HttpServer {
  /** As bound: host:port, or unix:/path. */
  readonly address: string;
  /** Takes no new requests; resolves when every request in hand has its answer and every connection is closed. */
  close(): Promise<void>;
}

const LIMITS: HttpLimits = {
  roomWaitMs: 5000,
  requestTimeoutMs: 120_000,
  headersTimeoutMs: 15_000,
  keepAliveTimeoutMs: 75_000,
  idleTimeoutMs: 180_000,
  closeGraceMs: 5000,
};
const HEADER_BYTES_MAX = 16 * 1024;
/** A refused body larger than this is not passed over: its connection is closed. */
const PASSED_OVER_MAX = 256 * 1024 * 1024;
const ALLOWED = 'GET, HEAD, POST, OPTIONS';
/** Largest bodies that fit at once; more than one, so that one alone never waits for itself. */
const BODIES_HELD = 2;
const ABOUT = 'Sluice takes logs here: POST /<tag> with JSON, NDJSON or msgpack.\n';

/** Rejects with config_invalid or listen_failed. */
export async function startHttpServer(listen: string, options: HttpServerOptions): Promise<HttpServer> {
  const limits = { ...LIMITS, ...options.limits };
  const address = parseListenAddress(listen);
  const clock = options.clock ?? systemClock;
  const { telemetry } = options;
  const tls = address.kind === 'tcp' ? (options.tls ?? null) : null;
  const fastify = createFastify(limits, { ...options, tls }, (error, socket) => connections.broken(error, socket));
  guard(fastify.server, (address) => {
    if (options.admits?.(address) ?? true) return true;
    telemetry.authFailed('http', 'network_refused', address);
    return false;
  });
  const connections = new HttpConnections(fastify.server, {
    opened: () => telemetry.connectionOpened('http'),
    closed: () => telemetry.connectionClosed('http'),
    garbage: (code, detail) => telemetry.chunkRejected('http', code, detail),
  });
  const { intake, bodyBytesMax } = options;
  const waitMs = limits.roomWaitMs;
  const bodies = new BodyReader({ intake, clock, bodyBytesMax, heldBytesMax: BODIES_HELD * bodyBytesMax, waitMs });
  addRoutes(fastify, connections, { ...options, clock, bodies });
  await fastify.ready();
  const bound = await listenOn(fastify.server, address);
  return { address: printAddress(bound), close: () => close(fastify, connections, clock, limits.closeGraceMs) };
}

/** A connection that may not be is closed before a byte of it is read. */
function guard(server: Server, admits: (address: string) => boolean): void {
  server.prependListener('connection', (socket: Socket) => {
    if (!admits(peerAddress(socket.remoteAddress))) socket.destroy();
  });
}

type ClientErrorHandler = (error: Error, socket: Socket) => void;

function createFastify(
  limits: HttpLimits,
  { bodyBytesMax: bodyLimit, telemetry, tls = null }: HttpServerOptions,
  clientErrorHandler: ClientErrorHandler,
): FastifyInstance {
  const http = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(5000, limits.headersTimeoutMs),
    maxHeaderSize: HEADER_BYTES_MAX,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
  };
  const authFailed = (reason: AuthFailure, detail: string): void => telemetry.authFailed('http', reason, detail);
  return Fastify({
    logger: false,
    bodyLimit,
    clientErrorHandler,
    connectionTimeout: limits.idleTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxRequestsPerSocket: 0,
    requestIdHeader: false,
    return503OnClosing: false,
    forceCloseConnections: false,
    exposeHeadRoutes: true,
    ...(tls && {
      serverFactory: (handler: RequestListener) => createHttpsServer({ tls, http, times: limits, authFailed }, handler),
    }),
    http,
    // A path that is not percent-encoded as it should be: no hook runs, and no route.
    frameworkErrors: (error, _request, reply) => {
      telemetry.chunkRejected('http', codeOf(error), messageOf(error));
      answerError(error, reply);
    },
  });
}

interface RouteOptions extends HttpServerOptions {
  readonly clock: Clock;
  readonly bodies: BodyReader;
}

function addRoutes(fastify: FastifyInstance, connections: HttpConnections, options: RouteOptions): void {
  const { intake, telemetry } = options;
  const expecting = expectingContinue(fastify.server);
  /** Requests whose events intake has, and counts. */
  const handedOver = new WeakSet<IncomingMessage>();
  // The input reads the body itself, bounded; fastify's parsers would have it whole first.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  fastify.addHook('onRequest', (_request, _reply, done) => {
    done(
      connections.closing ? new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down') : undefined,
    );
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    if (connections.isEnding(request.raw.socket)) reply.header('connection', 'close');
    done();
  });
  fastify.setErrorHandler((error, { raw }, reply) => {
    if (!handedOver.has(raw)) telemetry.chunkRejected('http', codeOf(error), messageOf(error));
    if (expecting.has(raw) || !mayPassOver(raw)) reply.header('connection', 'close');
    return answerError(error, reply);
  });

  fastify.post('/*', async ({ raw }, reply) => {
    using held = new DisposableStack();
    const begin = () => {
      if (expecting.delete(raw)) reply.raw.writeContinue();
    };
    const chunk = await readChunk(raw, { ...options, held, begin });
    if (chunk) {
      handedOver.add(raw);
      await intake.accept(chunk);
    }
    return reply.type('application/json; charset=utf-8').send(`{"accepted":${chunk?.count ?? 0}}`);
  });
  fastify.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(ABOUT));
  fastify.options('/*', (_request, reply) => reply.header('allow', ALLOWED).code(204).send());
  fastify.setNotFoundHandler(async ({ method }, reply) => {
    reply.header('allow', ALLOWED);
    throw method === 'GET' || method === 'HEAD'
      ? new SluiceError('path_unknown', 'Cannot give anything here: events are sent by POST /<tag>')
      : new SluiceError('method_refused', 'Cannot take events by this method: send them by POST /<tag>');
  });
}

/** Requests that wait for 100 Continue: they get it when their headers are accepted and there is room. */
function expectingContinue(server: Server): WeakSet<IncomingMessage> {
  const expecting = new WeakSet<IncomingMessage>();
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    expecting.add(request);
    server.emit('request', request, response);
  });
  return expecting;
}

/** Whether the rest of a refused body is read and forgotten, so that its sender hears the answer and may go on. */
function mayPassOver(request: IncomingMessage): boolean {
  return request.complete || Number(request.headers['content-length'] ?? 0) <= PASSED_OVER_MAX;
}

async function close(
  fastify: FastifyInstance,
  connections: HttpConnections,
  clock: Clock,
  graceMs: number,
): Promise<void> {
  const { server } = fastify;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  connections.close();
  using _grace = clock.timer(graceMs, () => connections.destroyAll());
  await closed;
  await fastify.close();
}
