// What the routes of all HTTP dialects share: a request's body, bounded; its sender, tag and Idempotency-Key; the way into intake;
// and what is counted when a request is refused.
//
// Guarantees: what the headers alone refuse is refused before the body is read; an event is counted once, by intake where
// intake had it, else as a refused chunk of its dialect.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#shared/clock.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { Compression } from '#shared/record/compression.ts';
import { type AddressRate, passed } from '../admit/address-rates.ts';
import type { Peer } from '../admit/admission.ts';
import type { Content, InputName, Intake } from '../chunk.ts';
import { contentOf, type EventsName } from '../decode/content.ts';
import { type EventTime, RECEIVE_TIME, eventTimeOfMs } from '../decode/event-time.ts';
import {
  type ConversionName,
  type ConversionOptions,
  type Converted,
  buffersOf,
  unpackedBytes,
} from '../dialects/conversions.ts';
import { tagOfHeader } from '../decode/http-tag.ts';
import { countExcessOf } from '../event-limit.ts';
import { type Grant, type Principal, tagOfPrincipal } from '../principal.ts';
import type { TenantRoom } from '../tenant-rooms.ts';
import type { Converter } from './converter.ts';
import { type BodyReader, compressionOf } from './http-body.ts';
import { codeOf, messageOf } from './http-errors.ts';
import { HttpLogin, type HttpLoginOptions, type LoginTelemetry, isLoginRefusal } from './http-login.ts';
import { idempotencyKey } from './idempotency-key.ts';

/** Refusals of who sends, or how much, not of what was sent: told of as such. */
const REFUSES_SENDER: ReadonlySet<string> = new Set<ErrorCode>(['origin_refused', 'tag_refused', 'rate_limited']);
/** A refused body larger than this is not passed over: its connection is closed. */
const PASSED_OVER_MAX = 256 * 1024 * 1024;

export interface HttpTelemetry extends LoginTelemetry {
  connectionOpened(input: 'http'): void;
  connectionClosed(input: 'http'): void;
  /** It has more requests in hand than a connection may. */
  connectionEnded(input: 'http', reason: 'pipelined', refusedPeer: string): void;
  /** A request was refused before intake had its events; `refusedPeer`: for who sent it or how much. */
  chunkRejected(input: InputName, reason: ErrorCode | 'internal', detail: string, refusedPeer?: string): void;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers without a token: it tells and takes nothing. */
    open?: true;
  }
}

/** Registers the routes of a dialect in a scope of its own. */
export type HttpDialect = (scope: FastifyInstance, context: HttpContext) => void;

type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;
type Answer = (error: unknown, reply: FastifyReply, request: FastifyRequest) => FastifyReply;

export interface HttpContextOptions extends HttpLoginOptions {
  readonly intake: Intake;
  readonly telemetry: Pick<HttpTelemetry, 'chunkRejected'> & LoginTelemetry;
  readonly clock: Clock;
  readonly bodies: BodyReader;
  readonly converter: Converter;
  /** Most bytes of a body, and of its entries. */
  readonly bodyBytesMax: number;
  /** Who sent it; null where the connection is gone. */
  readonly peerOf: (request: IncomingMessage) => Peer | null;
  /** Whom a request speaks for, by its token, if it had to have one, and by its connection. */
  readonly principalOf: (peer: Peer, grant: Grant | null) => Principal;
  /** What a tenant may bring. */
  readonly roomOf: (tenant: string | null) => Pick<TenantRoom, 'rateWaitMs'>;
  /** What an address may bring; null: it has no rate. */
  readonly rateOf: (address: string) => AddressRate | null;
  /** How long a refused body is passed over. */
  readonly timeoutMs: number;
  /** Aborted when we take no new requests any more. */
  readonly stopping: AbortSignal;
  /** Requests that wait for 100 Continue. */
  readonly expecting: WeakSet<IncomingMessage>;
}

export class HttpContext {
  readonly options: HttpContextOptions;
  readonly bodyBytesMax: number;
  /** Errors that intake has counted. */
  readonly #counted = new WeakSet<object>();
  /** Of each connection, asked for once. */
  readonly #rates = new WeakMap<object, AddressRate | null>();
  readonly #login: HttpLogin;

  constructor(options: HttpContextOptions) {
    this.options = options;
    this.#login = new HttpLogin(options);
    this.bodyBytesMax = options.bodyBytesMax;
  }

  /** Before anything of the body is read. Rejects with rate_limited, login_limited, or unauthorized, the later the more often this peer was refused. */
  async admit({ raw, routeOptions }: FastifyRequest, reply: FastifyReply): Promise<void> {
    const peer = this.options.peerOf(raw)?.address ?? null;
    if (peer !== null && this.#rateOf(raw, peer)?.request() === false) {
      throw new SluiceError(
        'rate_limited',
        'Cannot take events: their address sends more than its rate; send again later',
      );
    }
    if (routeOptions.config.open || raw.method === 'OPTIONS') return;
    await this.#login.admit(raw, peer, reply);
  }

