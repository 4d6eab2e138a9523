// What one address may bring in a second: new connections, HTTP requests, bytes, datagrams. The defaults are far above
// what a large Docker host or a gateway of many sends, and below what keeps everybody else from being served.
//
//   connections   one too many is refused at the door (`too_fast`); its sender comes back
//   requests      one too many is answered 429, with Retry-After
//   bytes         as they come by the wire, after TLS: above the rate nothing is read for a while; HTTP gets 429
//   datagrams     nobody can be asked to wait: above either rate they are dropped, and counted (`address_rate`)
//
// So, except for datagrams, nothing is lost that its sender still has. An IPv6 network of 64 bits is one address.
// Unix sockets and the networks of `rate.exempt_networks` (by default this machine) have no rate. A datagram's
// address may be forged, so datagrams have rates of their own: no connection waits for what others sent in its name.
//
// Guarantees: at most ADDRESSES_MAX are remembered; a forgotten address has its burst again.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { NetworkSet, UNIX_PEER, networkOfPeer, parseNetwork } from '#shared/net/networks.ts';
import type { Room } from '../intake/chunk.ts';
import { TokenBucket } from '../intake/token-bucket.ts';

/** Each a second; 0: any number. */
export interface AddressLimits {
  readonly connections: number;
  readonly requests: number;
  readonly bytes: number;
  /** Absent: any number. */
  readonly datagrams?: number;
}

export interface AddressRatesOptions {
  readonly limits: AddressLimits;
  readonly exempt: NetworkSet;
  readonly clock: Clock;
  /** The address is not read for a while, or its datagrams are dropped, which is reported at most once a second. */
  readonly throttled: (address: string) => void;
}

/** Of one address; a relay that sends more of them belongs to the exempt networks. */
const DATAGRAMS_PER_SECOND = 20_000;
const TELL_INTERVAL_MS = 1000;
/** What may come at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 10;
const ADDRESSES_MAX = 10_000;

export class AddressRates {
  readonly #options: AddressRatesOptions;
  readonly #rates = new Map<string, AddressRate>();

  constructor(options: AddressRatesOptions) {
    this.#options = options;
  }

  /** Null: it has no rate. `address`: of `peerAddress`. */
  of(address: string): AddressRate | null {
    const { exempt, limits, clock, throttled } = this.#options;
    if (address === UNIX_PEER || exempt.has(address)) return null;
    const network = networkOfPeer(address);
    let rate = this.#rates.get(network);
    // The last that was asked for is the last to be forgotten.
    if (rate) this.#rates.delete(network);
    else rate = new AddressRate(limits, clock, () => throttled(network));
    this.#rates.set(network, rate);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > ADDRESSES_MAX && oldest !== undefined) this.#rates.delete(oldest);
    return rate;
  }
}

export class AddressRate {
  readonly #clock: Clock;
  readonly #throttled: () => void;
  readonly #connections: TokenBucket | null;
  readonly #requests: TokenBucket | null;
  readonly #bytes: TokenBucket | null;
  readonly #datagrams: TokenBucket | null;
  #toldMs = -Infinity;
  /** Whether it may be in debt: only then is the time asked for. */
  #mayBeOver = false;

  constructor(limits: AddressLimits, clock: Clock, throttled: () => void) {
    const bucket = (perSecond: number): TokenBucket | null =>
      perSecond === 0 ? null : new TokenBucket(perSecond, clock.monotonicMs(), BURST_SECONDS);
    this.#clock = clock;
    this.#throttled = throttled;
    this.#connections = bucket(limits.connections);
    this.#requests = bucket(limits.requests);
    this.#bytes = bucket(limits.bytes);
    this.#datagrams = bucket(limits.datagrams ?? 0);
  }

  /** Whether one more connection may come now; counted if so. */
  connection(): boolean {
    return this.#one(this.#connections);
  }

  /** Whether one more request may come now; counted if so. */
  request(): boolean {
    return this.#one(this.#requests) && this.waitMs === 0;
  }

