// How many bulk requests may be at the store at once. A fixed number for now; a limit that adapts to 429 and to latency
// (AIMD, as Vector's adaptive request concurrency) belongs here and changes nobody else.

import assert from 'node:assert/strict';

export class ConcurrencyLimit {
  readonly limit: number;
  #inUse = 0;
  #waiters: (() => void)[] = [];

  constructor(limit: number) {
    assert(limit > 0);
    this.limit = limit;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Resolves when a request may be sent; in the order of the calls. */
  acquire(): Promise<void> {
    if (this.#inUse < this.limit) {
      this.#inUse++;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  release(): void {
    assert(this.#inUse > 0);
    const next = this.#waiters.shift();
    // The slot passes on to the next in line.
    if (next) next();
    else this.#inUse--;
  }
}