  /**
   * Throws encoding_unknown, request_malformed, queue_unavailable, rate_limited.
   * @param ownEncoding a Content-Encoding that the dialect sees to itself
   */
  open(input: InputName, { raw }: FastifyRequest, reply: FastifyReply, ownEncoding?: string): HttpExchange {
    const begin = () => {
      if (this.options.expecting.delete(raw)) reply.raw.writeContinue();
    };
    const encoding = raw.headers['content-encoding'];
    const compression = ownEncoding !== undefined && encoding === ownEncoding ? null : compressionOf(encoding);
    const peer = this.options.peerOf(raw);
    if (!peer) throw new SluiceError('request_malformed', 'Cannot take events: the connection was closed');
    const principal = this.options.principalOf(peer, this.#login.grantOf(raw));
    const sender = peer.address;
    const counted = this.#counted;
    const rate = this.#rateOf(raw, sender);
    return new HttpExchange(input, raw, { ...this.options, begin, compression, principal, sender, rate, counted });
  }

  #rateOf({ socket }: IncomingMessage, address: string): AddressRate | null {
    let rate = this.#rates.get(socket);
    if (rate === undefined) {
      rate = this.options.rateOf(address);
      this.#rates.set(socket, rate);
    }
    return rate;
  }

  /** A scope's error handler: counts, sees to the rest of the body, and gives the dialect's answer. */
  onError(input: InputName, answer: Answer): ErrorHandler {
    const { expecting } = this.options;
    return (error, request, reply) => {
      const { raw } = request;
      const code = codeOf(error);
      if (!isLoginRefusal(code)) this.refused(input, error, this.options.peerOf(raw)?.address);
      const ends = isLoginRefusal(code) || code === 'request_timeout';
      if (ends || expecting.has(raw) || !mayPassOver(raw)) reply.header('connection', 'close');
      else if (!raw.complete) this.#passOver(raw);
      return answer(error, reply, request);
    };
  }

  /** Counts what is refused, be it a part of a body whose rest is taken; what intake refused is counted there. */
  refused(input: InputName, error: unknown, peer = 'unknown'): void {
    if (typeof error === 'object' && error !== null && this.#counted.has(error)) return;
    const code = codeOf(error);
    const refusedPeer = REFUSES_SENDER.has(code) ? peer : undefined;
    this.options.telemetry.chunkRejected(input, code, messageOf(error), refusedPeer);
  }

  /** What is left of a refused body is read and forgotten, so that its sender may go on; but not for ever, nor for nothing. */
  #passOver(request: IncomingMessage): void {
    const { clock, timeoutMs } = this.options;
    const rate = this.#rates.get(request.socket);
    if (rate) request.on('data', (piece: Buffer) => rate.take(piece.length));
    // Its connection ends with it, where it has one.
    const timer = clock.timer(timeoutMs, () => request.destroy());
    request.once('close', () => timer[Symbol.dispose]());
  }
}

/** Events of one tag, as a dialect hands them over. */
export interface Events {
  readonly tag: string;
  readonly entries: Uint8Array;
  readonly count: number;
}

interface ExchangeOptions extends HttpContextOptions {
  /** Called before the first byte of the body is asked for. */
  readonly begin: () => void;
  readonly compression: Compression | null;
  readonly principal: Principal;
  readonly sender: string;
  /** Of its address; null: it has none. */
  readonly rate: AddressRate | null;
  readonly counted: WeakSet<object>;
}

/** A request that is being answered. The bytes of its body are counted until it is disposed of. */
export class HttpExchange implements Disposable {
  readonly sender: string;
  readonly principal: Principal;
  /** The Idempotency-Key. */
  readonly chunkId: Buffer | null;
  readonly #input: InputName;
  readonly #request: IncomingMessage;
  readonly #options: ExchangeOptions;
  readonly #held = new DisposableStack();
  /** Of the body, where a key names it. */
  #content: Content | null = null;
  /** Chunks that were made of the body so far, by tag. */
  readonly #chunksOfTag = new Map<string, number>();

  constructor(input: InputName, request: IncomingMessage, options: ExchangeOptions) {
    this.#input = input;
    this.#request = request;
    this.#options = options;
    this.chunkId = idempotencyKey(request);
    const { unreadyReason } = options.intake;
    if (unreadyReason !== null) throw new SluiceError('queue_unavailable', `Cannot take events: ${unreadyReason}`);
    this.sender = options.sender;
    this.principal = options.principal;
    if (options.roomOf(this.principal.tenant).rateWaitMs > 0) {
      throw new SluiceError(
        'rate_limited',
        'Cannot take events: their tenant sends more than its rate; send again later',
      );
    }
  }

