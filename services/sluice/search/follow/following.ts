// Follows a query of either store. A store that knows in which order documents came (the embedded one) is asked for
// those behind a place; any other is polled by the times at which documents were indexed (follower.ts).
//
// Guarantees of the former: each document that is committed after the start once, whatever the rate and the clocks; no
// memory but for what was shown otherwise and came meanwhile.

import { unlessAborted } from '#shared/abort.ts';
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
  /** Until the next poll, after one that took so long. Rejects with the signal's reason. */
  rest(tookMs: number, signal: AbortSignal): Promise<void>;
}

/** What a poll finds costs no more for being asked for soon. */
const ARRIVED_POLL_MS = 50;
/** The same where the store says when something comes, but for what others write beside it. */
const UNTOLD_POLL_MS = 250;
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
  if (arrived === undefined) return new PolledFollower(store, query, clock, options);
  const ask = (place: number | null, signal: AbortSignal) => arrived(arrivingOf(query), place, signal);
  return new ArrivalFollower({ ask, nextArrival: store.nextArrival?.bind(store), clock }, after);
}

/** A name means lines in the order of their source; that is the one in which they came. */
const arrivingOf = ({ by, ...query }: Followed): Arriving => ({ ...query, ...(by && { by: 'arrival_time' }) });

interface Arrivals {
  readonly ask: (after: number | null, signal: AbortSignal) => Promise<Arrived>;
  readonly nextArrival: ReadableStore['nextArrival'];
  readonly clock: Clock;
}

class ArrivalFollower implements Following {
  readonly aheadMs = 0;
  readonly #arrivals: Arrivals;
  readonly #after: number | null;
  /** Behind the place, and shown. */
  readonly #shown = new Set<number>();
  #place = 0;
  /** Since before the last poll; which one it listens to, and the last that has come. */
  #next: Promise<void> | undefined;
  #heard: Promise<void> | undefined;
  #come: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(arrivals: Arrivals, after: number | undefined) {
    this.#arrivals = arrivals;
    this.#after = after ?? null;
  }

  get place(): number {
    return this.#place;
  }

  async rest(tookMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#arrivals;
    // Commits may come faster than a slow query is answered.
    if (tookMs > 0) await clock.sleep(Math.min(tookMs, ARRIVED_POLL_MS), signal);
    if (this.#next === undefined) return clock.sleep(ARRIVED_POLL_MS, signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#listen(this.#next);
    using _untold = clock.timer(UNTOLD_POLL_MS, resolve);
    if (this.#come !== this.#next) await unlessAborted(promise, signal);
  }

  /** Once to each: what is not there for long would keep all that ever waited for it. */
  #listen(next: Promise<void>): void {
    if (this.#heard === next) return;
    this.#heard = next;
    void next.then(() => {
      this.#come = next;
      this.#wake();
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { place: last } = await this.#arrivals.ask(null, signal);
    // A place behind the last one is of another store.
    this.#place = this.#after !== null && this.#after <= last ? this.#after : last;
  }

  see(document: StoredDocument): void {
    const place = placeOf(document);
    if (place > this.#place) this.#shown.add(place);
  }

  async *poll(signal: AbortSignal): AsyncGenerator<readonly StoredDocument[], void, void> {
    for (let isMore = true; isMore;) {
      this.#next = this.#arrivals.nextArrival?.();
      const arrived = await this.#arrivals.ask(this.#place, signal);
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
  readonly #clock: Clock;
  readonly #follower: Follower;

  constructor(store: ReadableStore, query: Followed, clock: Clock, options: FollowerOptions) {
    this.#store = store;
    this.#query = query;
    this.#clock = clock;
    this.#follower = new Follower(store, query, clock, options);
  }

  get aheadMs(): number {
    return this.#follower.aheadMs;
  }

  rest(tookMs: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(Math.max(POLL_MS, REST * tookMs), signal);
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
