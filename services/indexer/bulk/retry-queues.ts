// Batches that wait until an index, or the whole store, accepts something again: a queue for each. One batch of a queue
// is tried at a time, with growing pauses. When a try finds the way open, all the others follow. So an index that is
// closed for hours costs one small request now and then, however much waits for it. It takes no slot that others need.
//
//   wait ─► | batch | batch | batch | ─ pause ─► try the first ─┬─ refused: to the end of the queue, a longer pause
//                                                               └─ open: all go
//
// Guarantees: a batch is in one queue, or handed out by `attempt` or `open`, never both. A queue has one try at a time.

import type { Clock } from '#shared/clock.ts';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { BulkBatch } from '../settle/bulk-batch.ts';

/**
 * What a try found: `progress`: some was accepted, the rest is queued again; `refused`: all of it; `open`: nothing is
 * queued again.
 */
export type TryOutcome = 'open' | 'progress' | 'refused';

export interface RetryQueuesOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends the tries; `takeAll` returns what is queued then. */
  readonly signal: AbortSignal;
  /**
   * Sends one batch, which is queued no more. When this resolves, what of it must wait again for `key` is queued again.
   */
  readonly attempt: (batch: BulkBatch, key: string) => Promise<TryOutcome>;
  /** The way is open: these are queued no more. */
  readonly open: (batches: readonly BulkBatch[], key: string) => void;
}

interface RetryQueue {
  batches: BulkBatch[];
  /** What the store said last. */
  reason: string;
}

const PATIENCE: BackoffLimits = { baseMs: 1000, capMs: 30_000 };

export class RetryQueues {
  readonly #options: RetryQueuesOptions;
  readonly #queues = new Map<string, RetryQueue>();

  constructor(options: RetryQueuesOptions) {
    this.#options = options;
  }

  /** Why batches wait for this key; null where none does. */
  reason(key: string): string | null {
    return this.#queues.get(key)?.reason ?? null;
  }

  /** Why batches wait, of any queue; null where none does. */
  get anyReason(): string | null {
    for (const { reason } of this.#queues.values()) return reason;
    return null;
  }

  /** The queued batches, by what they wait for. */
  *waiting(): Generator<readonly [key: string, batches: readonly BulkBatch[]]> {
    for (const [key, { batches }] of this.#queues) yield [key, batches];
  }

  /** Puts a batch at the end of the queue. */
  wait(key: string, batch: BulkBatch, reason: string): void {
    const queue = this.#queues.get(key);
    if (queue) {
      queue.reason = reason;
      queue.batches.push(batch);
      return;
    }
    const started: RetryQueue = { batches: [batch], reason };
    this.#queues.set(key, started);
    void this.#run(key, started);
  }

  /** Replaces each queued batch by what `keep` makes of it; null removes it. */
  sift(keep: (batch: BulkBatch) => BulkBatch | null): void {
    for (const queue of this.#queues.values())
      queue.batches = queue.batches.map(keep).filter((batch) => batch !== null);
  }

  /** Removes all queues, and returns what was in them. */
  takeAll(): BulkBatch[] {
    const batches = [...this.#queues.values()].flatMap((queue) => queue.batches);
    this.#queues.clear();
    return batches;
  }

  async #run(key: string, queue: RetryQueue): Promise<void> {
    const { clock, random, signal, attempt, open } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      await clock.sleep(backoffMs(failures, PATIENCE, random), signal).catch(() => undefined);
      const first = signal.aborted ? undefined : queue.batches.shift();
      const outcome = first ? await attempt(first, key) : 'open';
      if (signal.aborted) return;
      if (outcome === 'open') {
        this.#queues.delete(key);
        open(queue.batches, key);
        return;
      }
      failures = outcome === 'progress' ? 0 : failures + 1;
    }
  }
}
