// Brings parcels to the store: several requests in flight, each outcome settled as soon as it is known. Only what failed is sent again, under
// the same ids; what waits for another try holds no slot, so that one slow or refused item never delays the others.
//
//   submit ─► slot ─► store ─┬─ indexed, deduplicated ─► ledger
//               ▲            ├─ retry, operator ─► backoff ─┐
//               └────────────┼──────────────────────────────┘
//                            └─ refused ─► once more as text, then to the dead letters
//
// Guarantees: an event leaves the writer by the ledger only. After a timeout the same ids are sent again, never others. What is stopped
// by `stop` is abandoned: its offset stays, and it is read again.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { BulkOutcome, Store } from '#shared/store/store.ts';
import type { EndingReason, Ledger } from '../ledger.ts';
import type { IndexerTelemetry } from '../telemetry.ts';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { ConcurrencyLimit } from './concurrency.ts';
import { BulkAnswer } from './answer.ts';
import { requestVerdict } from './outcomes.ts';
import { type Parcel, eventsOf, halves, portion } from './parcel.ts';

export interface RefusedItem {
  /** Of the item in its parcel. */
  readonly number: number;
  readonly reason: EndingReason;
  /** What the store said. */
  readonly error: string;
}

/** What to do with documents that the store will never take as they are. */
export interface Refusals {
  /** The refused items again, their events kept as text under the same ids. What can't be read again is left out. */
  asText(parcel: Parcel): Promise<Parcel>;
  /** Resolves when the events lie with the dead letters; rejects only when `signal` is aborted. */
  bury(parcel: Parcel, items: readonly RefusedItem[], signal: AbortSignal): Promise<void>;
}

export interface BulkWriterOptions {
  readonly store: Pick<Store, 'bulk'>;
  readonly refusals: Refusals;
  readonly ledger: Ledger;
  readonly limit: ConcurrencyLimit;
  readonly telemetry: IndexerTelemetry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  /** Size at which a body is sent; lowered here when the store finds it too large. */
  readonly bodyBytesMax: number;
}

const PASSING: BackoffLimits = { baseMs: 100, capMs: 5000 };
const OPERATOR: BackoffLimits = { baseMs: 1000, capMs: 30_000 };
const BODY_BYTES_MIN = 64 * 1024;

export class BulkWriter {
  /** Size at which a body should be sent now. */
  bodyBytesMax: number;
  /** Why the store does not take what it is sent; null while it does. */
  trouble: string | null = null;
  readonly #options: BulkWriterOptions;
  readonly #heldBytesMax: number;
  readonly #held = new Set<Parcel>();
  #heldBytes = 0;
  /** Parcels that wait for another try. */
  #parked = 0;
  readonly #stop = new AbortController();
  readonly #sending = new Set<AbortController>();
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(options: BulkWriterOptions) {
    this.#options = options;
    this.bodyBytesMax = options.bodyBytesMax;
    // Twice what can be in flight: the other half is for what waits for another try.
    this.#heldBytesMax = 2 * options.limit.limit * options.bodyBytesMax;
    options.ledger.place(() => this.eventsHeld);
  }

