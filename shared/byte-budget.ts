// A bound on the bytes that a stage holds. Whoever brings bytes takes a permit and gives it back when they are gone;
// a reader of sockets or partitions asks `hasRoom` before it reads on, and waits for `room()` when there is none.
// Work that asks for memory before it begins waits for `acquire`, which keeps the bound strictly.
//
// Guarantees: a permit is given back at most once; waiters are served in the order in which they came; bytes that were
// acquired are never more than the limit, but for a single permit that is larger than it.

import assert from 'node:assert/strict';
import { abortError, granted } from './abort.ts';
import { Fifo } from './collections/fifo.ts';
import { Waiters } from './waiters.ts';

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
  readonly #waiters = new Waiters();
  readonly #acquiring = new Fifo<{ readonly bytes: number; readonly grant: (permit: Permit) => void }>();

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
    if (signal?.aborted) return Promise.reject(abortError(signal));
    const permit = this.tryAcquire(bytes);
    if (permit) return Promise.resolve(permit);
    return granted((grant) => {
      const waiter = { bytes, grant };
      this.#acquiring.push(waiter);
      return () => {
        this.#acquiring.keep((other) => other !== waiter);
        // Smaller ones may fit that stood behind it.
        this.#grant();
      };
    }, signal);
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
    if (this.hasRoom && this.#waiters.count === 0) return;
    await this.#waiters.wait(over);
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.bytesMax;
  }

  #grant(): void {
    for (let next = this.#acquiring.first; next && this.#fits(next.bytes); next = this.#acquiring.first) {
      this.#acquiring.shift();
      next.grant(this.take(next.bytes));
    }
  }

  #giveBack(bytes: number): void {
    this.#held -= bytes;
    assert(this.#held >= 0);
    this.#grant();
    if (this.hasRoom) this.#waiters.wake();
  }
}
