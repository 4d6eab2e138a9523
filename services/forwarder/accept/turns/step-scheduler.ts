// Long work of many connections in short steps: one step a turn of the event loop, a sender after the other, and of
// each in the order of the asking. So what waits elsewhere in this process (other connections, answers, /livez) is
// served in between, however many connections have something to do; and a sender waits for a step of each other one,
// however many connections that one has.

import type { Clock } from '#shared/clock.ts';
import { SenderQueues } from './sender-queues.ts';

export class Turns {
  readonly #clock: Clock;
  readonly #waiting = new SenderQueues<() => void>();
  #isDue = false;
  /** Turns that were given. */
  given = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves in a later turn of the event loop, in which no other one resolves. */
  next(sender: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(sender, resolve);
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
