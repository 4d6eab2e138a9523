// A request of an HTTP dialect that is being answered: its sender, tag and Idempotency-Key, its body, and the way into
// intake.
//
// Guarantees: the bytes of its body, and of what is made of it, are counted until it is disposed of.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import type { Compression } from '#shared/record/compression.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import { type EventDebt, StreamedEvents } from '../../admit/event-debts.ts';
import type { Content, InputName, Intake } from '../../intake/chunk.ts';
import { contentOf, type EventsName } from '../../decode/content-name.ts';
import { type EventTime, RECEIVE_TIME, eventTimeOfMs } from '#shared/record/event-time.ts';
import { tagOfHeader } from '../../decode/http/http-tag.ts';
import type { ConversionName, ConversionOptions, Converted } from '../../dialects/conversions.ts';
import { buffersOf, costOf, countOf, unpackedBytes } from '../../dialects/conversions.ts';
import { type Principal, allowedTag } from '../../intake/principal.ts';
import type { TenantQuota } from '../../intake/tenant-quotas.ts';
import type { Converter } from '../convert/converter.ts';
import type { Begun } from '../body/endless-body.ts';
import type { BodyReader } from '../body/body-reader.ts';
import { type HttpTurns, REQUEST_TURN_BYTES, UNPACK_TURN_BYTES } from './http-turns.ts';
import { convertWithin } from '../convert/bounded-conversion.ts';
import { countBrought, refuseInDebt } from './brought-events.ts';
import { idempotencyKey, queryOf } from './idempotency-key.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';
import { LargeShare } from './large-share.ts';
import { MadeBytes } from './made-bytes.ts';
import { requestMayGoOn } from './request-rate.ts';

/** Events of one tag, as a dialect hands them over. */
export interface Events {
  readonly tag: string;
  readonly entries: Uint8Array;
  readonly count: number;
}

