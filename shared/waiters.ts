// Waiting for something that wakes all who wait, or some of them. Those who give up leave nothing behind.

import { grantedOrAborted } from './abort.ts';

/**
 * Of a crowd most would find nothing left, and wait again: each chunk that is settled would cost as much as all who
 * wait.
 */
const WOKEN_AT_ONCE = 32;

export class Waiters {
  readonly #waiters = new Set<() => void>();
  #isDue = false;

  get count(): number {
    return this.#waiters.size;
  }

  /** Resolves when it has come, or nobody waits for it any more. */
  wait(over?: AbortSignal): Promise<void> {
    return grantedOrAborted((wake) => {
      this.#waiters.add(wake);
      return () => this.#waiters.delete(wake);
    }, over);
  }

  /**
   * Wakes the first waiters, so many per turn of the event loop. While others wait, calls `again` in the next turn.
   */
  wakeSome(again: () => void): void {
    if (this.#isDue) return;
    let left = WOKEN_AT_ONCE;
    for (const resolve of this.#waiters) {
      this.#waiters.delete(resolve);
      resolve();
      left -= 1;
      if (left === 0) break;
    }
    if (this.#waiters.size === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      again();
    });
  }

  wake(): void {
    if (this.#waiters.size === 0) return;
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const resolve of woken) resolve();
  }
}
