// The slots of bulk requests: as many at once as the adaptive limit allows now. A limit that falls takes no slot back;
// the next requests wait until enough are free.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { AdaptiveLimit } from './adaptive-limit.ts';

/** Slots at the start. Two requests keep a store busy: one in work, one on its way. It must show that it bears more. */
const FIRST = 2;

/** What the end of a request says about the store. */
export interface RequestEnd {
  /** Null where no whole answer came, or where it says nothing about the store's pace. */
  readonly roundTripMs: number | null;
  readonly overloaded: boolean;
}

export class ConcurrencyLimit {
  readonly #clock: Clock;
  readonly #adaptive: AdaptiveLimit;
  #inUse = 0;
  readonly #waiters: (() => void)[] = [];

  /** `max`: the most requests at once, whatever the store seems to take. */
  constructor(max: number, clock: Clock) {
    this.#adaptive = new AdaptiveLimit(max, FIRST);
    this.#clock = clock;
  }

  /** Requests that may be at the store at once, as of now. */
  get limit(): number {
    return this.#adaptive.limit;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Resolves when a request may be sent; in the order of the calls. */
  acquire(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#grant();
    });
  }

  /** Gives a slot back. `end`: how its request ended; null where none was sent. */
  release(end: RequestEnd | null): void {
    assert(this.#inUse > 0);
    this.#inUse--;
    if (end !== null) this.#adaptive.answered({ ...end, nowMs: this.#clock.monotonicMs() });
    this.#grant();
  }

  #grant(): void {
    while (this.#inUse < this.limit) {
      const next = this.#waiters.shift();
      if (!next) return;
      this.#inUse++;
      next();
    }
    this.#adaptive.reached();
  }
}