export interface ExchangeOptions {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly bodies: BodyReader;
  readonly converter: Converter;
  /** Null: one request is answered at a time. */
  readonly turns: HttpTurns | null;
  /** What a tenant may bring. */
  readonly roomOf: (tenant: string | null) => Pick<TenantQuota, 'rateWaitMs'>;
  /** Aborted when we take no new requests any more. */
  readonly stopping: AbortSignal;
  /** Called before the first byte of the body is asked for. */
  readonly sendContinue: () => void;
  readonly compression: Compression | null;
  readonly principal: Principal;
  readonly sender: string;
  /** Of its address; null: it has none. */
  readonly rate: AddressRate | null;
  /** Of its address and tenant; null: it may bring any number of small events. */
  readonly debt: EventDebt | null;
  /** Errors that intake has counted. */
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
  /** Of its body, until that is converted. */
  readonly #bodyHeld = this.#held.use(new DisposableStack());
  /**
   * Whose share of the memory it uses. Neither a tenant's hosts nor the tenants behind one address may starve each
   * other.
   */
  readonly #who: string;
  #large: LargeShare | null = null;
  #sentBytes = 0;
  /** Of a body without a known end. */
  #streamed: StreamedEvents | null = null;
  /** The body's content, if a key names it. */
  #content: Content | null = null;
  /** As long as nobody else may hold it. */
  #body: Buffer | null = null;
  /** What was made of a large body. */
  #made: MadeBytes | null = null;
  #madeHeld: Disposable | null = null;
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
    this.#who = `${networkOfPeer(this.sender)} ${this.principal.tenant ?? ''}`;
    if (options.roomOf(this.principal.tenant).rateWaitMs > 0) {
      throw new SluiceError(
        'rate_limited',
        'Cannot take events: their tenant sends more than its rate; send again later',
      );
    }
    refuseInDebt(options.debt);
  }

  /** The time of events that have none: now. If the request may be repeated, "when received" instead. */
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
    return allowedTag(this.principal, own);
  }

  /** The whole body, uncompressed. Rejects with a SluiceError. */
  async body(): Promise<Buffer> {
    const { bodies, sendContinue, compression } = this.#options;
    using packed = new DisposableStack();
    const held = compression ? packed : this.#bodyHeld;
    const sent = await bodies.read(this.#request, { held, sender: this.#who, sendContinue });
    this.#sentBytes = sent.length;
    this.#options.rate?.take(sent.length);
    const body = compression ? await this.#decompress(sent, compression) : sent;
    // The URL may hold a time, a host, or the events themselves.
    if (this.chunkId) this.#content = contentOf(body, queryOf(this.#request.url));
    this.#body = body;
    return body;
  }

  async #decompress(sent: Buffer, compression: Compression): Promise<Buffer> {
    await this.turn(UNPACK_TURN_BYTES);
    const takeTurn = (): Promise<void> => this.#largeShare().takeTurn();
    const opening = { held: this.#bodyHeld, sender: this.#who, takeTurn, request: this.#request };
    const { body, large } = await this.#options.bodies.decompress(sent, compression, opening);
    if (large) this.#largeShare().adopt(large);
    if (sent.length > LARGE_BODY_BYTES) freeBuffer(sent);
    return body;
  }

  /**
   * The body piece by piece, as it is sent, for bodies without a known end. The next piece is read when there is room.
   * @param begun what its taker keeps of it, which is counted
   */
  async *pieces(begun: Begun): AsyncGenerator<Buffer, void, undefined> {
    const { bodies, sendContinue, compression, rate, debt } = this.#options;
    if (compression) {
      throw new SluiceError('encoding_unknown', 'Cannot read the body: here it must have no Content-Encoding');
    }
    const mayGoOn = (): Promise<void> => requestMayGoOn(this.#request, this.#options);
    const events = (this.#streamed = new StreamedEvents(debt));
    for await (const piece of bodies.pieces(this.#request, { sender: this.#who, begun, sendContinue, mayGoOn })) {
      rate?.take(piece.length);
      events.came(piece.length);
      yield piece;
    }
  }

  /**
   * The body, which is void from here on, to what its dialect makes of it; the memory of that is counted. Rejects with
   * body_too_costly, conversion_unavailable, too_many_events, rate_limited.
   */
  async convert<N extends ConversionName>(name: N, body: Buffer, options: ConversionOptions<N>): Promise<Converted<N>> {
    const { bodies, converter } = this.#options;
    const bytes = unpackedBytes(name, body);
    using making = new DisposableStack();
    const begin = async (): Promise<void> => {
      await this.turn(REQUEST_TURN_BYTES + (converter.isInline(bytes) ? costOf(name, bytes) : 0));
      // What is made of it has about its size, and is there before it is gone.
      making.use(bodies.take(bytes, this.#who));
    };
    const whose = { request: this.#request, sender: this.#who, held: this.#held, large: () => this.#largeShare() };
    const converted = await convertWithin(name, body, options, { bodies, converter, ...whose, begin });
    const buffers = buffersOf(converted);
    try {
      countBrought({ count: countOf(converted), bytes, sentBytes: this.#sentBytes }, this.#options.debt);
    } catch (error) {
      for (const buffer of buffers) buffer.transfer(0);
      throw error;
    }
    const made = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#madeHeld = this.#options.bodies.take(made, this.#who);
    if (made > LARGE_BODY_BYTES) this.#made = new MadeBytes();
    this.#large?.converted(made);
    this.#bodyHeld.dispose();
    return converted;
  }

  /** Resolves when so much may be done for it in this turn of the event loop (http-turns.ts). Rejects if it is gone. */
  async turn(bytes: number): Promise<void> {
    await this.#options.turns?.wait(bytes, this.#who, this.#request);
  }

  /**
   * Resolves when it may submit hundreds of chunks, until the result is disposed of. Rejects as `convert` does.
   * @param bytes of the body that is converted meanwhile
   */
  async crowd(bytes = 0): Promise<Disposable | null> {
    // Its memory is bounded otherwise, and who has some waits for no crowd; see large-share.ts.
    if (bytes > LARGE_BODY_BYTES) return null;
    return (await this.#options.turns?.crowd(this.#who, this.#request)) ?? null;
  }

  /**
   * To take a large part of an endless body: what is made of it is counted, in the turn of a large body. Rejects with
   * intake_full.
   */
  async part(bytes: number): Promise<LargeShare> {
    using taken = new DisposableStack();
    const share = taken.use(this.#newLargeShare());
    await share.take(bytes);
    share.hold(this.#options.bodies.take(bytes, this.#who));
    taken.move();
    return share;
  }

  /**
   * All its events are stored or refused. What is left is its answer, which is made of so many bytes: of a large body
   * only these are held on, for it may be long before they are read.
   */
  settled(answerBytes: number): void {
    this.#large?.settled();
    if (!this.#made) return;
    const keptBytes = this.#made.freeUnused();
    this.#made = null;
    this.#madeHeld?.[Symbol.dispose]();
    this.#madeHeld = this.#options.bodies.take(answerBytes + keptBytes, this.#who);
  }

  #largeShare(): LargeShare {
    this.#large ??= this.#held.use(this.#newLargeShare());
    return this.#large;
  }

  #newLargeShare(): LargeShare {
    const { tenant } = this.principal;
    const whose = tenant === null ? `address ${networkOfPeer(this.sender)}` : `tenant ${tenant}`;
    return new LargeShare({ bodies: this.#options.bodies, request: this.#request, whose, sender: this.#who });
  }

  /**
   * Resolves when the events are held. Without events it does nothing.
   * @param own what the sender calls these events, null for nothing; else they go by the Idempotency-Key and the body
   */
  async accept({ tag, entries, count }: Events, own?: EventsName | null): Promise<void> {
    if (count === 0) return;
    this.#streamed?.made(count);
    this.#body = null;
    const name = own === undefined ? this.#nameIn(tag) : own;
    const { intake, counted } = this.#options;
    const origin = { tag, input: this.#input, tenant: this.principal.tenant, sender: this.sender };
    try {
      const named = name ?? { chunkId: null };
      const freeBytes = this.#made && { freeBytes: this.#made.user(entries) };
      await intake.accept({ ...origin, ...named, encoding: 'identity', bytes: entries, entries, count, ...freeBytes });
    } catch (error) {
      if (typeof error === 'object' && error !== null) counted.add(error);
      throw error;
    }
  }

  /**
   * The next name that the Idempotency-Key gives a chunk of this tag: the body may become several. Null without a key.
   */
  #nameIn(tag: string): EventsName | null {
    const [chunkId, content] = [this.chunkId, this.#content];
    if (!chunkId || !content) return null;
    const number = this.#chunksOfTag.get(tag) ?? 0;
    this.#chunksOfTag.set(tag, number + 1);
    // No header holds a NUL, so no key of a sender's own can look like this.
    return { chunkId: number === 0 ? chunkId : Buffer.concat([chunkId, Buffer.from(`\0${number}`)]), content };
  }

  [Symbol.dispose](): void {
    // A refused one: left to the garbage collector, tens of megabytes would lie about until the next ones come.
    if (this.#body && this.#body.length > LARGE_BODY_BYTES) freeBuffer(this.#body);
    this.#made?.freeUnused();
    this.#madeHeld?.[Symbol.dispose]();
    this.#held.dispose();
  }
}
