// Those who wait for what nobody tells of look again at the same moments: each of thousands at each change would cost
// too much.

import type { Clock } from '#shared/clock.ts';

const LOOK_MS = 20;

export class RecheckTimer {
  readonly #clock: Clock;
  #next: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is worth another look. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#clock.timer(LOOK_MS, () => {
        this.#next = null;
        resolve();
      });
    });
    return this.#next;
  }
}
