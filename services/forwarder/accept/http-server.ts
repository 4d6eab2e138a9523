// The server of all HTTP inputs, on fastify: its limits and times, its routes, and what it answers to an error.
//
//   POST /<tag>      events (http-input.ts)
//   GET /            what this is
//   anything else    404 or 405, with a reason
//
// Errors are answered {"error": code, "message": "Cannot …"}, those that may pass with Retry-After.

import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '#shared/clock.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import { listenOn, parseListenAddress, printAddress } from '#shared/listen-address.ts';
import type { Intake } from '../chunk.ts';
import { BodyReader } from './http-body.ts';
import { HttpConnections } from './http-connections.ts';
import { takeEvents } from './http-input.ts';

export interface HttpTelemetry {
  connectionOpened(input: 'http'): void;
  connectionClosed(input: 'http'): void;
  /** A request was refused before intake had its events. */
  chunkRejected(input: 'http', reason: ErrorCode | 'internal', detail: string): void;
}

export interface HttpServerOptions {
  readonly intake: Intake;
  readonly telemetry: HttpTelemetry;
  /** Most bytes of a body, as sent and uncompressed. */
  readonly bodyBytesMax: number;
  readonly clock?: Clock;
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
const ABOUT = 'Sluice takes logs here: POST /<tag> with JSON, NDJSON or msgpack.\n';

/** Rejects with config_invalid or listen_failed. */
export async function startHttpServer(listen: string, options: HttpServerOptions): Promise<HttpServer> {
  const limits = { ...LIMITS, ...options.limits };
  const address = parseListenAddress(listen);
  const clock = options.clock ?? systemClock;
  const { telemetry } = options;
  const fastify = createFastify(limits, options.bodyBytesMax, (error, socket) => connections.broken(error, socket));
  const connections = new HttpConnections(fastify.server, {
    opened: () => telemetry.connectionOpened('http'),
    closed: () => telemetry.connectionClosed('http'),
    garbage: (code, detail) => telemetry.chunkRejected('http', code, detail),
  });
  addRoutes(fastify, connections, { ...options, clock }, limits);
  await fastify.ready();
  const bound = await listenOn(fastify.server, address);
  return { address: printAddress(bound), close: () => close(fastify, connections, clock, limits.closeGraceMs) };
}

type ClientErrorHandler = ConstructorParameters<typeof Object> extends never ? never : (error: Error, socket: import('node:net').Socket) => void;

function createFastify(limits: HttpLimits, bodyLimit: number, clientErrorHandler: ClientErrorHandler): FastifyInstance {
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
    http: {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5000, limits.headersTimeoutMs),
      maxHeaderSize: HEADER_BYTES_MAX,
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
    },
    // A path with a stray percent sign has no route, but is a tag.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  });
}

function addRoutes(
  fastify: FastifyInstance,
  connections: HttpConnections,
  { intake, telemetry, bodyBytesMax, clock }: HttpServerOptions & { clock: Clock },
  { roomWaitMs }: HttpLimits,
): void {
  const bodies = new BodyReader({ intake, clock, bodyBytesMax, heldBytesMax: bodyBytesMax, waitMs: roomWaitMs });
  const input = { intake, bodies, clock, bodyBytesMax };
  const expecting = expectingContinue(fastify);
  fastify.removeAllContentTypeParsers();
  // The input reads the body itself, bounded; fastify would have it whole first.
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  fastify.addHook('onRequest', async (request, reply) => {
    if (connections.closing) throw new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down');
    if (request.method !== 'POST' && request.raw.headers['transfer-encoding']) reply.header('connection', 'close');
  });
  fastify.addHook('onSend', async (request, reply) => {
    if (connections.isEnding(request.raw.socket)) reply.header('connection', 'close');
  });
  fastify.setErrorHandler((error, request, reply) => {
    const { code, message } = codedError(error);
    // Intake counts what it refuses itself.
    if (!NOT_COUNTED.has(request.raw)) telemetry.chunkRejected('http', code, message);
    if (!mayPassOver(request.raw, expecting)) reply.header('connection', 'close');
    return answerError(error, request, reply);
  });
  fastify.post('/*', async (request, reply) => {
    const begin = () => {
      if (expecting.delete(request.raw)) reply.raw.writeContinue();
    };
    const accepted = await takeEvents(request.raw, begin, input);
    return reply.type('application/json').send(`{"accepted":${accepted}}`);
  });
  fastify.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(ABOUT));
  fastify.options('/*', (_request, reply) => reply.header('allow', ALLOWED).code(204).send());
  fastify.setNotFoundHandler(async (request, reply) => {
    reply.header('allow', ALLOWED);
    throw request.method === 'GET' || request.method === 'HEAD'
      ? new SluiceError('path_unknown', 'Cannot give anything here: events are sent by POST /<tag>')
      : new SluiceError('method_refused', 'Cannot take events by this method: send them by POST /<tag>');
  });
}
