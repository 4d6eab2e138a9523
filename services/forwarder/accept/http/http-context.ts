// What the routes of all HTTP dialects share: a request's bounded body, its sender, tag and Idempotency-Key, the way
// into intake, and the count of refused requests.
//
// Guarantees: what the headers alone can refuse is refused before the body is read. An event is counted once: by intake
// if it got there, otherwise as a refused chunk of its dialect.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#shared/clock.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import type { EventDebt } from '../../admit/event-debts.ts';
import type { Peer } from '../../admit/admission.ts';
import type { InputName, Intake } from '../../intake/chunk.ts';
import type { Grant, Principal } from '../../intake/principal.ts';
import type { TenantQuota } from '../../intake/tenant-quotas.ts';
import type { Converter } from '../convert/converter.ts';
import { compressionOf } from './content-encoding.ts';
import type { BodyReader } from '../body/body-reader.ts';
import { isGone } from '../turns/request-wait.ts';
import { codeOf, messageOf } from './http-errors.ts';
import { HttpExchange } from './http-exchange.ts';
import type { HttpTurns } from './http-turns.ts';
import { HttpLogin, type HttpLoginOptions, type LoginTelemetry, isLoginRefusal } from './http-login.ts';

/** Codes that refuse a sender, not what it sent: they are reported as such. */
const REFUSES_SENDER: ReadonlySet<string> = new Set<ErrorCode>(['origin_refused', 'tag_refused', 'rate_limited']);
/** No more of a refused body is read: its connection is closed, at once where it says that it has more. */
const PASSED_OVER_MAX = 256 * 1024 * 1024;

export interface HttpTelemetry extends LoginTelemetry {
  connectionOpened(input: 'http'): void;
  connectionClosed(input: 'http'): void;
  /** It has more requests in hand than a connection may. */
  connectionEnded(input: 'http', reason: 'pipelined', refusedPeer: string): void;
  /** A request was refused before intake had its events. `refusedPeer`: if its sender or rate was refused. */
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
  /** Null: one request is answered at a time. */
  readonly turns: HttpTurns | null;
  /** Most bytes of a body, and of its entries. */
  readonly bodyBytesMax: number;
  /** The sender; null if the connection is gone. */
  readonly peerOf: (request: IncomingMessage) => Peer | null;
  /** Whom a request speaks for, by its token, if it had to have one, and by its connection. */
  readonly principalOf: (peer: Peer, grant: Grant | null) => Principal;
  /** What a tenant may bring. */
  readonly roomOf: (tenant: string | null) => Pick<TenantQuota, 'rateWaitMs'>;
  /** What an address may bring; null: it has no rate. */
  readonly rateOf: (address: string) => AddressRate | null;
  /** How many small events it may bring for a tenant; null: any number. */
  readonly debtOf: (address: string, tenant: string | null) => EventDebt | null;
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

  /**
   * Before anything of the body is read. Rejects with rate_limited, login_limited, or unauthorized, the later the more
   * often this peer was refused.
   */
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
    const sendContinue = () => {
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
    const debt = this.options.debtOf(sender, principal.tenant);
    return new HttpExchange(input, raw, {
      ...this.options,
      sendContinue,
      compression,
      principal,
      sender,
      rate,
      debt,
      counted,
    });
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
      else if (!raw.complete && !isGone(raw)) this.#passOver(raw);
      return answer(error, reply, request);
    };
  }

  /** Counts a refusal, even of part of a body whose rest is accepted. Intake counts what it refuses itself. */
  refused(input: InputName, error: unknown, peer = 'unknown'): void {
    if (typeof error === 'object' && error !== null && this.#counted.has(error)) return;
    const code = codeOf(error);
    const refusedPeer = REFUSES_SENDER.has(code) ? peer : undefined;
    this.options.telemetry.chunkRejected(input, code, messageOf(error), refusedPeer);
  }

  /** Reads and discards the rest of a refused body, so that its sender may go on; limited in time, and in bytes. */
  #passOver(request: IncomingMessage): void {
    const { clock, timeoutMs } = this.options;
    const rate = this.#rates.get(request.socket);
    // Somebody reads it, whoever has no rate too: else its connection would end after a few words.
    let passedOver = 0;
    request.on('data', (piece: Buffer) => {
      rate?.take(piece.length);
      passedOver += piece.length;
      // In chunks it says nothing of its size.
      if (passedOver > PASSED_OVER_MAX) request.destroy();
    });
    // Its connection ends with it, where it has one.
    const timer = clock.timer(timeoutMs, () => request.destroy());
    request.once('close', () => timer[Symbol.dispose]());
  }
}

/** Whether the rest of a refused body is read and forgotten, so that its sender hears the answer and may go on. */
function mayPassOver(request: IncomingMessage): boolean {
  return request.complete || Number(request.headers['content-length'] ?? 0) <= PASSED_OVER_MAX;
}
