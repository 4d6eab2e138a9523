// Those who wait for what nobody tells of look again at the same moments: each of thousands at each change would cost
// too much.

import type { Clock } from '#shared/clock.ts';

const LOOK_MS = 20;

export class LookTimer {
  readonly #clock: Clock;
  #look: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is worth another look. */
  looked(): Promise<void> {
    this.#look ??= new Promise((resolve) => {
      this.#clock.timer(LOOK_MS, () => {
        this.#look = null;
        resolve();
      });
    });
    return this.#look;
  }
}
