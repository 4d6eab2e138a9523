// When the pipeline has something to do although no record comes: documents have waited long enough for others to share
// a request with (linger), or what is to be joined for the rest.

import type { Clock } from '#shared/clock.ts';

export interface TimersOptions {
  readonly clock: Clock;
  readonly lingerMs: number;
  readonly joins: { readonly dueMs: number | null };
}

export class Timers {
  /** Documents have waited long enough. */
  isLingerOver = false;
  readonly #options: TimersOptions;
  readonly #wake: () => void;
  #linger: Disposable | null = null;
  #lines: Disposable | null = null;

  /** `wake` is called whenever there is something to do. */
  constructor(options: TimersOptions, wake: () => void) {
    this.#options = options;
    this.#wake = wake;
  }

  /** Sets what is not set yet; `isWaiting`: there are documents that wait. */
  set(isWaiting: boolean): void {
    const { clock, lingerMs, joins } = this.#options;
    if (isWaiting && !this.isLingerOver) {
      this.#linger ??= clock.timer(lingerMs, () => {
        this.isLingerOver = true;
        this.#wake();
      });
    }
    this.#lines?.[Symbol.dispose]();
    const { dueMs } = joins;
    this.#lines = dueMs === null ? null : clock.timer(Math.max(1, dueMs - clock.monotonicMs()), this.#wake);
  }

  /** No document waits any more. */
  stopLinger(): void {
    this.isLingerOver = false;
    this.#linger?.[Symbol.dispose]();
    this.#linger = null;
  }
}
