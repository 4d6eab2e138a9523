// The server of all HTTP inputs, on fastify: its limits and times, its routes, and what it answers to an error.
//
//   POST /<tag>      events (http-input.ts)
//   the dialects     each in a scope of its own, with answers of its own (../dialects)
//   anything else    404 or 405, with a reason
//
// Errors are answered {"error": code, "message": "Cannot …"}, those that may pass with Retry-After.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { boundedRequests, refuseExpectations } from '#shared/net/bounded-requests.ts';
import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { listenOn, parseListenAddress, printAddress } from '#shared/net/listen-address.ts';
import { peerAddress } from '#shared/net/networks.ts';
import type { Peer } from '../../admit/admission.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import type { Door } from '../../admit/door.ts';
import type { EventDebt } from '../../admit/event-debts.ts';
import type { Logins } from '../../admit/login-limit.ts';
import { peerOf, type TlsContext } from '../../admit/tls.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import type { Grant, Principal } from '../../intake/principal.ts';
import type { AuthFailure } from '../../intake/peer-telemetry.ts';
import type { TenantQuota } from '../../intake/tenant-quotas.ts';
import { refuseBrowser } from './browser.ts';
import { Converter } from '../convert/converter.ts';
import { BodyReader } from '../body/body-reader.ts';
import { HttpConnections } from './http-connections.ts';
import { HttpContext, type HttpContextOptions, type HttpDialect, type HttpTelemetry } from './http-context.ts';
import { answerError, codeOf, messageOf } from './http-errors.ts';
import { HttpTurns } from './http-turns.ts';
import { createHttpsServer } from './https-server.ts';

export interface HttpServerOptions {
  readonly intake: Intake;
  readonly telemetry: HttpTelemetry;
  /** Most bytes of a body, as sent and uncompressed. */
  readonly bodyBytesMax: number;
  readonly clock: Clock;
  /** What compressed bytes may grow to, of all inputs together. */
  readonly large: ByteBudget;
  /** Null: requests come in the clear. */
  readonly tls: TlsContext | null;
  /** How often senders without a known token may guess, and how long they wait for their answer. */
  readonly logins: Logins;
  /** Of HTTP, where the tenant is not known yet; absent: that of intake. */
  readonly room?: Room;
  /** What a tenant may bring. */
  readonly roomOf: (tenant: string | null) => Pick<TenantQuota, 'rateWaitMs'>;
  /** Null: senders need no token. */
  readonly tokens: { grantOf(authorization: string): Grant | null } | null;
  /** Whom a request speaks for, by its token, if it had to have one, and by its connection. */
  readonly principalOf: (peer: Peer, grant: Grant | null) => Principal;
  /** Origins whose pages may send; a browser of any other is refused. */
  readonly corsOrigins: readonly string[];
  /** Whose requests are taken: each has a scope of its own. */
  readonly dialects: readonly HttpDialect[];
  readonly limits?: Partial<HttpLimits>;
  /** Whether large bodies are converted in a thread of their own. */
  readonly threaded?: boolean;
}

/** Options of a server that listens. */
export interface HttpListenOptions extends HttpServerOptions {
  readonly door: Door;
}

