// Partitions of which nothing that was fetched can be trusted. Each is fetched again from the same offset after a
// pause, which grows with every failure; the others go on meanwhile. Waiting loses nothing.

import type { Clock } from '#shared/clock.ts';

// A partition has one reader: there is nobody to come back together with.
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 30_000;

export class RefusedFetches {
  readonly #clock: Clock;
  readonly #waits = new Map<number, Disposable>();
  /** By partition: how often since something of it was taken. */
  readonly #times = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isWaiting(partition: number): boolean {
    return this.#waits.has(partition);
  }

  /** Calls `again` after the partition's pause, unless `clear` comes first. Returns how often it was in a row. */
  refuse(partition: number, again: () => void): number {
    const times = (this.#times.get(partition) ?? 0) + 1;
    this.#times.set(partition, times);
    this.#waits.get(partition)?.[Symbol.dispose]();
    const pauseMs = Math.min(PAUSE_FIRST_MS * 2 ** (times - 1), PAUSE_MAX_MS);
    const wait = this.#clock.timer(pauseMs, () => {
      this.#waits.delete(partition);
      again();
    });
    this.#waits.set(partition, wait);
    return times;
  }

  /** Something of the partition was taken. */
  taken(partition: number): void {
    this.#times.delete(partition);
  }

  /** The assignment is over. What was refused of its partitions still counts: another assignment fetches the same. */
  clear(): void {
    for (const wait of this.#waits.values()) wait[Symbol.dispose]();
    this.#waits.clear();
  }
}
