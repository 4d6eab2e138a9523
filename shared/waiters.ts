// Those that wait for something that comes for all of them at once, or for a few of them. Whoever goes away leaves
// nothing behind.

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
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const resolve of woken) resolve();
  }
}
