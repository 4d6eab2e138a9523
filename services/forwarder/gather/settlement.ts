// Combines the results of a chunk's segments, so that its sender gets one answer.
//
// Guarantees: settles exactly once, after the last segment; resolves when all are stored durably, else rejects with the
// first error.

import assert from 'node:assert/strict';

export class Settlement {
  readonly promise: Promise<void>;
  eventsDeadLettered = 0;
  /** Of segments that a spool holds, on their way to the queue. */
  eventsSpooled = 0;
  #pending = 0;
  #error: unknown = null;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** One more segment to wait for. */
  expect(): this {
    this.#pending++;
    return this;
  }

  held(): void {
    this.#settleOne();
  }

  /** The segment's events are held by a spool. */
  spooled(events: number): void {
    this.eventsSpooled += events;
    this.#settleOne();
  }

  /** The segment was one event that no queue takes; the dead letters hold it. */
  deadLettered(): void {
    this.eventsDeadLettered++;
    this.#settleOne();
  }

  /** The answer still waits for the other segments, so that none is under way when the sender hears of it. */
  failed(error: unknown): void {
    this.#error ??= error;
    this.#settleOne();
  }

  #settleOne(): void {
    assert(this.#pending > 0, 'a segment is settled once');
    this.#pending--;
    if (this.#pending > 0) return;
    if (this.#error === null) this.#resolve();
    else this.#reject(this.#error);
  }
}
