// Writes batches to the store: several requests in flight, each outcome settled as soon as it is known. Only what
// failed is sent again, under the same ids. What waits for another try holds no slot, so one slow or closed index
// delays no other.
//
//   submit ─► slot ─► attempt.ts ─► next-step.ts ─┬─ settle ─► ledger
//              ▲                                  ├─ retry ─► a pause ────────────────────────────────┐
//              │                                  ├─ split ─► two batches ────────────────────────────┤
//              │                                  ├─ wait for index ─► its retry queue (waiting.ts) ──┤
//              │                                  ├─ wait for store ─► a queue that all others join ──┤
//              │                                  ├─ probe ─► whose fault is it? (probe.ts)           │
//              │                                  └─ reject ─► as text, or dead letters (rejects.ts) ─┤
//              └──────────────────────────────────────────────────────────────────────────────────────┘
//
// The writer decides nothing: it carries out the steps.
//
// Guarantees: an event leaves it by the ledger only. The same ids are sent again, never others. What `stop` ends is
// abandoned: its offset stays, and it is read again.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Store } from '#shared/store/store.ts';
import type { Assignment } from '../commit/in-hand.ts';
import type { Ledger } from '../settle/ledger.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import { Abandonment } from './abandonment.ts';
import type { BulkAnswer, OpenGroup } from './answer.ts';
import { Attempts } from './attempt.ts';
import { type BulkBatch, afterNoAnswer, halves } from '../settle/bulk-batch.ts';
import type { ConcurrencyLimit } from './concurrency.ts';
import { BatchesInHand } from './batches-in-hand.ts';
import { LookBack } from './look-back.ts';
import { type Context, type Step, nextStep } from './next-step.ts';
import { UNKNOWN_REFUSAL, requestVerdict } from '../settle/outcomes.ts';
import { Probe, type ProbeVerdict } from './probe.ts';
import { type Refusals, Rejects } from './rejects.ts';
import type { TryOutcome } from './retry-queues.ts';
import { SecondLook } from './second-copies.ts';
import { STORE, Waiting } from './waiting.ts';

export interface BulkWriterOptions {
  readonly store: Pick<Store, 'bulk' | 'backingIndices' | 'idsIn' | 'remove' | 'probe'>;
  readonly refusals: Refusals;
  readonly ledger: Ledger;
  readonly limit: ConcurrencyLimit;
  readonly telemetry: BulkTelemetry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  /** Size at which a body is sent; lowered here when the store finds it too large. */
  readonly bodyBytesMax: number;
  /** The most bytes of documents that may wait for another try before nothing more is accepted. */
  readonly waitingBytesMax: number;
  /** See look-back.ts. */
  readonly clockSkewMs: number;
  readonly askForAll: boolean;
}

/** What is left of a batch after an attempt. */
interface Remainder {
  /** To be sent again; null where nothing is. */
  readonly batch: BulkBatch | null;
  /** What the attempt means for the retry queue that it was made for. */
  readonly outcome: TryOutcome;
  /**
   * `at once`; `later`: after a pause; `sooner`: after a pause that is not longer than before, for some was settled.
   */
  readonly pause: 'at once' | 'later' | 'sooner';
}

/** Items without an outcome, as a batch of their own. */
type OpenSubset = OpenGroup & { readonly subset: BulkBatch };

const BODY_BYTES_MIN = 64 * 1024;

export class BulkWriter {
  /** Size at which a body should be sent now. */
  bodyBytesMax: number;
  readonly #options: BulkWriterOptions;
  readonly #attempts: Attempts;
  readonly #secondLook: SecondLook;
  readonly #probe: Probe;
  readonly #inHand: BatchesInHand;
  readonly #abandonment: Abandonment;
  readonly #rejects: Rejects;
  readonly #waiting: Waiting;
  /** Why the last request failed; null where the last one was answered. */
  #failure: string | null = null;
  readonly #stop = new AbortController();

