// Whether intake takes chunks: not before the queue was first reached, and not after intake began to close.
//
// Guarantees: chunks that wait for the queue go on in the order in which they came; none waits for ever, since its
// sender must be answered.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { Queue } from '#shared/queue/queue.ts';

export interface QueueOpeningOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  /** How long a chunk waits for a queue that was never reached. */
  readonly openWaitMs: number;
}

export class QueueOpening {
  readonly #options: QueueOpeningOptions;
  readonly #closing = new AbortController();
  /** Chunks that wait for the queue to be reached. */
  #waiting = 0;

  constructor(options: QueueOpeningOptions) {
    this.#options = options;
  }

  /** Whether a chunk must wait: whoever waits goes first, even at the moment at which the queue has been reached. */
  get mustWait(): boolean {
    return this.#options.queue.partitions === 0 || this.#waiting > 0;
  }

  /** Resolves when the queue was reached. Rejects with queue_unavailable, shutting_down. */
  async wait(): Promise<void> {
    this.#waiting++;
    try {
      await this.#reached();
    } finally {
      this.#waiting--;
    }
  }

  async #reached(): Promise<void> {
    const { queue, clock, openWaitMs } = this.#options;
    const overdue = new AbortController();
    using _limit = clock.timer(openWaitMs, () => overdue.abort());
    try {
      await queue.opened(AbortSignal.any([overdue.signal, this.#closing.signal]));
    } catch (error) {
      this.checkOpen();
      const why = queue.unreadyReason ?? reasonOf(error);
      throw new SluiceError('queue_unavailable', `Cannot take events: ${why}`, { cause: error });
    }
  }

  /** Throws shutting_down after `close`. */
  checkOpen(): void {
    if (!this.#closing.signal.aborted) return;
    throw new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down');
  }

  get unreadyReason(): string | null {
    return this.#closing.signal.aborted ? 'it is shutting down' : this.#options.queue.unreadyReason;
  }

  close(): void {
    this.#closing.abort();
  }
}