  get eventsHeld(): number {
    let events = 0;
    for (const parcel of this.#held) events += eventsOf(parcel.runs);
    return events;
  }

  /** Takes a parcel over. Resolves when there is room for another one. */
  async submit(parcel: Parcel): Promise<void> {
    this.#hold(parcel);
    void this.#deliver(parcel);
    while (!this.#hasRoom) await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Resolves when every event that was submitted has its outcome. */
  async idle(): Promise<void> {
    while (this.#held.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Gives up what is not done, at once. `idle` resolves soon after. */
  stop(): void {
    this.#stop.abort();
    for (const request of this.#sending) request.abort();
  }

  get #hasRoom(): boolean {
    if (this.#stop.signal.aborted) return true;
    return this.#held.size - this.#parked < this.#options.limit.limit && this.#heldBytes < this.#heldBytesMax;
  }

  async #deliver(submitted: Parcel): Promise<void> {
    let parcel = this.#withoutLost(submitted);
    for (let attempt = 0; parcel !== null; attempt++) {
      const answer = await this.#send(parcel);
      let patience = PASSING;
      if (answer instanceof BulkAnswer) {
        const rest = this.#settle(parcel, answer);
        if (attempt === 0) parcel.release?.();
        if (rest !== null && answer.settled > 0) attempt = Math.max(0, attempt - 1);
        if (answer.operator > 0) patience = OPERATOR;
        parcel = rest;
      } else {
        const verdict = requestVerdict(answer);
        if (!this.#stop.signal.aborted) this.#options.telemetry.bulkFailed(answer, verdict, attempt);
        if (verdict === 'halve' || verdict === 'bisect') return this.#split(parcel, verdict, answer);
        this.trouble = reasonOf(answer);
        if (verdict === 'operator') patience = OPERATOR;
      }
      if (parcel !== null) parcel = await this.#park(parcel, backoffMs(attempt, patience, this.#options.random));
    }
  }

  /** Waits before another try. What was lost or stopped meanwhile is abandoned. */
  async #park(parcel: Parcel, ms: number): Promise<Parcel | null> {
    if (this.#stop.signal.aborted) return this.#abandon(parcel);
    this.#parked++;
    this.#wake();
    try {
      await this.#options.clock.sleep(ms, this.#stop.signal);
    } catch {
      // Stopped, which is looked at below.
    }
    this.#parked--;
    return this.#stop.signal.aborted ? this.#abandon(parcel) : this.#withoutLost(parcel);
  }

  async #send(parcel: Parcel): Promise<BulkAnswer | Error> {
    const { limit, store, clock, timeoutMs, telemetry } = this.#options;
    await limit.acquire();
    if (this.#stop.signal.aborted) {
      limit.release();
      return new SluiceError('shutting_down', 'Cannot write: the indexer stops');
    }
    const request = new AbortController();
    this.#sending.add(request);
    const startMs = clock.monotonicMs();
    const timeout = clock.timer(timeoutMs, () => request.abort());
    try {
      const outcomes = await store.bulk(parcel.request, request.signal);
      if (outcomes.length !== parcel.request.items.length) {
        return new SluiceError(
          'store_timeout',
          'Cannot read the answer to a bulk request: it has another number of items',
        );
      }
      const answer = new BulkAnswer(outcomes);
      telemetry.bulkAnswered((clock.monotonicMs() - startMs) / 1000, answer.statuses);
      return answer;
    } catch (error) {
      if (request.signal.aborted) {
        return new SluiceError('store_timeout', `Cannot write: the store gave no answer in ${timeoutMs} ms`, {
          cause: error,
        });
      }
      return error instanceof Error ? error : new Error(reasonOf(error));
    } finally {
      timeout[Symbol.dispose]();
      this.#sending.delete(request);
      limit.release();
    }
  }

  /** Tells the ledger what is done, sends what is refused its way, and gives back what is to be sent again. */
  #settle(parcel: Parcel, answer: BulkAnswer): Parcel | null {
    const { ledger, telemetry } = this.#options;
    const rest = answer.again.length > 0 ? portion(parcel, answer.again) : null;
    const refused = answer.refused.length > 0 ? portion(parcel, answer.refused) : null;
    this.#release(parcel);
    if (rest) this.#hold(rest);
    if (refused) this.#hold(refused);
    answer.settle(parcel, ledger, (run) => telemetry.indexed(run.batch.receivedMs));
    this.trouble = answer.operatorSays;
    if (answer.operatorSays !== null) telemetry.itemsHeld(answer.operator, answer.operatorSays);
    if (refused)
      void this.#refuse(
        refused,
        answer.refused.map((number) => answer.outcomes[number]),
      );
    return rest;
  }

  /** A whole request that is too large, or of which something unknown is wrong: in parts, down to the one item. */
  async #split(parcel: Parcel, verdict: 'halve' | 'bisect', error: Error): Promise<void> {
    const { length } = parcel.request.body;
    if (parcel.request.items.length === 1) {
      const reason = verdict === 'halve' ? 'document_too_large' : 'document_refused';
      return this.#refuse(parcel, [
        { status: verdict === 'halve' ? 413 : 400, errorType: reason, errorReason: reasonOf(error) },
      ]);
    }
    if (verdict === 'halve') this.bodyBytesMax = Math.max(BODY_BYTES_MIN, Math.min(this.bodyBytesMax, length >> 1));
    const parts = halves(parcel);
    this.#release(parcel);
    for (const part of parts) this.#hold(part);
    for (const part of parts) void this.#deliver(part);
  }