  /**
   * The time of events that have none: now; but where the request may come again, "when it was received", so that its entries are
   * the same each time.
   */
  get defaultTime(): EventTime {
    return this.chunkId ? RECEIVE_TIME : eventTimeOfMs(this.#options.clock.epochMs());
  }

  /** The tag by the header X-Sluice-Tag, else `own`. Throws tag_invalid, tag_refused. */
  headerTag(own: string): string {
    const header = this.#request.headers['x-sluice-tag'];
    if (typeof header !== 'string') return this.tag(own);
    const named = tagOfHeader(header);
    if (named.kind !== 'tag') throw new SluiceError(named.kind, `Cannot take events: ${named.why}`);
    return this.tag(named.tag);
  }

  /** A tag as this sender may use it. Throws tag_refused. */
  tag(own: string): string {
    return tagOfPrincipal(this.principal, own);
  }

  /** The whole body, uncompressed. Rejects with a SluiceError. */
  async body(): Promise<Buffer> {
    const { bodies, begin, compression } = this.#options;
    const sent = await bodies.read(this.#request, this.#held, begin);
    this.#options.rate?.take(sent.length);
    const body = compression ? await bodies.decompress(sent, compression, this.#held) : sent;
    // The URL may hold a time, a host, or the events themselves.
    if (this.chunkId) this.#content = contentOf(body, queryOf(this.#request.url));
    return body;
  }

  /** The body piece by piece, as it is sent, for what has no end that is known; the next one is read when there is room. */
  async *pieces(): AsyncGenerator<Buffer, void, undefined> {
    const { bodies, begin, compression, rate } = this.#options;
    if (compression) {
      throw new SluiceError('encoding_unknown', 'Cannot read the body: here it must have no Content-Encoding');
    }
    for await (const piece of bodies.pieces(this.#request, begin, () => this.#rateAllows())) {
      rate?.take(piece.length);
      yield piece;
    }
  }

  /** Resolves when the rate of its address lets more be read, when its sender is gone, or when we stop: then what was sent is still read. */
  async #rateAllows(): Promise<void> {
    const { rate, clock, stopping } = this.#options;
    if (!rate || rate.waitMs === 0) return;
    const over = new AbortController();
    const end = (): void => over.abort();
    this.#request.once('close', end);
    stopping.addEventListener('abort', end, { once: true });
    if (this.#request.destroyed || stopping.aborted) end();
    while (!over.signal.aborted && rate.waitMs > 0) await passed(clock, rate.waitMs, over.signal);
    this.#request.off('close', end);
    stopping.removeEventListener('abort', end);
  }

  /** The body, which is void from here on, to what its dialect makes of it; the memory of that is counted. Rejects with body_too_costly or too_many_events. */
  async convert<N extends ConversionName>(name: N, body: Buffer, options: ConversionOptions<N>): Promise<Converted<N>> {
    const bytes = unpackedBytes(name, body);
    const converted = await this.#options.converter.convert(name, body, options);
    const excess = 'count' in converted ? countExcessOf({ count: converted.count, bytes }) : null;
    if (excess !== null) throw new SluiceError('too_many_events', `Cannot take events: ${excess}; send fewer at once`);
    for (const { byteLength } of buffersOf(converted)) this.hold(byteLength);
    return converted;
  }

  /** Counts bytes that a dialect unpacked itself, as long as the exchange lasts. */
  hold(bytes: number): void {
    this.#options.bodies.hold(bytes, this.#held);
  }

  /**
   * Resolves when the events are held. Without events it does nothing.
   * @param own what the sender calls these events, null for nothing; else they go by the Idempotency-Key and the body
   */
  async accept({ tag, entries, count }: Events, own?: EventsName | null): Promise<void> {
    if (count === 0) return;
    const name = own === undefined ? this.#nameIn(tag) : own;
    const { intake, counted } = this.#options;
    const { sender, principal } = this;
    const origin = { tag, input: this.#input, tenant: principal.tenant, sender };
    try {
      const named = name ?? { chunkId: null };
      await intake.accept({ ...origin, ...named, encoding: 'identity', bytes: entries, entries, count });
    } catch (error) {
      if (typeof error === 'object' && error !== null) counted.add(error);
      throw error;
    }
  }

  /** The next name that the Idempotency-Key gives a chunk of this tag: the body may become several. Null without a key. */
  #nameIn(tag: string): EventsName | null {
    const { chunkId } = this;
    const content = this.#content;
    if (!chunkId || !content) return null;
    const number = this.#chunksOfTag.get(tag) ?? 0;
    this.#chunksOfTag.set(tag, number + 1);
    // No header holds a NUL, so no key of a sender's own can look like this.
    return { chunkId: number === 0 ? chunkId : Buffer.concat([chunkId, Buffer.from(`\0${number}`)]), content };
  }

  [Symbol.dispose](): void {
    this.#held.dispose();
  }
}

function queryOf(url = ''): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

/** Whether the rest of a refused body is read and forgotten, so that its sender hears the answer and may go on. */
function mayPassOver(request: IncomingMessage): boolean {
  return request.complete || Number(request.headers['content-length'] ?? 0) <= PASSED_OVER_MAX;
}