  constructor(options: BulkWriterOptions) {
    const { limit, ledger, waitingBytesMax } = options;
    this.#options = options;
    this.bodyBytesMax = options.bodyBytesMax;
    const { signal } = this.#stop;
    const lookBack = new LookBack(options);
    this.#secondLook = new SecondLook({ ...options, lookBack, signal });
    this.#attempts = new Attempts({ ...options, lookBack, secondLook: this.#secondLook });
    const probe = new Probe({ ...options, signal });
    const inHand = new BatchesInHand({ slots: () => limit.limit, waitingBytesMax });
    const abandonment = new Abandonment(inHand, ledger);
    const deliver = (batch: BulkBatch, key: string | null = null): Promise<TryOutcome> => this.#deliver(batch, key);
    const bodyBytesMax = (): number => this.bodyBytesMax;
    this.#probe = probe;
    this.#inHand = inHand;
    this.#abandonment = abandonment;
    this.#rejects = new Rejects({ ...options, inHand, abandonment, deliver, signal });
    this.#waiting = new Waiting({ ...options, inHand, abandonment, probe, deliver, signal, bodyBytesMax });
    ledger.trackInFlight(() => inHand.events);
  }

  /** Why the store does not accept all that it is sent; null while it does. */
  get unhealthyReason(): string | null {
    return this.#waiting.storeReason ?? this.#failure ?? this.#waiting.anyReason;
  }

  /** Why what is written is not committed; null where nothing is in its way. */
  get commitUnhealthyReason(): string | null {
    return this.#secondLook.unhealthyReason;
  }

  /** Items that wait, by what they wait for: another try, their index, or the store. */
  get waiting(): { readonly retry: number; readonly index: number; readonly store: number } {
    return this.#waiting.items;
  }

  /** Takes a batch over. Resolves when another one may be submitted. */
  submit(batch: BulkBatch): Promise<void> {
    this.#inHand.add(batch);
    void this.#deliver(batch);
    return this.#inHand.capacity();
  }

  /** Resolves when every event that was submitted has its outcome. */
  idle(): Promise<void> {
    return this.#inHand.idle();
  }

  /** An assignment was lost: removes its events from the queues. Batches in flight are looked at when they are back. */
  lost(): void {
    this.#waiting.lost();
  }

  /** Looks for what another indexer, which had the partitions before, may have written beside us (second-copies.ts). */
  async lookAgain(assignment: Assignment): Promise<void> {
    await this.#attempts.settled();
    await this.#secondLook.done(assignment);
  }

  /** Gives up what is not done, at once. `idle` resolves soon after. */
  stop(): void {
    this.#stop.abort();
    this.#attempts.abort();
    this.#waiting.stop();
    this.#inHand.close();
  }

