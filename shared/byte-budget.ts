// A bound on the bytes that a stage holds. Whoever brings bytes takes a permit and gives it back when they are gone;
// a reader of sockets or partitions asks `hasRoom` before it reads on, and waits for `room()` when there is none.
//
// Guarantees: a permit is given back at most once; waiters are woken in the order in which they came.

import assert from 'node:assert/strict';

export interface Permit extends Disposable {
  readonly bytes: number;
  /** Takes so many more, at once, to be given back with the rest. */
  grow(bytes: number): void;
}

export class ByteBudget {
  readonly bytesMax: number;
  #held = 0;
  #waiters: (() => void)[] = [];

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
   * Takes `bytes` at once, even past the limit: bytes that have been read are in memory whether the budget likes it or not.
   * The limit works by `hasRoom`, which stops the next read.
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
      [Symbol.dispose]: () => {
        assert(!given, 'a permit is given back once');
        given = true;
        this.#giveBack(held);
      },
    };
  }

  /** Resolves when there is room; at once if there is some now. */
  room(): Promise<void> {
    if (this.hasRoom && this.#waiters.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #giveBack(bytes: number): void {
    this.#held -= bytes;
    assert(this.#held >= 0);
    if (!this.hasRoom || this.#waiters.length === 0) return;
    const woken = this.#waiters;
    this.#waiters = [];
    for (const wake of woken) wake();
  }
}
