// The answer to one bulk request, sorted: what is done, what goes again, what was refused. Nearly always all items have
// the same outcome, often one shared object. So the table of outcomes (settle/outcomes.ts) is asked once for a row of
// equals, and ranges are settled whole.

import type { BulkOutcome } from '#shared/store/store.ts';
import type { Ledger } from '../settle/ledger.ts';
import { type BulkBatch, type ItemRange, byIndex } from '../settle/bulk-batch.ts';
import type { OpenItems } from './next-step.ts';
import { type ItemVerdict, type RefusedItem, itemVerdict, outcomeReason, refusedItem } from '../settle/outcomes.ts';

/** Items without an outcome of which the next step is decided together. */
export interface OpenGroup {
  /** Of all refused and waiting items; empty for those that are only sent again, whatever their index. */
  readonly index: string;
  readonly numbers: readonly number[];
  readonly items: OpenItems;
  /** Why each is refused; empty for those that are not. */
  readonly refusals: readonly RefusedItem[];
}

export class BulkAnswer {
  readonly outcomes: readonly BulkOutcome[];
  /** Numbers of the items that are to be sent again soon; ascending, as are the others. */
  readonly again: number[] = [];
  /** Those that wait until their index accepts documents: by itself, or after an operator's work. */
  readonly waiting: number[] = [];
  readonly refused: number[] = [];
  /** Items by status, for the metric. A document that went to the failure store counts as "failure_store". */
  readonly statuses = new Map<string, number>();
  /** Items that are indexed or were there already. */
  settled = 0;
  readonly #verdicts: (ItemVerdict | null)[] = [];
  readonly #uniform: ItemVerdict | null;

  constructor(outcomes: readonly BulkOutcome[]) {
    this.outcomes = outcomes;
    let start = 0;
    for (let end = 1; end <= outcomes.length; end++) {
      const outcome = outcomes[start];
      if (!outcome || sameOutcome(outcome, outcomes[end])) continue;
      this.#sort(outcome, start, end);
      start = end;
    }
    const first = this.#verdicts[0] ?? null;
    this.#uniform =
      this.settled === outcomes.length && this.#verdicts.every((verdict) => verdict === first) ? first : null;
  }

  /** The store has too much to do. */
  get overloaded(): boolean {
    return this.again.length > 0;
  }

  /** Whether the item is indexed or was there already. */
  isSettled(number: number): boolean {
    const verdict = this.#verdicts[number];
    return verdict === 'indexed' || verdict === 'deduplicated';
  }

  /**
   * The items that are not settled: first those to be sent again, then the waiting ones and the refused ones by index.
   */
  open(batch: BulkBatch): OpenGroup[] {
    const groups: OpenGroup[] = [];
    if (this.again.length > 0) groups.push(this.#group('retry', '', this.again));
    for (const [index, numbers] of byIndex(batch, this.waiting)) {
      const isBlocked = this.#verdicts[numbers[0] ?? 0] === 'blocked';
      groups.push(this.#group(isBlocked ? 'blocked' : 'operator', index, numbers));
    }
    for (const [index, numbers] of byIndex(batch, this.refused)) groups.push(this.#group('refused', index, numbers));
    return groups;
  }

  #group(verdict: OpenItems['verdict'], index: string, numbers: readonly number[]): OpenGroup {
    const isRefused = verdict === 'refused';
    const reason = outcomeReason(this.outcomes[numbers[0] ?? 0]);
    return {
      index,
      numbers,
      items: { kind: 'items', verdict, reason, isIndexAccepting: isRefused && this.#hasAccepted(numbers) },
      refusals: isRefused ? numbers.map((number) => refusedItem(this.outcomes[number])) : [],
    };
  }

  /**
   * Whether the same answer shows that the index of the `refused` items (all of one) accepts documents: a neighbour is
   * new in the same backing index. What was refused for its size needs no neighbour.
   */
  #hasAccepted(refused: readonly number[]): boolean {
    const isTooLarge = (number: number): boolean => this.outcomes[number]?.status === 413;
    if (refused.every(isTooLarge)) return true;
    const backing = this.outcomes[refused[0] ?? 0]?.backing;
    if (backing === undefined) return false;
    return this.outcomes.some(
      (outcome) => outcome.status === 201 && !outcome.failureStore && outcome.backing === backing,
    );
  }

  /**
   * Reports to the ledger what is done. Calls `indexed` once for each range of which something is indexed, with how
   * many.
   */
  settle(batch: BulkBatch, ledger: Ledger, indexed: (range: ItemRange, events: number) => void): void {
    let item = 0;
    for (const range of batch.ranges) {
      let news = 0;
      let repeats = 0;
      if (this.#uniform === 'indexed') news = range.count;
      else if (this.#uniform === 'deduplicated') repeats = range.count;
      else {
        for (let i = item; i < item + range.count; i++) {
          const verdict = this.#verdicts[i];
          if (verdict === 'indexed') news++;
          else if (verdict === 'deduplicated') repeats++;
        }
      }
      item += range.count;
      if (news > 0) indexed(range, news);
      if (range.parts) {
        if (news + repeats === 0) continue;
        for (const part of range.parts) ledger.settleEvent(part, news > 0 ? 'indexed' : 'deduplicated');
      } else {
        ledger.settle(range.record, news, 'indexed');
        ledger.settle(range.record, repeats, 'deduplicated');
      }
    }
  }

  #sort(outcome: BulkOutcome, start: number, end: number): void {
    const verdict = itemVerdict(outcome);
    const status = outcome.failureStore ? 'failure_store' : String(outcome.status);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + end - start);
    for (let i = start; i < end; i++) {
      this.#verdicts.push(verdict);
      if (verdict === 'refused') this.refused.push(i);
      else if (verdict === 'retry') this.again.push(i);
      else if (verdict === 'blocked' || verdict === 'operator') this.waiting.push(i);
    }
    if (verdict === 'indexed' || verdict === 'deduplicated') this.settled += end - start;
  }
}

function sameOutcome(a: BulkOutcome, b: BulkOutcome | undefined): boolean {
  if (a === b) return true;
  return (
    b !== undefined &&
    a.status === b.status &&
    a.errorType === undefined &&
    b.errorType === undefined &&
    a.failureStore === b.failureStore
  );
}
