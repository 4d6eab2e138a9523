// What the local queue holds and the queue behind it does not, in records and events. What an earlier process left is
// counted when it is read, unless its number is known.
//
// Guarantees: every event that was stored or found is settled or lost once; `emptied` is called in the step in which
// nothing is left, also at the start.

import type { SpoolObserver } from '../local/spool-observer.ts';

export interface FeedCountsOptions {
  readonly observer: SpoolObserver;
  /** Events that the local queue holds at the start; where absent they are counted as they are read. */
  readonly leftoverEvents: number | undefined;
  /** All that the local queue took is over; called at the start too. */
  emptied(): void;
}

export class FeedCounts {
  readonly #options: FeedCountsOptions;
  #isStarted = false;
  /** What lies below was left by an earlier process and is counted when it is read. */
  #uncountedTo = 0;
  #records = 0;
  #events = 0;
  /** Of those, what was read. */
  #recordsInHand = 0;
  #eventsInHand = 0;

  constructor(options: FeedCountsOptions) {
    this.#options = options;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get isEmpty(): boolean {
    return this.#isStarted && this.#records <= 0;
  }

  get records(): number {
    return this.#records;
  }

  get events(): number {
    return this.#events;
  }

  /** The local queue was read for the first time: what lies from `next` to `end` was left there. */
  start(next: number, end: number): void {
    const { leftoverEvents } = this.#options;
    this.#isStarted = true;
    this.#records += end - next;
    if (leftoverEvents === undefined) this.#uncountedTo = end;
    else this.found(leftoverEvents);
    this.reportIfEmpty();
  }

  /** The local queue has taken records. */
  stored(records: number, events: number): void {
    this.#records += records;
    this.#events += events;
    this.#options.observer.spooled(events);
    this.reportIfEmpty();
  }

  /** Whether the record at this offset, which was read for the first time, was left by an earlier process uncounted. */
  isUncounted(offset: number): boolean {
    return offset < this.#uncountedTo;
  }

  /** So many events were left by an earlier process. */
  found(events: number): void {
    if (events === 0) return;
    this.#events += events;
    this.#options.observer.found(events);
  }

  /** Records that there is nothing to be done for. */
  pass(records: number): void {
    this.#records -= records;
    this.reportIfEmpty();
  }

  /** A record is in hand. */
  taken(events: number): void {
    this.#recordsInHand++;
    this.#eventsInHand += events;
  }

  /** One that was in hand is over. The caller reports if nothing is left. */
  settled(events: number): void {
    this.#records--;
    this.#recordsInHand--;
    this.#events -= events;
    this.#eventsInHand -= events;
  }

  /** The local queue has lost what it held; what is in hand can still be fed. */
  lost(): void {
    const events = this.#events - this.#eventsInHand;
    this.#uncountedTo = 0;
    this.#records = this.#recordsInHand;
    this.#events = this.#eventsInHand;
    this.#options.observer.dropped(events, 'spool_damaged');
    this.reportIfEmpty();
  }

  reportIfEmpty(): void {
    if (this.isEmpty) this.#options.emptied();
  }
}
