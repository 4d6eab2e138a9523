// Batches that wait: a short pause before their next try, or in a retry queue until their index, or the whole store,
// accepts something again. They hold no slot meanwhile, so that what can be written is written.
//
// Guarantees: what is lost or stopped while it waits is abandoned, and sent no more. A batch that leaves a queue is
// delivered; small ones go together, in as few requests as the size of a body allows.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import type { Abandonment } from './abandonment.ts';
import { type BulkBatch, byIndex, mergedWithin, numbersOf } from '../settle/bulk-batch.ts';
import type { BatchesInHand } from './batches-in-hand.ts';
import type { Probe } from './probe.ts';
import { RetryQueues, type TryOutcome } from './retry-queues.ts';

/** The retry queue of the whole store; no index has this name. */
export const STORE = '';
const PASSING: BackoffLimits = { baseMs: 100, capMs: 5000 };

export interface WaitingOptions {
  readonly inHand: BatchesInHand;
  readonly abandonment: Abandonment;
  readonly probe: Probe;
  readonly telemetry: Pick<BulkTelemetry, 'indexBlocked' | 'indexUnblocked'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Size of a body that batches are put together to. */
  readonly bodyBytesMax: () => number;
  /** Sends a batch; `key`: the retry queue that this is a try of, null for none. */
  readonly deliver: (batch: BulkBatch, key: string | null) => Promise<TryOutcome>;
}

export class Waiting {
  readonly #options: WaitingOptions;
  readonly #queues: RetryQueues;
  /** Items that pause. */
  #pausing = 0;

  constructor(options: WaitingOptions) {
    const { clock, random, signal } = options;
    this.#options = options;
    this.#queues = new RetryQueues({
      clock,
      random,
      signal,
      attempt: (batch, key) => this.#try(batch, key),
      open: (batches, key) => this.#open(batches, key),
    });
  }

  /** Items that wait, by what they wait for: another try, their index, or the store. */
  get items(): { readonly retry: number; readonly index: number; readonly store: number } {
    const items = { retry: this.#pausing, index: 0, store: 0 };
    for (const [key, batches] of this.#queues.waiting()) {
      for (const { request } of batches) items[key === STORE ? 'store' : 'index'] += request.items.length;
    }
    return items;
  }

  /** Why the whole store is waited for; null while it is not. */
  get storeReason(): string | null {
    return this.#queues.reason(STORE);
  }

  /** Why any index, or the store, is waited for; null while none is. */
  get anyReason(): string | null {
    return this.#queues.anyReason;
  }

  /** Waits before another try, longer with each failed attempt. Resolves to what is still to be sent. */
  async pause(batch: BulkBatch, attempt: number): Promise<BulkBatch | null> {
    const { inHand, abandonment, clock, random, signal } = this.#options;
    const ms = backoffMs(attempt, PASSING, random);
    if (signal.aborted) return abandonment.abandon(batch);
    const { length } = batch.request.items;
    this.#pausing += length;
    inHand.setWaiting(batch);
    // Rejects when it is stopped, which is looked at below.
    await clock.sleep(ms, signal).catch(() => undefined);
    this.#pausing -= length;
    inHand.resume(batch);
    return signal.aborted ? abandonment.abandon(batch) : abandonment.withoutLost(batch);
  }

  /** Sends the batch after a short pause. */
  async retry(batch: BulkBatch): Promise<void> {
    const rest = await this.pause(batch, 0);
    if (rest !== null) await this.#options.deliver(rest, null);
  }

  /** The index, or the store, may have been repaired between a refusal and the probe: only another refusal shows. */
  retryAsSuspect(batch: BulkBatch): Promise<void> {
    return this.retry(this.#options.inHand.replace(batch, { ...batch, suspect: true }));
  }

  /** Queues a batch of one index. */
  forIndex(index: string, batch: BulkBatch, reason: string): void {
    if (this.#queues.reason(index) === null) this.#options.telemetry.indexBlocked(index, reason);
    this.#queue(index, batch, reason);
  }

  /** Queues the items that are for the same index as the first. Returns the rest of the batch. */
  forFirstIndex(batch: BulkBatch, reason: string): BulkBatch | null {
    const { inHand } = this.#options;
    const [[index, numbers] = ['', []], ...others] = byIndex(batch, numbersOf(batch.request));
    const queued = inHand.subset(batch, numbers);
    const rest = others.flatMap(([, ofIndex]) => ofIndex).sort((a, b) => a - b);
    const left = rest.length > 0 ? inHand.subset(batch, rest) : null;
    inHand.release(batch);
    this.forIndex(index, queued, reason);
    return left;
  }

  forStore(batch: BulkBatch, reason: string): void {
    this.#queue(STORE, batch, reason);
  }

  /** An assignment was lost: its events are queued no more. */
  lost(): void {
    const { inHand, abandonment } = this.#options;
    this.#queues.sift((batch) => {
      const kept = abandonment.withoutLost(batch);
      if (kept) inHand.setWaiting(kept);
      return kept;
    });
  }

  /** Gives up what is queued; `signal` was aborted before. */
  stop(): void {
    for (const batch of this.#queues.takeAll()) this.#options.abandonment.abandon(batch);
  }

  #queue(key: string, batch: BulkBatch, reason: string): void {
    const { inHand, abandonment, signal } = this.#options;
    if (signal.aborted) {
      abandonment.abandon(batch);
      return;
    }
    // What waits for its index, or for the store, is not to blame for what comes next.
    const innocent = batch.suspect ? inHand.replace(batch, { ...batch, suspect: false }) : batch;
    inHand.setWaiting(innocent);
    this.#queues.wait(key, innocent, reason);
  }

  /** Sends the first batch of a queue, where a probe was refused only after another one is accepted. */
  async #try(batch: BulkBatch, key: string): Promise<TryOutcome> {
    const { inHand, probe, telemetry, deliver } = this.#options;
    if (probe.isRefused(key)) {
      const { kind, reason } = await probe.ask(key);
      if (kind !== 'accepted') {
        this.#queue(key, batch, kind === 'index refuses' ? reason : (this.#queues.reason(key) ?? reason));
        return 'refused';
      }
    }
    inHand.resume(batch);
    const outcome = await deliver(batch, key);
    const reason = this.#queues.reason(key);
    if (outcome !== 'open' && key !== STORE && reason !== null) telemetry.indexBlocked(key, reason);
    return outcome;
  }

  #open(batches: readonly BulkBatch[], key: string): void {
    const { inHand, telemetry, bodyBytesMax, deliver } = this.#options;
    if (key !== STORE) telemetry.indexUnblocked(key);
    for (const { batch, of } of mergedWithin(batches, bodyBytesMax())) {
      inHand.add(batch);
      for (const single of of) if (single !== batch) inHand.release(single);
      inHand.resume(batch);
      void deliver(batch, null);
    }
  }
}