  /**
   * Sends a batch until each of its items is settled, rejected or queued.
   * @param key the retry queue that this is a try of; null for none
   */
  async #deliver(submitted: BulkBatch, key: string | null = null): Promise<TryOutcome> {
    const { limit } = this.#options;
    let batch: BulkBatch | null = submitted;
    for (let attempt = 0; batch !== null; attempt++) {
      await limit.acquire();
      // It may have waited for long, and its assignment may have been lost meanwhile.
      batch = this.#abandonment.withoutLost(batch);
      const storeReason = key === STORE ? null : this.#waiting.storeReason;
      if (batch === null || storeReason !== null || this.#stop.signal.aborted) {
        limit.release(null);
        if (batch !== null) this.#waiting.forStore(batch, storeReason ?? '');
        return 'open';
      }
      const result = await this.#attempts.send(batch);
      const left: Remainder =
        result.kind === 'answered'
          ? this.#settle(batch, result.answer, key)
          : await this.#afterFailure(batch, result.error, attempt, key);
      if (left.batch === null) return left.outcome;
      batch = left.batch;
      if (left.pause === 'sooner') attempt = Math.max(0, attempt - 1);
      if (left.pause !== 'at once') batch = await this.#waiting.pause(batch, attempt);
    }
    return 'open';
  }

  /** Reports to the ledger what is done, and carries out the next step for the items that are not. */
  #settle(batch: BulkBatch, answer: BulkAnswer, key: string | null): Remainder {
    const { ledger, telemetry } = this.#options;
    const open = answer.open(batch).map((group) => ({ ...group, subset: this.#inHand.subset(batch, group.numbers) }));
    this.#inHand.release(batch);
    batch.release?.();
    this.#failure = null;
    answer.settle(batch, ledger, (range, events) => telemetry.indexed(range.batch, events, range.record.fetched));
    let again: BulkBatch | null = null;
    let isQueued = false;
    for (const group of open) {
      const step = nextStep(group.items, this.#context(group.subset));
      if (step.kind === 'retry') again = group.subset;
      else void this.#carryOut(step, group);
      if (step.kind === 'wait for index' && group.index === key) isQueued = true;
    }
    const hasProgress = answer.settled > 0;
    if (key === null) return { batch: again, outcome: 'open', pause: hasProgress ? 'sooner' : 'later' };
    // A try of a queue ends with its answer, whatever is left to be done for its items.
    if (again !== null) void this.#waiting.retry(again);
    return done(isQueued ? (hasProgress ? 'progress' : 'refused') : 'open');
  }

  /** Carries out a step for items of one index, to which an answer gave no outcome. */
  async #carryOut(step: Step, group: OpenSubset): Promise<void> {
    const { index, subset, items } = group;
    switch (step.kind) {
      case 'probe': {
        const probe = await this.#askProbe(subset, index);
        return this.#carryOut(nextStep(items, { ...this.#context(subset), probe }), group);
      }
      case 'retry':
        return step.asSuspect ? this.#waiting.retryAsSuspect(subset) : this.#waiting.retry(subset);
      case 'wait for index':
        return this.#waiting.forIndex(index, subset, step.reason);
      case 'wait for store':
        this.#options.telemetry.requestsBlocked(step.reason);
        return this.#waiting.forStore(subset, step.reason);
      case 'reject':
        return this.#rejects.reject(subset, group.refusals);
      case 'settle':
      case 'split':
        return assert.fail(`items with an outcome of their own have no step "${step.kind}"`);
    }
  }

  /** Carries out the step for a batch whose request failed as a whole. */
  async #afterFailure(batch: BulkBatch, error: Error, attempt: number, key: string | null): Promise<Remainder> {
    const { telemetry } = this.#options;
    const verdict = requestVerdict(error);
    const context = this.#context(batch);
    if (!context.isStopped) telemetry.bulkFailed(error, verdict, attempt);
    const failed = { kind: 'failed', error } as const;
    let step = nextStep(failed, context);
    const isProbed = step.kind === 'probe';
    if (isProbed) step = nextStep(failed, { ...context, probe: await this.#askProbe(batch) });
    switch (step.kind) {
      case 'retry':
        if (!step.asSuspect) {
          this.#failure = reasonOf(error);
          return { batch: this.#inHand.replace(batch, afterNoAnswer(batch)), outcome: 'open', pause: 'later' };
        }
        void this.#waiting.retryAsSuspect(batch);
        return done('open');
      case 'wait for index': {
        const rest = this.#waiting.forFirstIndex(batch, step.reason);
        if (key === null) return { batch: rest, outcome: 'open', pause: 'at once' };
        if (rest !== null) void this.#waiting.retry(rest);
        return done(key === STORE ? 'open' : 'refused');
      }
      case 'wait for store':
        if (isProbed) telemetry.requestsBlocked(step.reason);
        this.#waiting.forStore(batch, step.reason);
        return done(key === STORE ? 'refused' : 'open');
      case 'split':
        this.#split(batch, step.isTooLarge);
        return done('open');
      case 'reject':
        await this.#rejects.reject(batch, [step.refusal ?? UNKNOWN_REFUSAL]);
        return done('open');
      case 'settle':
      case 'probe':
        return assert.fail(`a failed request has no step "${step.kind}" after a probe`);
    }
  }

  #context(batch: BulkBatch): Context {
    const { suspect: isSuspect = false, request } = batch;
    return { items: request.items.length, isSuspect, isStopped: this.#stop.signal.aborted, probe: null };
  }

  /** What a probe meets that begins now. The batch is set aside meanwhile. */
  async #askProbe(batch: BulkBatch, index = batch.request.items.at(0)?.index ?? ''): Promise<ProbeVerdict> {
    this.#inHand.setWaiting(batch);
    const verdict = await this.#probe.ask(index);
    this.#inHand.resume(batch);
    return verdict;
  }

  #split(batch: BulkBatch, isTooLarge: boolean): void {
    const { length } = batch.request.body;
    if (isTooLarge) this.bodyBytesMax = Math.max(BODY_BYTES_MIN, Math.min(this.bodyBytesMax, length >> 1));
    const two = halves(batch);
    for (const half of two) this.#inHand.add(half);
    this.#inHand.release(batch);
    for (const half of two) void this.#deliver(half);
  }
}

/** Nothing is left to be sent again by the caller. */
function done(outcome: TryOutcome): Remainder {
  return { batch: null, outcome, pause: 'later' };
}
