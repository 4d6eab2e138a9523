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
// Whoever has many addresses has no more by them: all of 127.0.0.0/8 is one sender; an IPv6 network of 48 bits has
// twice what a sender has; and where all senders together bring more than five times as much, each that brings small
// events itself has only a few of its own, until the others have paid.
//
// Guarantees: constant time, on average; what is ordinary leaves nothing to remember; at most SENDERS_MAX are
// remembered, those that owe most before the others.

import type { Clock } from '#shared/clock.ts';
import { EVENT_BYTES_MIN, EVENTS_FREE } from '#shared/record/event-limit.ts';
import { hostOfPeer, siteOfPeer } from '#shared/net/networks.ts';
import { TokenBucket } from '../intake/token-bucket.ts';
import { Debtors } from './debtors.ts';

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
/** Of an IPv6 network of 48 bits, and of all senders together: as many times what one has. */
const OF_SITE = 2;
const OF_ALL = 5;
/** What a sender has while all together bring too much: so many at once, and one part in so many of its rate. */
const OWN_AT_ONCE = 1000;
const OWN_PART = 1000;
/** It is looked at again after so long, however deep a sender is in debt, and sooner where others are. */
const WAIT_MS_MAX = 60_000;
const OTHERS_WAIT_MS_MAX = 1000;

export interface EventDebtsOptions {
  /** Small events a second of one address for one tenant; 0: any number. */
  readonly perSecond: number;
  readonly clock: Clock;
  /** The address is in debt from now on. */
  readonly throttled: (address: string) => void;
}

/** Who pays: an address for a tenant, and the network it lies in. */
interface Payer {
  readonly network: string;
  readonly key: string;
  readonly site: string | null;
}

export class EventDebts {
  readonly #options: EventDebtsOptions;
  /** Of those that brought small events. */
  readonly #senders: Debtors;
  readonly #sites: Debtors;
  /** The same senders: what each has while all together have too much. */
  readonly #own: Debtors;
  readonly #all: TokenBucket;

  constructor(options: EventDebtsOptions) {
    this.#options = options;
    const { perSecond, clock } = options;
    const debtors = (atOnce: number, rate: number): Debtors =>
      new Debtors({ atOnce, perSecond: rate, max: SENDERS_MAX });
    this.#senders = debtors(EVENTS_FREE, perSecond);
    this.#sites = debtors(OF_SITE * EVENTS_FREE, OF_SITE * perSecond);
    this.#own = debtors(OWN_AT_ONCE, perSecond / OWN_PART);
    this.#all = new TokenBucket(OF_ALL * perSecond, clock.monotonicMs(), EVENTS_FREE / perSecond);
  }

  /** Null: any number may come. */
  of(address: string, tenant: string | null): EventDebt | null {
    if (this.#options.perSecond === 0) return null;
    const [network, site] = [hostOfPeer(address), siteOfPeer(address)];
    const named = (whose: string): string => `${whose} ${tenant ?? ''}`;
    return new EventDebt(this, { network, key: named(network), site: site === null ? null : named(site) });
  }

  /** For debts alone. */
  take(events: number, payer: Payer): void {
    const { clock, throttled } = this.#options;
    const nowMs = clock.monotonicMs();
    const wasIn = this.waitMs(payer) > 0;
    this.#senders.take(payer.key, events, nowMs);
    this.#own.take(payer.key, events, nowMs);
    if (payer.site !== null) this.#sites.take(payer.site, events, nowMs);
    // However much was read at once, the others have theirs again after as long as the first events take.
    this.#all.take(events, nowMs, -2 * OF_ALL * EVENTS_FREE);
    if (!wasIn && this.waitMs(payer) > 0) throttled(payer.network);
  }

  /** For debts alone. */
  waitMs({ key, site }: Payer): number {
    const nowMs = this.#options.clock.monotonicMs();
    const ofSite = site === null ? 0 : this.#sites.waitMs(site, nowMs);
    const ofOthers = Math.min(this.#all.waitMs(nowMs), this.#own.waitMs(key, nowMs), OTHERS_WAIT_MS_MAX);
    return Math.min(WAIT_MS_MAX, Math.max(this.#senders.waitMs(key, nowMs), ofSite, ofOthers));
  }

  /** For debts alone. */
  isDeep({ key, site }: Payer): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#senders.owes(key, EVENTS_FREE, nowMs)) return true;
    if (site !== null && this.#sites.owes(site, OF_SITE * EVENTS_FREE, nowMs)) return true;
    return this.#own.owes(key, 0, nowMs) && !this.#all.has(-OF_ALL * EVENTS_FREE, nowMs);
  }
}

/** Of one address and tenant. */
export class EventDebt {
  readonly #debts: EventDebts;
  readonly #payer: Payer;

  constructor(debts: EventDebts, payer: Payer) {
    this.#debts = debts;
    this.#payer = payer;
  }

  /** Counts what was read, even beyond what may come. */
  take({ count, bytes, sentBytes }: BroughtEvents): void {
    const thin = count - bytes / EVENT_BYTES_MIN;
    const packed = (count - sentBytes * PACKED_PER_BYTE) / PACKED_PER_THIN;
    if (thin > 0 || packed > 0) this.#debts.take(Math.max(thin, packed), this.#payer);
  }

  /** Something that can't be read goes to the dead letters; whole frames have paid for it. */
  takeDeadLetter(bytes: number): void {
    this.takeDeadLetters(1, bytes);
  }

  /** The same of several, which came in a chunk of so many bytes as sent. */
  takeDeadLetters(count: number, sentBytes: number): void {
    const events = count * DEAD_LETTER_EVENTS - sentBytes / EVENT_BYTES_MIN;
    if (events > 0) this.#debts.take(events, this.#payer);
  }

  /** Milliseconds until it may be read again; 0 where it may be now. */
  get waitMs(): number {
    return this.#debts.waitMs(this.#payer);
  }

  /** Many that were read at once brought too much: what is read still is refused, and comes again. */
  get isDeep(): boolean {
    return this.#debts.isDeep(this.#payer);
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
