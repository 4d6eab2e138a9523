// Whoever waits for something that may happen at any time, and asks again then: of those who follow a store.
//
// Guarantee: who takes `next` before it asks misses nothing that happens while it asks.

export class WakeUp {
  #next = Promise.withResolvers<void>();

  /** Resolves with the next `wake`. */
  get next(): Promise<void> {
    return this.#next.promise;
  }

  wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}
