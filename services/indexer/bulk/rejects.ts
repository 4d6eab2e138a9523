// What becomes of documents that the store will never accept as they are. Each is written once more as text, under the
// same id; what is refused as text too, or is too large in any form, goes to the dead letters. So a document that does
// not fit the mapping is still found by a search, and nothing is lost without a word.
//
//   refused ─┬─ first time ─► as text ─► sent again
//            └─ as text, or too large ─► dead letters ─► ledger: dead_lettered
//
// Guarantees: an event is settled only after its dead letter is stored durably. What cannot be stored when the process
// stops is abandoned, and read again.

import type { Ledger } from '../settle/ledger.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import type { Abandonment } from './abandonment.ts';
import { type BulkBatch, eventsOf } from '../settle/bulk-batch.ts';
import type { BatchesInHand } from './batches-in-hand.ts';
import { type RefusedItem, UNKNOWN_REFUSAL } from '../settle/outcomes.ts';

/** Reads the events from the queue's records again, as text or for the dead letters. */
export interface Refusals {
  /** The refused items again, their events kept as text under the same ids. What can't be read again is left out. */
  asText(batch: BulkBatch): Promise<BulkBatch>;
  /** Resolves when the events lie with the dead letters; rejects only when `signal` is aborted. */
  deadLetter(batch: BulkBatch, items: readonly RefusedItem[], signal: AbortSignal): Promise<void>;
}

export interface RejectsOptions {
  readonly refusals: Refusals;
  readonly ledger: Ledger;
  readonly telemetry: Pick<BulkTelemetry, 'rewritten'>;
  readonly inHand: BatchesInHand;
  readonly abandonment: Abandonment;
  /** Sends what was rewritten. */
  readonly deliver: (batch: BulkBatch) => Promise<unknown>;
  readonly signal: AbortSignal;
}

export class Rejects {
  readonly #options: RejectsOptions;

  constructor(options: RejectsOptions) {
    this.#options = options;
  }

  /**
   * All items of the batch were refused, each as `items` says. Resolves when those that are sent as text are done.
   */
  async reject(batch: BulkBatch, items: readonly RefusedItem[]): Promise<void> {
    const { inHand } = this.#options;
    const isLast = (item: RefusedItem): boolean => batch.asText || item.reason === 'document_too_large';
    const numbers = Map.groupBy(items.keys(), (number) => isLast(items[number] ?? UNKNOWN_REFUSAL));
    const last = numbers.get(true) ?? [];
    const first = numbers.get(false) ?? [];
    const toDeadLetter = last.length > 0 ? inHand.subset(batch, last) : null;
    const toRewrite = first.length > 0 ? inHand.subset(batch, first) : null;
    inHand.release(batch);
    const itemsOf = (chosen: readonly number[]) => chosen.map((number) => items[number] ?? UNKNOWN_REFUSAL);
    if (toDeadLetter) void this.#deadLetter(toDeadLetter, itemsOf(last));
    if (toRewrite) await this.#rewrite(toRewrite, itemsOf(first));
  }

  async #rewrite(batch: BulkBatch, items: readonly RefusedItem[]): Promise<void> {
    const { refusals, telemetry, inHand, deliver } = this.#options;
    const rewritten = await refusals.asText(batch);
    // The events were read from the queue's record again, as dead letters are: what is not there can't be written.
    if (eventsOf(rewritten.ranges) !== eventsOf(batch.ranges)) return this.#deadLetter(batch, items);
    telemetry.rewritten(items.length, items[0]?.error ?? '');
    await deliver(inHand.replace(batch, rewritten));
  }

  async #deadLetter(batch: BulkBatch, items: readonly RefusedItem[]): Promise<void> {
    const { refusals, ledger, inHand, abandonment, signal } = this.#options;
    // Dead letters that cannot be stored now must not keep documents from being accepted that can.
    inHand.setWaiting(batch);
    try {
      await refusals.deadLetter(batch, items, signal);
    } catch {
      abandonment.abandon(batch);
      return;
    }
    inHand.release(batch);
    let item = 0;
    for (const range of batch.ranges) {
      for (let i = 0; i < range.count; i++) {
        const { reason } = items[item++] ?? UNKNOWN_REFUSAL;
        if (range.parts) for (const part of range.parts) ledger.settleEvent(part, 'dead_lettered', reason);
        else ledger.settle(range.record, 1, 'dead_lettered', reason);
      }
    }
  }
}