  /** All items of the parcel were refused: once as text, then to the dead letters. */
  async #refuse(parcel: Parcel, outcomes: readonly (BulkOutcome | undefined)[]): Promise<void> {
    const items = outcomes.map((outcome, number) => refusedItem(number, outcome));
    if (parcel.asText || items.some((item) => item.reason === 'document_too_large')) return this.#bury(parcel, items);
    const again = await this.#options.refusals.asText(parcel);
    // Here, and in `bury`, the events are read from the queue's record again: what is not there can't be written.
    if (eventsOf(again.runs) !== eventsOf(parcel.runs)) return this.#bury(parcel, items);
    this.#options.telemetry.rewritten(items.length, items[0]?.error ?? '');
    this.#release(parcel);
    this.#hold(again);
    return this.#deliver(again);
  }

  async #bury(parcel: Parcel, items: readonly RefusedItem[]): Promise<void> {
    try {
      await this.#options.refusals.bury(parcel, items, this.#stop.signal);
    } catch {
      this.#abandon(parcel);
      return;
    }
    this.#release(parcel);
    let item = 0;
    for (const run of parcel.runs) {
      for (let i = 0; i < run.count; i++) {
        const reason = items[item++]?.reason ?? 'document_refused';
        if (run.parts)
          for (const part of run.parts) this.#options.ledger.settle(part.record, 1, 'dead_lettered', reason);
        else this.#options.ledger.settle(run.record, 1, 'dead_lettered', reason);
      }
    }
    this.#wake();
  }

  /** Leaves out what was fetched under an assignment that is lost. */
  #withoutLost(parcel: Parcel): Parcel | null {
    if (!parcel.runs.some((run) => run.record.assignment.void)) return parcel;
    const kept: number[] = [];
    let item = 0;
    for (const run of parcel.runs) {
      for (let i = 0; i < run.count; i++, item++) if (!run.record.assignment.void) kept.push(item);
    }
    const rest = kept.length > 0 ? portion(parcel, kept) : null;
    this.#release(parcel);
    if (rest) this.#hold(rest);
    for (const run of parcel.runs) if (run.record.assignment.void) this.#end(run, 'assignment_lost');
    this.#wake();
    return rest;
  }

  #abandon(parcel: Parcel): null {
    this.#release(parcel);
    for (const run of parcel.runs) this.#end(run, 'shutdown');
    this.#wake();
    return null;
  }

  #end(run: Parcel['runs'][number], reason: EndingReason): void {
    const { ledger } = this.#options;
    if (run.parts) for (const part of run.parts) ledger.settle(part.record, 1, 'abandoned', reason);
    else ledger.settle(run.record, run.count, 'abandoned', reason);
  }

  #hold(parcel: Parcel): void {
    this.#held.add(parcel);
    this.#heldBytes += parcel.request.body.length;
  }

  #release(parcel: Parcel): void {
    if (this.#held.delete(parcel)) this.#heldBytes -= parcel.request.body.length;
    this.#wake();
  }

  /** Something changed: whoever waits looks again, in a microtask, when all of the change is done. */
  #wake(): void {
    if (this.#roomWaiters.length > 0 && this.#hasRoom) for (const wake of this.#roomWaiters.splice(0)) wake();
    if (this.#idleWaiters.length > 0 && this.#held.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}

function refusedItem(number: number, outcome: BulkOutcome | undefined): RefusedItem {
  const type = outcome?.errorType ?? '';
  return {
    number,
    reason: outcome?.status === 413 ? 'document_too_large' : 'document_refused',
    error: `${type}: ${outcome?.errorReason ?? 'no reason given'}`,
  };
}
