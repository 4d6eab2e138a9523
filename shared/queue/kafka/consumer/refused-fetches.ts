// Partitions of which nothing that was fetched can be trusted. Each is fetched again from the same offset after a
// pause, which grows with every failure; the others go on meanwhile. Waiting loses nothing.

import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';

/** Without jitter: a partition has one reader, so there is nobody to come back together with. */
const PAUSES: BackoffLimits = { baseMs: 500, capMs: 30_000 };

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
    const wait = this.#clock.timer(steadyBackoffMs(times - 1, PAUSES), () => {
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
