// So many at once; those beyond wait in a line of their sender, and the lines have their turns.
//
// Guarantees: of those who wait, the sender goes first whose last turn is longest ago, a new one as if it had had one
// when it came, and of one sender whoever came first; so nobody is passed by twice by the same sender, nor at all by
// newcomers; whoever is gone does not wait.

import assert from 'node:assert/strict';

/** Senders whose last turn is remembered. */
const SENDERS_MAX = 1024;

interface Waiter {
  /** Number of its sender's last turn when it came; of a new sender, that of the last turn of anybody. */
  readonly since: number;
  /** Among all who came. */
  readonly number: number;
  readonly grant: () => void;
}

export class FairSlots {
  readonly #atOnceMax: number;
  readonly #lines = new Map<string, Waiter[]>();
  /** Sender → number of its last turn. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #came = 0;
  running = 0;
  waiting = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /**
   * Resolves when it is the sender's turn, which lasts until it is disposed of, once. Rejects with the signal's reason.
   */
  async enter(sender: string, signal: AbortSignal): Promise<Disposable> {
    await this.#myTurn(sender, signal);
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #myTurn(sender: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.running < this.#atOnceMax) {
      this.#begin(sender);
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#came += 1;
    const waiter = { since: this.#turns.get(sender) ?? this.#turn, number: this.#came, grant: resolve };
    const line = this.#lines.get(sender);
    if (line) line.push(waiter);
    else this.#lines.set(sender, [waiter]);
    this.waiting += 1;
    const leave = (): void => {
      const position = this.#lines.get(sender)?.indexOf(waiter) ?? -1;
      if (position < 0) return;
      this.#take(sender, position);
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal.removeEventListener('abort', leave));
  }

  #begin(sender: string): void {
    this.running += 1;
    this.#turn += 1;
    this.#turns.delete(sender);
    this.#turns.set(sender, this.#turn);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > SENDERS_MAX && oldest !== undefined) this.#turns.delete(oldest);
  }

  #leave(): void {
    this.running -= 1;
    assert(this.running >= 0 && this.running < this.#atOnceMax);
    const sender = this.#next();
    if (sender === null) return;
    const waiter = this.#take(sender, 0);
    this.#begin(sender);
    waiter?.grant();
  }

  #take(sender: string, position: number): Waiter | undefined {
    const line = this.#lines.get(sender);
    const [waiter] = line?.splice(position, 1) ?? [];
    if (line?.length === 0) this.#lines.delete(sender);
    this.waiting -= 1;
    return waiter;
  }

  #next(): string | null {
    let chosen: string | null = null;
    let [oldest, first] = [Infinity, Infinity];
    for (const [sender, [waiter]] of this.#lines) {
      if (!waiter) continue;
      // It may have had one since, by another connection; or be forgotten.
      const turn = Math.max(waiter.since, this.#turns.get(sender) ?? 0);
      if (turn > oldest || (turn === oldest && waiter.number > first)) continue;
      [chosen, oldest, first] = [sender, turn, waiter.number];
    }
    return chosen;
  }
}
