// A bound on the bytes that a stage holds. Whoever brings bytes takes a permit and gives it back when they are gone;
// a reader of sockets or partitions asks `hasRoom` before it reads on, and waits for `room()` when there is none.
// Work that asks for memory before it begins waits for `acquire`, which keeps the bound strictly.
//
// Guarantees: a permit is given back at most once; waiters are served in the order in which they came; bytes that were
// acquired are never more than the limit, but for a single permit that is larger than it.

import assert from 'node:assert/strict';

export interface Permit extends Disposable {
  readonly bytes: number;
  /** Takes so many more, at once, to be given back with the rest. */
  grow(bytes: number): void;
  /** Gives back what it has beyond `bytes`. */
  shrinkTo(bytes: number): void;
}

export class ByteBudget {
  readonly bytesMax: number;
  #held = 0;
  #waiters = new Set<() => void>();
  readonly #acquiring: { readonly bytes: number; readonly grant: (permit: Permit) => void }[] = [];

  constructor(bytesMax: number) {
    assert(bytesMax > 0);
    this.bytesMax = bytesMax;
  }

  get bytesHeld(): number {
    return this.#held;
  }

  get hasRoom(): boolean {
    return this.#held < this.bytesMax;
  }

  /**
   * Takes `bytes` at once, even past the limit: bytes that have been read are in memory whether the budget likes it or
   * not. The limit works by `hasRoom`, which stops the next read.
   */
  take(bytes: number): Permit {
    this.#held += bytes;
    let held = bytes;
    let given = false;
    return {
      get bytes() {
        return held;
      },
      grow: (more) => {
        assert(!given && more >= 0, 'a permit that was given back holds nothing');
        held += more;
        this.#held += more;
      },
      shrinkTo: (less) => {
        assert(!given && less >= 0, 'a permit that was given back holds nothing');
        const freed = Math.max(0, held - less);
        held -= freed;
        this.#giveBack(freed);
      },
      [Symbol.dispose]: () => {
        assert(!given, 'a permit is given back once');
        given = true;
        this.#giveBack(held);
      },
    };
  }

  /**
   * Takes `bytes` when they fit, after all who asked before. The permit is taken before the waiter is woken, so that of
   * many who wait no more go on than fit. What is larger than the limit has it alone. Rejects with the signal's reason,
   * and has taken nothing then.
   */
  acquire(bytes: number, signal?: AbortSignal): Promise<Permit> {
    if (signal?.aborted) return Promise.reject(asError(signal.reason));
    const permit = this.tryAcquire(bytes);
    if (permit) return Promise.resolve(permit);
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    const waiter = { bytes, grant: resolve };
    this.#acquiring.push(waiter);
    const leave = (): void => {
      const position = this.#acquiring.indexOf(waiter);
      if (position < 0) return;
      this.#acquiring.splice(position, 1);
      reject(asError(signal?.reason));
      // Smaller ones may fit that stood behind it.
      this.#grant();
    };
    signal?.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  /** The same where it need not wait for anybody, else null. */
  tryAcquire(bytes: number): Permit | null {
    return this.#acquiring.length === 0 && this.#fits(bytes) ? this.take(bytes) : null;
  }

  /**
   * Resolves when there is room; at once if there is some now. `over`: aborted when nobody waits any more; then it may
   * resolve without.
   */
  async room(over?: AbortSignal): Promise<void> {
    if (over?.aborted || (this.hasRoom && this.#waiters.size === 0)) return;
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

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.bytesMax;
  }

  #grant(): void {
    for (let next = this.#acquiring[0]; next && this.#fits(next.bytes); next = this.#acquiring[0]) {
      this.#acquiring.shift();
      next.grant(this.take(next.bytes));
    }
  }

  #giveBack(bytes: number): void {
    this.#held -= bytes;
    assert(this.#held >= 0);
    this.#grant();
    if (!this.hasRoom || this.#waiters.size === 0) return;
    const woken = this.#waiters;
    this.#waiters = new Set();
    for (const wake of woken) wake();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
