// Those who wait for what nobody tells them check again at the same moments: to wake each of thousands at each change
// would cost too much.

import type { Clock } from '#shared/clock.ts';

const INTERVAL_MS = 20;

export class RecheckTimer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #next: Promise<void> | null = null;

  constructor(clock: Clock, intervalMs = INTERVAL_MS) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Resolves when it is worth another check. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#clock.timer(this.#intervalMs, () => {
        this.#next = null;
        resolve();
      });
    });
    return this.#next;
  }
}
