// Large bodies are opened and converted one at a time of each sender, so that whoever sends many of them waits for himself.
//
// Guarantees: turns of a sender come in the order in which they were asked for; a turn is given back at most once; whoever has waited
// too long is refused, and his bytes are free again.

import type { Clock } from '#shared/clock.ts';

/** A body of more, uncompressed, is large. */
export const LARGE_BODY_BYTES = 1024 * 1024;

export interface LargeTurnsOptions {
  readonly clock: Clock;
  readonly waitMs: number;
  /** What is told to who waited too long. */
  readonly tooBusy: () => Error;
}

export class LargeTurns {
  readonly #options: LargeTurnsOptions;
  /** Who waits, by sender; an entry without anybody: the sender has one in hand. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(options: LargeTurnsOptions) {
    this.#options = options;
  }

  /** Rejects with `tooBusy`. */
  async take(sender: string): Promise<Disposable> {
    const waiting = this.#waiting.get(sender);
    if (waiting) await this.#turnOf(waiting);
    else this.#waiting.set(sender, []);
    let isGiven = false;
    return {
      [Symbol.dispose]: () => {
        if (isGiven) return;
        isGiven = true;
        this.#next(sender);
      },
    };
  }

  #turnOf(waiting: (() => void)[]): Promise<void> {
    const { clock, waitMs, tooBusy } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push(resolve);
    const timer = clock.timer(waitMs, () => {
      const position = waiting.indexOf(resolve);
      if (position < 0) return;
      waiting.splice(position, 1);
      reject(tooBusy());
    });
    return promise.finally(() => timer[Symbol.dispose]());
  }

  #next(sender: string): void {
    const waiting = this.#waiting.get(sender);
    const next = waiting?.shift();
    if (next) next();
    else this.#waiting.delete(sender);
  }
}
