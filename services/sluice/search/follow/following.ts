// Follows a query of either store. A store that knows in which order documents came (the embedded one) is asked for
// those behind a place; any other is polled by the times at which documents were indexed (follower.ts).
//
// Guarantees of the former: each document that is committed after the start once, whatever the rate and the clocks; no
// memory but for what was shown otherwise and came meanwhile.

import type { Clock } from '#shared/clock.ts';
import type { Arrived, Arriving, ReadableStore, StoredDocument } from '#shared/store/store.ts';
import { type Followed, Follower, type FollowerOptions } from './follower.ts';

export interface Following {
  /** All that is committed before it is asked for is not new. */
  start(signal: AbortSignal): Promise<void>;
  /** A document was shown otherwise. */
  see(document: StoredDocument): void;
  /** Pages of what is new. */
  poll(signal: AbortSignal): AsyncGenerator<readonly StoredDocument[], void, void>;
  /** By how much what is in the store is ahead of this machine's clock, as far as that matters. */
  readonly aheadMs: number;
  /** Goes on behind it in place of a start, also in another process; null where there is none to go on from. */
  readonly place: number | null;
  /** How long to wait for the next poll, after one that took so long. */
  restMs(tookMs: number): number;
}

/** What a poll finds costs no more for being asked for soon. */
const ARRIVED_POLL_MS = 50;
const POLL_MS = 250;
/** Between polls of a store that takes long to answer: as many times as long. */
const REST = 3;

interface Wanted extends FollowerOptions {
  readonly clock: Clock;
  /** Goes on from there; see `Following.place`. */
  readonly after?: number | undefined;
}

export function following(store: ReadableStore, query: Followed, { clock, after, ...options }: Wanted): Following {
  const arrived = store.arrived?.bind(store);
  if (arrived !== undefined)
    return new ArrivalFollower((place, signal) => arrived(arrivingOf(query), place, signal), after);
  return new PolledFollower(store, query, new Follower(store, query, clock, options));
}

/** A name means lines in the order of their source; that is the one in which they came. */
const arrivingOf = ({ by, ...query }: Followed): Arriving => ({ ...query, ...(by && { by: 'arrival_time' }) });

class ArrivalFollower implements Following {
  readonly aheadMs = 0;
  readonly #arrived: (after: number | null, signal: AbortSignal) => Promise<Arrived>;
  readonly #after: number | null;
  /** Behind the place, and shown. */
  readonly #shown = new Set<number>();
  #place = 0;

  constructor(arrived: (after: number | null, signal: AbortSignal) => Promise<Arrived>, after: number | undefined) {
    this.#arrived = arrived;
    this.#after = after ?? null;
  }

  get place(): number {
    return this.#place;
  }

  restMs(): number {
    return ARRIVED_POLL_MS;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { place: last } = await this.#arrived(null, signal);
    // A place behind the last one is of another store.
    this.#place = this.#after !== null && this.#after <= last ? this.#after : last;
  }

  see(document: StoredDocument): void {
    const place = placeOf(document);
    if (place > this.#place) this.#shown.add(place);
  }

  async *poll(signal: AbortSignal): AsyncGenerator<readonly StoredDocument[], void, void> {
    for (let isMore = true; isMore;) {
      const arrived = await this.#arrived(this.#place, signal);
      // Each is asked: whoever reads may stop anywhere, and goes on behind what it got.
      const documents = arrived.documents.filter((document) => !this.#shown.delete(placeOf(document)));
      this.#place = Math.max(this.#place, arrived.place);
      ({ isMore } = arrived);
      if (documents.length > 0) yield documents;
    }
  }
}

/** The third part of what the embedded store sorts by. */
export const placeOf = ({ sort }: StoredDocument): number => Number(sort[2]);

class PolledFollower implements Following {
  readonly place = null;
  readonly #store: ReadableStore;
  readonly #query: Followed;
  readonly #follower: Follower;

  constructor(store: ReadableStore, query: Followed, follower: Follower) {
    this.#store = store;
    this.#query = query;
    this.#follower = follower;
  }

  get aheadMs(): number {
    return this.#follower.aheadMs;
  }

  restMs(tookMs: number): number {
    return Math.max(POLL_MS, REST * tookMs);
  }

  async start(signal: AbortSignal): Promise<void> {
    const [newest] = await this.#store.search({ ...this.#query, order: 'newest', limit: 1 }, signal);
    await this.#follower.start(newest, signal);
  }

  see(document: StoredDocument): void {
    this.#follower.see(document);
  }

  poll(signal: AbortSignal): AsyncGenerator<readonly StoredDocument[], void, void> {
    return this.#follower.poll(signal);
  }
}
