// Long work of many connections in short steps: one step a turn of the event loop, whoever's it is, in the order of the asking. So what waits
// elsewhere in this process (other connections, answers, /livez) is served in between, however many connections have something to do.

import type { Clock } from '#shared/clock.ts';

export class Turns {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #isDue = false;
  /** Turns that were given. */
  given = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves in a later turn of the event loop, in which no other one resolves. */
  next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#arm();
    return promise;
  }

  #arm(): void {
    if (this.#isDue || this.#waiting.length === 0) return;
    this.#isDue = true;
    this.#clock.timer(0, () => {
      this.#isDue = false;
      this.given += 1;
      this.#waiting.shift()?.();
      this.#arm();
    });
  }
}