export interface HttpLimits {
  /** How long a request waits while the edge has its hands full. */
  readonly roomWaitMs: number;
  /** How long a body may take to come in. */
  readonly requestTimeoutMs: number;
  /** How long the headers may take. */
  readonly headersTimeoutMs: number;
  /**
   * How long a connection may be silent between requests. Longer than the usual pool's or balancer's, so that they
   * close first.
   */
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
const CORS_SECONDS = 3600;
const ALLOWED = 'GET, HEAD, POST, OPTIONS';
/** Largest bodies that fit at once; more than one, so that one alone never waits for itself. */
const BODIES_HELD = 2;
/** What large bodies leave to small ones. */
const SMALL_RESERVE_BYTES = 16 * 1024 * 1024;

/** Rejects with config_invalid or listen_failed. */
export async function startHttpServer(listen: string, options: HttpListenOptions): Promise<HttpServer> {
  const address = parseListenAddress(listen);
  const { clock, door } = options;
  // A unix socket is guarded by its permissions, and nobody listens in.
  const tls = address.kind === 'tcp' ? options.tls : null;
  const rateOf = (peer: string): AddressRate | null => door.rateOf(peer);
  const debtOf = (peer: string, tenant: string | null): EventDebt | null => door.debtOf(peer, tenant);
  const { fastify, connections } = await prepareHttp({ ...options, rateOf, debtOf, tls, threaded: true }, address.kind);
  fastify.server.prependListener('connection', (socket: Socket) => door.enter(socket, address.kind));
  const graceMs = options.limits?.closeGraceMs ?? LIMITS.closeGraceMs;
  const bound = await listenOn(fastify.server, address);
  return { address: printAddress(bound), close: () => close(fastify, connections, clock, graceMs) };
}

/** All routes on a server that does not listen, for requests that come from elsewhere and go to `inject`. */
export async function prepareHttp(
  options: HttpServerOptions & Pick<HttpContextOptions, 'rateOf' | 'debtOf'>,
  listensOn: 'tcp' | 'unix',
): Promise<{ readonly fastify: FastifyInstance; readonly connections: HttpConnections }> {
  const limits = { ...LIMITS, ...options.limits };
  const { telemetry, clock, tokens, principalOf, roomOf, rateOf, debtOf, large, logins } = options;
  const pipelined = (socket: Socket): void =>
    telemetry.connectionEnded('http', 'pipelined', peerAddress(socket.remoteAddress, listensOn) ?? 'unknown');
  const broken = (error: Error, socket: Socket): void => connections.broken(error, socket);
  const fastify = createFastify(limits, options, { broken, pipelined });
  const connections = new HttpConnections(fastify.server, {
    opened: () => telemetry.connectionOpened('http'),
    closed: () => telemetry.connectionClosed('http'),
    garbage: (code, detail) => telemetry.chunkRejected('http', code, detail),
  });
  const { intake, room = intake, bodyBytesMax } = options;
  const waitMs = limits.roomWaitMs;
  const { requestTimeoutMs: timeoutMs } = limits;
  const heldBytesMax = BODIES_HELD * bodyBytesMax;
  const smallReserveBytes = SMALL_RESERVE_BYTES;
  const bytes = { bodyBytesMax, heldBytesMax, smallReserveBytes };
  const bodies = new BodyReader({ intake, room, clock, ...bytes, large, waitMs, timeoutMs });
  const { threaded = false } = options;
  const converter = new Converter({ clock, threaded });
  const turns = threaded ? new HttpTurns({ clock, waitMs, tooBusy: () => bodies.tooBusy() }) : null;
  fastify.addHook('onClose', () => converter[Symbol.asyncDispose]());
  refuseExpectations(fastify.server);
  const expecting = expectingContinue(fastify.server);
  const peerOfRequest = ({ socket }: IncomingMessage): Peer | null => peerOf(socket, listensOn);
  const shared = { intake, telemetry, clock, bodies, bodyBytesMax, tokens, principalOf, roomOf, timeoutMs, expecting };
  const { stopping } = connections;
  const peers = { rateOf, debtOf, peerOf: peerOfRequest };
  const context = new HttpContext({ ...shared, ...peers, logins, converter, turns, stopping });
  const { corsOrigins, dialects } = options;
  addRoutes(fastify, { connections, context, corsOrigins, dialects });
  await fastify.ready();
  return { fastify, connections };
}

interface Ends {
  readonly broken: (error: Error, socket: Socket) => void;
  readonly pipelined: (socket: Socket) => void;
}

function createFastify(
  limits: HttpLimits,
  { bodyBytesMax: bodyLimit, telemetry, tls }: HttpServerOptions,
  { broken: clientErrorHandler, pipelined }: Ends,
): FastifyInstance {
  const http = {
    ...boundedRequests(pipelined),
    headersTimeout: limits.headersTimeoutMs,
    // Bodies have a limit of their own (body-reader.ts): a journal is uploaded for as long as it takes.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(5000, limits.headersTimeoutMs),
    maxHeaderSize: HEADER_BYTES_MAX,
    // A body that stands still has as much in hand, and a read more.
    highWaterMark: HEADER_BYTES_MAX,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
  };
  const authFailed = (reason: AuthFailure, peer: string | null, detail: string): void =>
    telemetry.authFailed('http', reason, peer, detail);
  return Fastify({
    logger: false,
    bodyLimit,
    clientErrorHandler,
    connectionTimeout: limits.idleTimeoutMs,
    requestTimeout: 0,
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
    // A path that is not percent-encoded as it should be: no hook runs that asks for its rate, and no route.
    frameworkErrors: (error, _request, reply) => {
      telemetry.chunkRejected('http', codeOf(error), messageOf(error));
      answerError(error, reply.header('connection', 'close'));
    },
  });
}

interface RouteOptions {
  readonly connections: HttpConnections;
  readonly context: HttpContext;
  readonly corsOrigins: readonly string[];
  readonly dialects: readonly HttpDialect[];
}

function addRoutes(fastify: FastifyInstance, { connections, context, corsOrigins, dialects }: RouteOptions): void {
  // The routes read bodies themselves, bounded; fastify's parsers would have them whole first.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  fastify.addHook('onRequest', async (request, reply) => {
    if (connections.closing) throw new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down');
    refuseAmbiguousEnd(request, reply);
    refuseBrowser(request, corsOrigins);
    await context.admit(request, reply);
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    if (connections.isEnding(request.raw.socket)) reply.header('connection', 'close');
    done();
  });
  fastify.setErrorHandler(context.onError('http', answerError));

  for (const dialect of dialects) {
    fastify.register((scope, _options, done) => {
      dialect(scope, context);
      done();
    });
  }
  if (corsOrigins.length === 0) {
    fastify.options('/*', (_request, reply) => reply.header('allow', ALLOWED).code(204).send());
  } else {
    // It answers a page's question before its request; the token comes with the request.
    const methods = ['POST', 'PUT', 'GET', 'HEAD'];
    fastify.register(cors, { origin: [...corsOrigins], methods, maxAge: CORS_SECONDS, strictPreflight: false });
  }
  fastify.setNotFoundHandler(async ({ method }, reply) => {
    reply.header('allow', ALLOWED);
    throw method === 'GET' || method === 'HEAD'
      ? new SluiceError('path_unknown', 'Cannot give anything here: events are sent by POST /<tag>')
      : new SluiceError('method_refused', 'Cannot take events by this method: send them by POST /<tag>');
  });
}

/** Node accepts any list of codings that ends in chunked; a proxy before us may see the end of the body elsewhere. */
function refuseAmbiguousEnd({ headers }: FastifyRequest, reply: FastifyReply): void {
  const coding = headers['transfer-encoding'];
  if (coding === undefined || coding.toLowerCase() === 'chunked') return;
  reply.header('connection', 'close');
  throw new SluiceError('request_malformed', 'Cannot read the body: its Transfer-Encoding has to be chunked');
}

/** Requests that wait for 100 Continue. They get it when their headers are accepted and there is room. */
function expectingContinue(server: Server): WeakSet<IncomingMessage> {
  const expecting = new WeakSet<IncomingMessage>();
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    expecting.add(request);
    server.emit('request', request, response);
  });
  return expecting;
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
