// Batches that end without the store: their assignment was lost, or the process stops. Their events are abandoned in
// the ledger, so their offsets stay, and whoever reads the partition next reads them again.
//
// Guarantees: each event of what is given up is abandoned once; a batch is released before its events are.

import type { EndingReason, Ledger } from '../settle/ledger.ts';
import type { BulkBatch, ItemRange } from '../settle/bulk-batch.ts';
import type { BatchesInHand } from './batches-in-hand.ts';

export class Abandonment {
  readonly #inHand: BatchesInHand;
  readonly #ledger: Ledger;

  constructor(inHand: BatchesInHand, ledger: Ledger) {
    this.#inHand = inHand;
    this.#ledger = ledger;
  }

  /** The batch without what was fetched under a lost assignment; null where nothing is left. */
  withoutLost(batch: BulkBatch): BulkBatch | null {
    if (!batch.ranges.some(isLost)) return batch;
    const kept: number[] = [];
    let item = 0;
    for (const range of batch.ranges) {
      for (let i = 0; i < range.count; i++, item++) if (!isLost(range)) kept.push(item);
    }
    const rest = kept.length > 0 ? this.#inHand.subset(batch, kept) : null;
    this.#inHand.release(batch);
    for (const range of batch.ranges) if (isLost(range)) this.#end(range, 'assignment_lost');
    return rest;
  }

  /** Gives the whole batch up, because the process stops. */
  abandon(batch: BulkBatch): null {
    this.#inHand.release(batch);
    for (const range of batch.ranges) this.#end(range, 'shutdown');
    return null;
  }

  #end(range: ItemRange, reason: EndingReason): void {
    if (range.parts) for (const part of range.parts) this.#ledger.settleEvent(part, 'abandoned', reason);
    else this.#ledger.settle(range.record, range.count, 'abandoned', reason);
  }
}

function isLost(range: ItemRange): boolean {
  return range.record.assignment.isRevoked;
}
