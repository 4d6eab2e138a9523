// The batches that the writer holds, and whether it has capacity for another. Without a bound, a slow store would fill
// the memory. It holds one batch more than there are slots, so that the next is ready when a slot is free. What waits
// for another try does not count as one, but its bytes are bounded too.
//
// Guarantees: a batch counts from `hold` to `release`. Whoever waits looks again after each change, in a microtask.

import { type BulkBatch, bytesOf, eventsOf, subset } from '../settle/bulk-batch.ts';

export interface HeldBatchesOptions {
  /** Slots as of now. */
  readonly slots: () => number;
  /** The most bytes that may wait for another try before nothing more is accepted. */
  readonly waitingBytesMax: number;
}

export class HeldBatches {
  readonly #options: HeldBatchesOptions;
  readonly #held = new Set<BulkBatch>();
  /** Those that wait for another try, with the bytes of each. */
  readonly #waiting = new Map<BulkBatch, number>();
  #waitingBytes = 0;
  #closed = false;
  #capacityWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(options: HeldBatchesOptions) {
    this.#options = options;
  }

  get events(): number {
    let events = 0;
    for (const batch of this.#held) events += eventsOf(batch.ranges);
    return events;
  }

  hold(batch: BulkBatch): void {
    this.#held.add(batch);
  }

  /** The items `chosen` as a batch of its own, held beside the whole. */
  subset(batch: BulkBatch, chosen: readonly number[]): BulkBatch {
    const part = subset(batch, chosen);
    this.hold(part);
    return part;
  }

  replace(batch: BulkBatch, by: BulkBatch): BulkBatch {
    this.hold(by);
    this.release(batch);
    return by;
  }

  release(batch: BulkBatch): void {
    this.takeUp(batch);
    this.#held.delete(batch);
    this.#wake();
  }

  /** The batch waits for another try, and keeps no new one from being accepted. */
  setAside(batch: BulkBatch): void {
    if (!this.#waiting.has(batch)) {
      const bytes = bytesOf(batch);
      this.#waitingBytes += bytes;
      this.#waiting.set(batch, bytes);
    }
    this.#wake();
  }

  /** The batch waits no more. */
  takeUp(batch: BulkBatch): void {
    this.#waitingBytes -= this.#waiting.get(batch) ?? 0;
    this.#waiting.delete(batch);
  }

  /** Resolves when another batch may be submitted. */
  async capacity(): Promise<void> {
    while (!this.#hasCapacity) await new Promise<void>((resolve) => this.#capacityWaiters.push(resolve));
  }

  async idle(): Promise<void> {
    while (this.#held.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** From now on nobody waits for capacity. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  get #hasCapacity(): boolean {
    if (this.#closed) return true;
    const { slots, waitingBytesMax } = this.#options;
    return this.#held.size - this.#waiting.size <= slots() && this.#waitingBytes < waitingBytesMax;
  }

  #wake(): void {
    if (this.#capacityWaiters.length > 0 && this.#hasCapacity)
      for (const wake of this.#capacityWaiters.splice(0)) wake();
    if (this.#idleWaiters.length > 0 && this.#held.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
