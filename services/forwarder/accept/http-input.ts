// `POST /<tag>`, as fluentd's in_http has it: a body of events to one chunk, answered when intake holds it.
//
// 200 {"accepted":2} is the last statement about these events; all else is an error of the table (shared/errors.ts). A body is
// taken whole or not at all. With an Idempotency-Key the same body gives the same entries whenever it comes: events
// without a time of their own then get the time of receipt in the indexer, not here.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { peerAddress } from '#shared/networks.ts';
import type { Compression } from '#shared/record/compression.ts';
import type { Chunk, Intake } from '../chunk.ts';
import { type EventTime, RECEIVE_TIME, eventTimeOfMs } from '../decode/event-time.ts';
import { bodyEntries, bodyFormat, timeOfParameter } from '../decode/http-body.ts';
import type { HttpEntries } from '../decode/http-entries.ts';
import { tagOfPath } from '../decode/http-tag.ts';
import { ANYONE, type Principal, tagOfPrincipal } from '../principal.ts';
import type { TenantRoom } from '../tenant-rooms.ts';
import { type BodyReader, compressionOf } from './http-body.ts';

const IDEMPOTENCY_KEY_MAX = 255;

export interface ReadChunkOptions {
  readonly intake: Pick<Intake, 'unreadyReason'>;
  readonly bodies: BodyReader;
  readonly clock: Clock;
  /** Most bytes of a body, and of its entries. */
  readonly bodyBytesMax: number;
  /** Keeps the body's bytes counted until it is disposed of. */
  readonly held: DisposableStack;
  /** Called before the first byte of the body is asked for. */
  readonly begin: () => void;
  readonly principalOf?: (request: IncomingMessage) => Principal;
  readonly roomOf?: (tenant: string | null) => Pick<TenantRoom, 'rateWaitMs'>;
}

/** The chunk that the request holds; null for a body without events (`[]`). Rejects with a SluiceError. */
export async function readChunk(request: IncomingMessage, options: ReadChunkOptions): Promise<Chunk | null> {
  // Whatever can be refused by the headers alone is refused before the body is read.
  const { path, query } = splitUrl(request.url ?? '/');
  const { principalOf = () => ANYONE, roomOf } = options;
  const principal = principalOf(request);
  const tag = tagOfPrincipal(principal, requestTag(path));
  const format = bodyFormat(request.headers['content-type']);
  if (!format) throw new SluiceError('content_type_unknown', UNKNOWN_TYPE);
  const compression = compressionOf(request.headers['content-encoding']);
  const chunkId = idempotencyKey(request);
  const time = requestTime(query);
  options.bodies.check(request);
  const { unreadyReason } = options.intake;
  if (unreadyReason !== null) throw new SluiceError('queue_unavailable', `Cannot take events: ${unreadyReason}`);

  const { tenant } = principal;
  if ((roomOf?.(tenant).rateWaitMs ?? 0) > 0) {
    throw new SluiceError(
      'rate_limited',
      'Cannot take events: their tenant sends more than its rate; send again later',
    );
  }

  const body = await wholeBody(request, compression, options);
  const { bytes, count } = takenEntries(
    bodyEntries(body, format, {
      time: time ?? (chunkId ? RECEIVE_TIME : eventTimeOfMs(options.clock.epochMs())),
      takeTime: time === null,
      bytesMax: options.bodyBytesMax,
    }),
    options.bodyBytesMax,
  );
  if (count === 0) return null;
  const sender = peerAddress(request.socket.remoteAddress);
  return { tag, input: 'http', tenant, sender, chunkId, encoding: 'identity', bytes, entries: bytes, count };
}

async function wholeBody(
  request: IncomingMessage,
  compression: Compression | null,
  { bodies, held, begin }: ReadChunkOptions,
): Promise<Buffer> {
  const sent = await bodies.read(request, held, begin);
  return compression ? bodies.decompress(sent, compression, held) : sent;
}

const UNKNOWN_TYPE =
  'Cannot read the body: its Content-Type is none of application/json, application/x-ndjson, application/msgpack, application/x-www-form-urlencoded';

function splitUrl(url: string): { path: string; query: string } {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function requestTag(path: string): string {
  const named = tagOfPath(path);
  if (named.kind !== 'tag') throw new SluiceError(named.kind, `Cannot take events: ${named.why}`);
  return named.tag;
}

function requestTime(query: string): EventTime | null {
  const text = new URLSearchParams(query).get('time');
  const time = text ? timeOfParameter(Buffer.from(text)) : null;
  if (time === undefined) {
    throw new SluiceError(
      'body_malformed',
      'Cannot take events: the parameter time has to be seconds since 1970, such as 1518756037.25',
    );
  }
  return time;
}

function idempotencyKey(request: IncomingMessage): Buffer | null {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || key.length === 0) return null;
  if (key.length > IDEMPOTENCY_KEY_MAX) {
    throw new SluiceError(
      'request_malformed',
      `Cannot take an Idempotency-Key of more than ${IDEMPOTENCY_KEY_MAX} bytes`,
    );
  }
  return Buffer.from(key, 'latin1');
}

function takenEntries(result: HttpEntries, bytesMax: number): { bytes: Uint8Array; count: number } {
  if (result.kind === 'entries') return result;
  if (result.kind === 'too_large') {
    throw new SluiceError(
      'body_too_large',
      `Cannot take the events of the body: they are more than ${bytesMax} bytes; send fewer at once`,
    );
  }
  const line = result.line === undefined ? '' : `line ${result.line}, `;
  throw new SluiceError('body_malformed', `Cannot read the body: ${result.why} (${line}byte ${result.at})`);
}
