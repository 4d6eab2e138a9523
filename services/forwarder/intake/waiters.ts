// Those that wait for something that comes for all of them at once. Whoever goes away leaves nothing behind.

export class Waiters {
  readonly #waiters = new Set<() => void>();

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

  wake(): void {
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const resolve of woken) resolve();
  }
}
