// What the read API answers: /api/search, /api/histogram, /api/fields, /api/tail, to `sluice` itself what it would ask
// the store, and /api/openapi.json, which describes them. Every path is guarded, including those that do not exist.
//
// Guarantees: nothing is answered before the request was admitted; a reader with a tenant gets no document of another
// one, whatever it asks; an error is JSON with a code of docs/errors.md.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#shared/clock.ts';
import { type ErrorCode, reasonOf, SluiceError } from '#shared/errors.ts';
import type { ServerDoor } from '#shared/net/guarded-server.ts';
import { peerAddress } from '#shared/net/networks.ts';
import type { Reader, ReadAdmission } from './admission.ts';
import { type Answering, toldTo } from './answering.ts';
import { openApiDocument } from './openapi.ts';
import {
  type Asker,
  fieldsRequest,
  histogramRequest,
  type Parameters,
  QueryError,
  searchRequest,
  storeRequest,
  tailRequest,
} from './parameters.ts';
import type { Format, ReadKind, ReadRequest } from './request.ts';
import { countsRequest, documentsRequest, rowsRequest, storedTailRequest } from './stored-request.ts';
import type { ReadTelemetry } from './telemetry.ts';
import { postedJson } from './wire/posted-json.ts';

export interface ReadRoutesOptions {
  readonly door: ServerDoor;
  readonly admission: ReadAdmission;
  readonly telemetry: ReadTelemetry;
  readonly answering: Answering;
  readonly clock: Clock;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null before it was admitted. */
    reader: Reader | null;
  }
}

const JSON_TYPE = 'application/json; charset=utf-8';
const LINES_TYPE = 'application/x-ndjson; charset=utf-8';
const EVENTS_TYPE = 'text/event-stream; charset=utf-8';
/** What is found is for who asked, and is nothing to run. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
/** Of a refusal: what its asker sends on is not read. */
const GOODBYE = { connection: 'close' };
const LATER = { 'retry-after': '2' };
/** Codes by which nobody was let in, or not that far. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['unauthorized', 'login_limited', 'origin_refused', 'rate_limited']);
/** Below /api/. */
const ASKED = ['search', 'histogram', 'fields', 'tail', 'store'] as const satisfies readonly ReadKind[];
const POSTED = ['documents', 'counts', 'rows', 'tail'] as const satisfies readonly ReadKind[];
/** A query of 16,384 characters is no more, however it is written. */
const POSTED_BYTES_MAX = 2 * 1024 * 1024;

export function addReadRoutes(fastify: FastifyInstance, options: ReadRoutesOptions, listensOn: 'tcp' | 'unix'): void {
  fastify.decorateRequest('reader', null);
  fastify.addHook('onRequest', async (request, reply) => {
    const peer = peerAddress(request.socket.remoteAddress, listensOn);
    if (peer === null) {
      request.socket.destroy();
      return reply.hijack();
    }
    reply.headers(HEADERS);
    await admit(request, peer, options);
  });
  const asText = { parseAs: 'string' } as const;
  fastify.addContentTypeParser('application/json', asText, async (_request: FastifyRequest, text: string) =>
    postedJson(text),
  );
  fastify.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply));
  fastify.setNotFoundHandler(() => {
    const known = [...ASKED, 'openapi.json'].map((name) => `/api/${name}`).join(', ');
    const posted = POSTED.map((name) => `/api/${name}`).join(', ');
    throw new SluiceError(
      'path_unknown',
      `Cannot answer: this path, or method, is none of GET ${known}, or POST ${posted}`,
    );
  });
  fastify.get('/api/openapi.json', (_request, reply) => reply.type(JSON_TYPE).send(JSON.stringify(openApiDocument())));
  for (const kind of ASKED) fastify.get(`/api/${kind}`, (request, reply) => respond(kind, request, reply, options));
  for (const kind of POSTED) {
    const bounds = { bodyLimit: POSTED_BYTES_MAX };
    fastify.post(`/api/${kind}`, bounds, (request, reply) => respond(kind, request, reply, options));
  }
}

async function admit(
  request: FastifyRequest,
  peer: string,
  { door, admission, telemetry }: ReadRoutesOptions,
): Promise<void> {
  if (door.rateOf(peer)?.request() === false) {
    telemetry.connectionEnded('read', 'too_fast', peer);
    throw new SluiceError('rate_limited', 'Cannot answer: your address asks more often than its rate; ask later');
  }
  request.reader = await admission.admit(request.raw, peer);
}

async function respond(
  kind: ReadKind,
  request: FastifyRequest,
  reply: FastifyReply,
  { answering, clock, telemetry }: ReadRoutesOptions,
): Promise<FastifyReply> {
  const { reader } = request;
  // The hook has let it in.
  if (reader === null) throw new SluiceError('unauthorized', 'Cannot answer: nobody is known to ask');
  const hasLines = kind === 'documents' || (kind === 'search' && wantsLines(request));
  const format: Format = hasLines ? 'ndjson' : 'json';
  let asked: ReadRequest;
  try {
    asked = requestOf(kind, request, format, {
      tenant: reader.tenant,
      nowMs: clock.epochMs(),
      store: answering.store,
    });
  } catch (error) {
    telemetry.answered(kind, 'refused', 0);
    throw error;
  }
  const stream = await answering.begin(asked, reader, reply.raw);
  if (kind === 'tail') reply.header('x-accel-buffering', 'no');
  return reply.type(kind === 'tail' ? EVENTS_TYPE : format === 'ndjson' ? LINES_TYPE : JSON_TYPE).send(stream);
}

function requestOf(kind: ReadKind, request: FastifyRequest, format: Format, asker: Asker): ReadRequest {
  // Of fastify's parser: texts, and arrays where one is there twice.
  const given = request.query as Parameters;
  switch (kind) {
    case 'search':
      return searchRequest(given, asker, format);
    case 'histogram':
      return histogramRequest(given, asker);
    case 'fields':
      return fieldsRequest(given, asker);
    case 'tail': {
      const tail = request.method === 'POST' ? storedTailRequest(request.body, asker) : tailRequest(given, asker);
      return { ...tail, after: placeOf(request.headers['last-event-id']) };
    }
    case 'store':
      return storeRequest(given);
    case 'documents':
      return documentsRequest(request.body, asker);
    case 'counts':
      return countsRequest(request.body, asker);
    case 'rows':
      return rowsRequest(request.body, asker);
  }
}

/** What a reader of a tail shows that comes back; what it did not get of us tells nothing. */
const placeOf = (id: string | string[] | undefined): number | undefined =>
  typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : undefined;

const wantsLines = ({ headers: { accept = '' } }: FastifyRequest): boolean => /\bapplication\/x-ndjson\b/.test(accept);

function answerError(error: unknown, { reader }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = error instanceof SluiceError ? error : ofFastify(error);
  const { code } = known;
  if (code === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="sluice", Basic realm="sluice"');
  if (known.kind.retryable) reply.headers(LATER);
  if (REFUSALS.has(code)) reply.headers(GOODBYE);
  const at = known instanceof QueryError ? { at: known.at } : {};
  return reply
    .code(known.kind.http)
    .type(JSON_TYPE)
    .send(`${JSON.stringify({ error: { code, message: toldTo(reader, known), ...at } })}\n`);
}

/** It refuses requests of its own accord: a body, a URL that is none. */
function ofFastify(error: unknown): SluiceError {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const code = status >= 400 && status < 500 ? 'request_malformed' : 'store_unavailable';
  return new SluiceError(code, `Cannot answer: ${reasonOf(error)}`, { cause: error });
}
