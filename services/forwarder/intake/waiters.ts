// Waiting for something that wakes all who wait, or some of them. Those who give up leave nothing behind.

/** Most of a crowd would find nothing left and wait again: each settled chunk would cost as much as all waiters. */
const WOKEN_AT_ONCE = 32;

export class Waiters {
  readonly #waiters = new Set<() => void>();
  #isDue = false;

  get count(): number {
    return this.#waiters.size;
  }

  /** Resolves when it has come, or when `over` aborts. */
  async wait(over?: AbortSignal): Promise<void> {
    if (over?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiters.delete(resolve);
      resolve();
    };
    this.#waiters.add(resolve);
    over?.addEventListener('abort', leave, { once: true });
    await promise;
    over?.removeEventListener('abort', leave);
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
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const resolve of woken) resolve();
  }
}