  /** Whether a datagram may be taken; counted if so. */
  datagram(bytes: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#datagrams?.has(1, nowMs) === false || (this.#bytes && this.#bytes.waitMs(nowMs) > 0)) {
      this.#tellDropping(nowMs);
      return false;
    }
    this.#datagrams?.take(1, nowMs);
    this.#bytes?.take(bytes, nowMs);
    return true;
  }

  /** Bytes that were read. */
  take(bytes: number): void {
    if (!this.#bytes) return;
    const nowMs = this.#clock.monotonicMs();
    this.#bytes.take(bytes, nowMs);
    const isOver = this.#bytes.waitMs(nowMs) > 0;
    if (isOver && !this.#mayBeOver) this.#throttled();
    this.#mayBeOver = isOver;
  }

  /** Milliseconds until it may be read again; 0 where it may be now. */
  get waitMs(): number {
    if (!this.#mayBeOver || !this.#bytes) return 0;
    const waitMs = this.#bytes.waitMs(this.#clock.monotonicMs());
    this.#mayBeOver = waitMs > 0;
    return waitMs;
  }

  /** A sender at its rate is over it again and again. */
  #tellDropping(nowMs: number): void {
    if (nowMs - this.#toldMs < TELL_INTERVAL_MS) return;
    this.#toldMs = nowMs;
    this.#throttled();
  }

  #one(bucket: TokenBucket | null): boolean {
    if (!bucket) return true;
    const nowMs = this.#clock.monotonicMs();
    if (!bucket.has(1, nowMs)) return false;
    bucket.take(1, nowMs);
    return true;
  }
}

export interface RatedRoomOptions {
  readonly clock: Clock;
  /** Once aborted the rate counts no more: the peer is gone, or we stop and read what it has sent already. */
  readonly over: AbortSignal;
}

/** A room in which only as much is held as the rate of the peer's address lets in, or its debt. */
export function ratedRoom(
  room: Room,
  rate: Pick<AddressRate, 'waitMs'> | null,
  { clock, over }: RatedRoomOptions,
): Room {
  if (!rate) return room;
  return {
    get hasRoom() {
      return room.hasRoom && (over.aborted || rate.waitMs === 0);
    },
    async room(gone) {
      await room.room(gone);
      // Others of the address may have been read meanwhile.
      while (!over.aborted && rate.waitMs > 0) await passed(clock, rate.waitMs, over);
    },
  };
}

/** Resolves after `ms`, or when the signal is aborted. Does not keep the process alive. */
export async function passed(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  using _timer = clock.timer(ms, wake);
  signal?.addEventListener('abort', wake, { once: true });
  if (signal?.aborted) resolve();
  await promise;
  signal?.removeEventListener('abort', wake);
}

interface RatesSurroundings {
  readonly clock: Clock;
  readonly throttled: (address: string) => void;
}

/** Of connections, requests, and what comes by them. Throws config_invalid. */
export function connectionRates(config: Config, surroundings: RatesSurroundings): AddressRates {
  const limits = {
    connections: config['rate.connections_per_address'],
    requests: config['rate.requests_per_address'],
    bytes: config['rate.bytes_per_address'],
  };
  return new AddressRates({ ...surroundings, limits, exempt: exemptNetworks(config) });
}

/** Where bytes have no rate, datagrams have none either. Throws config_invalid. */
export function datagramRates(config: Config, surroundings: RatesSurroundings): AddressRates {
  const bytes = config['rate.bytes_per_address'];
  const limits = { connections: 0, requests: 0, bytes, datagrams: bytes === 0 ? 0 : DATAGRAMS_PER_SECOND };
  return new AddressRates({ ...surroundings, limits, exempt: exemptNetworks(config) });
}

/** Throws config_invalid. */
export function exemptNetworks(config: Config): NetworkSet {
  const networks = config['rate.exempt_networks'].map((text) => {
    const network = parseNetwork(text);
    if (network) return network;
    throw new SluiceError(
      'config_invalid',
      `SLUICE_RATE_EXEMPT_NETWORKS: ${text} is no network, such as 10.0.0.0/8 or 2001:db8::/32`,
    );
  });
  return new NetworkSet(networks);
}
