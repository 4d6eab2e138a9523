// What one address may bring in a second: new connections, HTTP requests, bytes. The defaults are far above what a large Docker host or a
// gateway of many sends, and below what keeps everybody else from being served.
//
//   connections   one too many is refused at the door (`too_fast`); its sender comes back
//   requests      one too many is answered 429, with Retry-After
//   bytes         as they come by the wire, after TLS: past the rate the address is not read for a while, HTTP is answered 429
//
// So nothing is lost that its sender still has. All addresses of an IPv6 network of 64 bits are one. Unix sockets and the networks of
// `rate.exempt_networks`, at first this machine alone, have no rate; nor have datagrams, which nobody could ask to wait.
//
// Guarantees: at most ADDRESSES_MAX are remembered; one that is forgotten has its burst anew.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { NetworkSet, UNIX_PEER, networkOfPeer, parseNetwork } from '#shared/networks.ts';
import type { Room } from '../chunk.ts';
import { TokenBucket } from './token-bucket.ts';

/** Each a second; 0: any number. */
export interface AddressLimits {
  readonly connections: number;
  readonly requests: number;
  readonly bytes: number;
}

export interface AddressRatesOptions {
  readonly limits: AddressLimits;
  readonly exempt: NetworkSet;
  readonly clock: Clock;
  /** The address is not read for a while. */
  readonly throttled: (address: string) => void;
}

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
  }

  /** Whether one more connection may come now; counted if so. */
  connection(): boolean {
    return this.#one(this.#connections);
  }

  /** Whether one more request may come now; counted if so. */
  request(): boolean {
    return this.#one(this.#requests) && this.waitMs === 0;
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

/** A room in which only as much is held as the rate of the peer's address lets in. */
export function ratedRoom(room: Room, rate: AddressRate | null, { clock, over }: RatedRoomOptions): Room {
  if (!rate) return room;
  return {
    get hasRoom() {
      return room.hasRoom && (over.aborted || rate.waitMs === 0);
    },
    async room() {
      await room.room();
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
  await promise;
  signal?.removeEventListener('abort', wake);
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
