// A share is what one chunk has in one record. A small chunk is one share of a record that it has in common with
// others; a large one has several records to itself. Its sender is answered when the last of its shares is held.

import assert from 'node:assert/strict';
import { splitEntries } from '#shared/msgpack/split-entries.ts';
import { chainAfterRun } from '#shared/record/chain.ts';
import type { Batch, Encoding } from '#shared/record/record.ts';

export interface Share {
  /** `first` and `count` are of this share's entries. */
  readonly batch: Batch;
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** `bytes` are of no more use, and may be written to again, once the share is settled. */
  readonly isLent?: boolean;
  readonly settlement: Settlement;
}

/** Joins the fates of a chunk's shares: all held, or the first error. Settles exactly once. */
export class Settlement {
  readonly promise: Promise<void>;
  eventsDeadLettered = 0;
  /** Of shares that a spool holds, on their way to the queue. */
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

  /** One more share to wait for. */
  expect(): this {
    this.#pending++;
    return this;
  }

  held(): void {
    this.#settleOne();
  }

  /** The share's events are held by a spool. */
  spooled(events: number): void {
    this.eventsSpooled += events;
    this.#settleOne();
  }

  /** The share was one event that no queue takes; the dead letters hold it. */
  deadLettered(): void {
    this.eventsDeadLettered++;
    this.#settleOne();
  }

  /** The answer still waits for the other shares, so that nothing of the chunk is under way when the sender is told. */
  failed(error: unknown): void {
    this.#error ??= error;
    this.#settleOne();
  }

  #settleOne(): void {
    assert(this.#pending > 0, 'a share is settled once');
    this.#pending--;
    if (this.#pending > 0) return;
    if (this.#error === null) this.#resolve();
    else this.#reject(this.#error);
  }
}

/**
 * An uncompressed share as shares of at most `bytesMax`, or of one entry each where that is larger; they take its
 * place. Yields between steps.
 */
export function* splitShare(share: Share, bytesMax: number): Generator<null, Share[], void> {
  const shares: Share[] = [];
  let { first, chain } = share.batch;
  for (const span of splitEntries(share.bytes, bytesMax)) {
    if (span === null) {
      yield null;
      continue;
    }
    const { start, end, count } = span;
    if (shares.length > 0) share.settlement.expect();
    const bytes = share.bytes.subarray(start, end);
    shares.push({ ...share, batch: { ...share.batch, first, count, chain }, bytes });
    first += count;
    if (chain !== null) chain = yield* chainAfterRun(chain, bytes);
  }
  assert(first === share.batch.first + share.batch.count, 'a split loses no entry');
  return shares;
}
