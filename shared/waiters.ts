// Those that wait for something that comes for all of them at once, or for a few of them. Whoever goes away leaves
// nothing behind.

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
   * Wakes those who came first, so many a turn of the event loop; `again` is called in the next one while others wait.
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
