// The batches that the writer has in hand, and whether it has capacity for another. Without a bound, a slow store would
// fill the memory. There is one batch more than there are slots, so that the next is ready when a slot is free. What
// waits for another try does not count as one, but its bytes are bounded too.
//
// Guarantees: a batch counts from `add` to `release`. Whoever waits looks again after each change, in a microtask.

import { type BulkBatch, bytesOf, eventsOf, subset } from '../settle/bulk-batch.ts';

export interface BatchesInHandOptions {
  /** Slots as of now. */
  readonly slots: () => number;
  /** The most bytes that may wait for another try before nothing more is accepted. */
  readonly waitingBytesMax: number;
}

export class BatchesInHand {
  readonly #options: BatchesInHandOptions;
  readonly #inHand = new Set<BulkBatch>();
  /** Those that wait for another try, with the bytes of each. */
  readonly #waiting = new Map<BulkBatch, number>();
  #waitingBytes = 0;
  #closed = false;
  #capacityWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(options: BatchesInHandOptions) {
    this.#options = options;
  }

  get events(): number {
    let events = 0;
    for (const batch of this.#inHand) events += eventsOf(batch.ranges);
    return events;
  }

  add(batch: BulkBatch): void {
    this.#inHand.add(batch);
  }

  /** The items `chosen` as a batch of its own, in hand beside the whole. */
  subset(batch: BulkBatch, chosen: readonly number[]): BulkBatch {
    const chosenBatch = subset(batch, chosen);
    this.add(chosenBatch);
    return chosenBatch;
  }

  replace(batch: BulkBatch, by: BulkBatch): BulkBatch {
    this.add(by);
    this.release(batch);
    return by;
  }

  release(batch: BulkBatch): void {
    this.resume(batch);
    this.#inHand.delete(batch);
    this.#wake();
  }

  /** The batch waits for another try, and keeps no new one from being accepted. */
  setWaiting(batch: BulkBatch): void {
    if (!this.#waiting.has(batch)) {
      const bytes = bytesOf(batch);
      this.#waitingBytes += bytes;
      this.#waiting.set(batch, bytes);
    }
    this.#wake();
  }

  /** The batch waits no more. */
  resume(batch: BulkBatch): void {
    this.#waitingBytes -= this.#waiting.get(batch) ?? 0;
    this.#waiting.delete(batch);
  }

  /** Resolves when another batch may be submitted. */
  async capacity(): Promise<void> {
    while (!this.#hasCapacity) await new Promise<void>((resolve) => this.#capacityWaiters.push(resolve));
  }

  async idle(): Promise<void> {
    while (this.#inHand.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** From now on nobody waits for capacity. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  get #hasCapacity(): boolean {
    if (this.#closed) return true;
    const { slots, waitingBytesMax } = this.#options;
    return this.#inHand.size - this.#waiting.size <= slots() && this.#waitingBytes < waitingBytesMax;
  }

  #wake(): void {
    if (this.#capacityWaiters.length > 0 && this.#hasCapacity)
      for (const wake of this.#capacityWaiters.splice(0)) wake();
    if (this.#idleWaiters.length > 0 && this.#inHand.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
