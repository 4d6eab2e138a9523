// A clock that a test drives. Sleeps and timers end in the order of their times, one after another, with all that they
// set off done before the next one: an hour of backoff takes a moment, and the same seed gives the same run.

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

/** Real milliseconds to wait for the thread pool when nothing else is to be done. */
const IDLE_TURNS_MAX = 2000;

export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #originMs: number;
  readonly #timers = new Set<Timer>();

  constructor(originMs = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#originMs = originMs;
  }

  epochMs(): number {
    return Math.floor(this.#originMs + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  timer(ms: number, action: () => void): Disposable {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, action };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const aborted = (): void => {
        timer[Symbol.dispose]();
        reject(signal?.reason);
      };
      const timer = this.timer(ms, () => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      });
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 8; i++) await turn();
  }

  /** Goes on to the next timer; false where there is none before `limitMs`. */
  async step(limitMs = Infinity): Promise<boolean> {
    await this.settle();
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (next === null || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
        next = timer;
    }
    if (next === null || next.atMs > limitMs) return false;
    this.#timers.delete(next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.action();
    await this.settle();
    return true;
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (await this.step(endMs));
    this.#nowMs = endMs;
    await this.settle();
  }

  /** Goes on until the promise is settled; throws where that takes longer than `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    const state = { isSettled: false };
    const settled = (): void => void (state.isSettled = true);
    promise.then(settled, settled);
    const endMs = this.#nowMs + limitMs;
    let idle = 0;
    await this.settle();
    while (!state.isSettled) {
      // The thread pool needs real time, in which the virtual one stands still.
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (state.isSettled) break;
      if (!(await this.step(endMs)) && ++idle > IDLE_TURNS_MAX)
        throw new Error(`not settled after ${limitMs} virtual ms`);
    }
    return promise;
  }

  /** Goes on until `condition` holds. */
  async when(condition: () => boolean, limitMs = 3_600_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await this.settle();
    while (!condition()) {
      if (!(await this.step(endMs))) throw new Error(`it did not happen in ${limitMs} virtual ms`);
    }
  }
}
