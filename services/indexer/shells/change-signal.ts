// What a shell that pushes records by itself waits on: something has changed since it looked last, so that a record may
// pass now. Any number of changes wake it once.
//
// Guarantees: a change between two waits is not missed.

import type { ByteBudget } from '#shared/byte-budget.ts';

export class ChangeSignal {
  #changed = Promise.withResolvers<void>();
  #awaitsRoom = false;

  notify(): void {
    this.#changed.resolve();
  }

  /**
   * Notifies when the budget has room. Needed where a record gives its bytes back after its last outcome, which nobody
   * else reports.
   */
  notifyOfRoom(budget: Pick<ByteBudget, 'room'>): void {
    if (this.#awaitsRoom) return;
    this.#awaitsRoom = true;
    void budget.room().then(() => {
      this.#awaitsRoom = false;
      this.notify();
    });
  }

  /** Resolves at once where something has changed since the last wait. */
  async next(): Promise<void> {
    await this.#changed.promise;
    this.#changed = Promise.withResolvers();
  }
}
