// So many at once; those beyond wait, and senders go on in turns (sender-queues.ts).
//
// Guarantees: as the queues have it; whoever is gone does not wait.

import assert from 'node:assert/strict';
import { abortError, granted } from '#shared/abort.ts';
import { SenderQueues } from './sender-queues.ts';

/** Senders whose last turn is remembered. */
const SENDERS_MAX = 1024;

export class FairSlots {
  readonly #atOnceMax: number;
  readonly #waiting = new SenderQueues<(slot: Disposable) => void>(SENDERS_MAX);
  running = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** A slot, until it is disposed of, once; null where the sender has to wait. */
  tryEnter(sender: string): Disposable | null {
    if (this.running >= this.#atOnceMax) return null;
    this.#waiting.hadTurn(sender);
    return this.#slot();
  }

  /** Resolves when the sender has a slot, until it is disposed of, once. Rejects with the signal's reason. */
  enter(sender: string, signal: AbortSignal): Promise<Disposable> {
    if (signal.aborted) return Promise.reject(abortError(signal));
    const slot = this.tryEnter(sender);
    if (slot) return Promise.resolve(slot);
    return granted((grant) => {
      const place = this.#waiting.push(sender, grant);
      return () => this.#waiting.delete(place);
    }, signal);
  }

  #slot(): Disposable {
    this.running += 1;
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #leave(): void {
    this.running -= 1;
    assert(this.running >= 0 && this.running < this.#atOnceMax);
    const grant = this.#waiting.shift();
    grant?.(this.#slot());
  }
}
