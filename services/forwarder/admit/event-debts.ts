// What one sender may bring of events that are next to nothing: an event costs us far more than its bytes where it has
// only a few of them, or was sent compressed a thousand times. A body alone has its limit (event-limit.ts); this is
// the limit of all that an address brings for a tenant, however it is cut.
//
//   thin     events for which there are not 16 bytes each, uncompressed
//   packed   events for which there is not a quarter of a byte each as sent; five of them count as one
//
// Beyond what may come at once a sender is in debt, and is not read for a while; HTTP gets 429. Logs have 0.7 to
// 12 bytes an event in gzip and zstd, even where all lines are equal, so that nothing ordinary counts at all. This
// machine and the exempt networks have the limit too: they are exempt for how much they bring.
//
// Guarantees: constant time; what is ordinary leaves nothing to remember; at most SENDERS_MAX are remembered.

import type { Clock } from '#shared/clock.ts';
import { EVENT_BYTES_MIN, EVENTS_FREE } from '#shared/record/event-limit.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { TokenBucket } from '../intake/token-bucket.ts';

export interface BroughtEvents {
  readonly count: number;
  /** Uncompressed, and as sent. */
  readonly bytes: number;
  readonly sentBytes: number;
}

/**
 * Measured: equal events of 16 bytes have 0.03 bytes each as sent in gzip, and 0.003 in zstd. Equal lines with times of
 * whole seconds come near that in zstd, and only then: so they go slower, and not as slowly as thin ones.
 */
const PACKED_PER_BYTE = 4;
const PACKED_PER_THIN = 5;
/** What a dead letter costs that its sender damaged on purpose: a document, a name and a log line of its own. */
const DEAD_LETTER_EVENTS = 10;
const SENDERS_MAX = 10_000;
/** It is looked at again after so long, however deep a sender is in debt. */
const WAIT_MS_MAX = 60_000;

export interface EventDebtsOptions {
  /** Small events a second of one address for one tenant; 0: any number. */
  readonly perSecond: number;
  readonly clock: Clock;
  /** The address is in debt from now on. */
  readonly throttled: (address: string) => void;
}

export class EventDebts {
  readonly #options: EventDebtsOptions;
  /** Of those that brought small events. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: EventDebtsOptions) {
    this.#options = options;
  }

  /** Null: any number may come. */
  of(address: string, tenant: string | null): EventDebt | null {
    return this.#options.perSecond === 0 ? null : new EventDebt(this, networkOfPeer(address), tenant);
  }

  /** For debts alone. */
  take(events: number, network: string, key: string): void {
    const { clock, perSecond, throttled } = this.#options;
    const nowMs = clock.monotonicMs();
    const bucket = this.#buckets.get(key) ?? new TokenBucket(perSecond, nowMs, EVENTS_FREE / perSecond);
    // The last that brought any is the last to be forgotten.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > SENDERS_MAX && oldest !== undefined) this.#buckets.delete(oldest);
    const wasIn = bucket.waitMs(nowMs) > 0;
    bucket.take(events, nowMs);
    if (!wasIn && bucket.waitMs(nowMs) > 0) throttled(network);
  }

  /** For debts alone. */
  waitMs(key: string): number {
    const bucket = this.#buckets.get(key);
    return bucket ? Math.min(WAIT_MS_MAX, bucket.waitMs(this.#options.clock.monotonicMs())) : 0;
  }

  /** For debts alone. */
  isDeep(key: string): boolean {
    return this.#buckets.get(key)?.has(-EVENTS_FREE, this.#options.clock.monotonicMs()) === false;
  }
}

/** Of one address and tenant. */
export class EventDebt {
  readonly #debts: EventDebts;
  readonly #network: string;
  readonly #key: string;

  constructor(debts: EventDebts, network: string, tenant: string | null) {
    this.#debts = debts;
    this.#network = network;
    this.#key = `${network} ${tenant ?? ''}`;
  }

  /** Counts what was read, even beyond what may come. */
  take({ count, bytes, sentBytes }: BroughtEvents): void {
    const thin = count - bytes / EVENT_BYTES_MIN;
    const packed = (count - sentBytes * PACKED_PER_BYTE) / PACKED_PER_THIN;
    if (thin > 0 || packed > 0) this.#debts.take(Math.max(thin, packed), this.#network, this.#key);
  }

  /** Something that can't be read goes to the dead letters; whole frames have paid for it. */
  takeDeadLetter(bytes: number): void {
    this.takeDeadLetters(1, bytes);
  }

  /** The same of several, which came in a chunk of so many bytes as sent. */
  takeDeadLetters(count: number, sentBytes: number): void {
    const events = count * DEAD_LETTER_EVENTS - sentBytes / EVENT_BYTES_MIN;
    if (events > 0) this.#debts.take(events, this.#network, this.#key);
  }

  /** Milliseconds until it may be read again; 0 where it may be now. */
  get waitMs(): number {
    return this.#debts.waitMs(this.#key);
  }

  /** Many that were read at once brought too much: what is read still is refused, and comes again. */
  get isDeep(): boolean {
    return this.#debts.isDeep(this.#key);
  }
}

/** Of a stream of messages, whose bytes are known when they come, and its events later. */
export class StreamedEvents {
  readonly #debt: EventDebt | null;
  /** Bytes that no event has used yet; events that came with them may come later, but not any number. */
  #bytes = 0;

  constructor(debt: EventDebt | null) {
    this.#debt = debt;
  }

  came(bytes: number): void {
    this.#bytes = Math.min(this.#bytes + bytes, EVENTS_FREE * EVENT_BYTES_MIN);
  }

  made(count: number): void {
    const bytes = Math.min(this.#bytes, count * EVENT_BYTES_MIN);
    this.#bytes -= bytes;
    this.#debt?.take({ count, bytes, sentBytes: count });
  }
}
