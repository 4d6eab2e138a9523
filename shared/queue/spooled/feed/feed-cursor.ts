// The position at which a spool is read. The buffer of a partition that cannot be fed fills up. Its further records are
// then left in the spool, and reading goes on for the other partitions. When the partition takes more, reading goes
// back to what was left. Pure.
//
//   offset    10   11   12   13   14   15        partition   a  b  a  a  b  a
//                       ▲                   ▲    position 16: all was read once
//                       a is full from 12 on: `from` of a is 12; b takes all; the floor is 12
//
// Guarantees: the records of each partition are taken in order, each once. No record at or behind the floor is taken or
// passed over before. Memory grows with the partitions, not with the records that are left.

import assert from 'node:assert/strict';

/** What becomes of a record: it is taken; left for later; or was taken before. */
export type Meeting = 'taken' | 'left' | 'known';

interface Mark {
  /** All of the partition's records before this offset were taken. */
  from: number;
  /** One at `from` or behind it may have been left before the position. */
  isLeft: boolean;
}

export interface Wishes {
  /** Whether the partition takes enough to go back for it. */
  canAccept(partition: number): boolean;
  /** Whether to read on, for partitions of which nothing is left and for those that were never met. */
  readsOn(): boolean;
}

export class FeedCursor {
  readonly #marks = new Map<number, Mark>();
  readonly #left = new Map<number, Mark>();
  #position: number;
  #readTo: number;

  constructor(next: number) {
    this.#position = next;
    this.#readTo = next;
  }

  /** Offset of the next record to be read. */
  get position(): number {
    return this.#position;
  }

  /** Offset after the last record that was ever read. */
  get readTo(): number {
    return this.#readTo;
  }

  /** What was not taken lies here or behind. */
  get floor(): number {
    let floor = this.#position;
    for (const { from } of this.#left.values()) floor = Math.min(floor, from);
    return floor;
  }

  /** Passes a record that belongs to no partition. */
  pass(offset: number): void {
    assert(offset >= this.#position);
    this.#position = offset + 1;
    this.#readTo = Math.max(this.#readTo, this.#position);
  }

  /** The record at `offset`, at the position or behind it, is of this partition. */
  meet(partition: number, offset: number, canAccept: boolean): Meeting {
    this.pass(offset);
    let mark = this.#marks.get(partition);
    if (mark === undefined) {
      mark = { from: offset, isLeft: false };
      this.#marks.set(partition, mark);
    }
    if (offset < mark.from) return 'known';
    if (mark.isLeft) return 'left';
    if (canAccept) {
      mark.from = offset + 1;
      return 'taken';
    }
    mark.from = offset;
    mark.isLeft = true;
    this.#left.set(partition, mark);
    return 'left';
  }

  /** The lowest offset that somebody wants to be read next; null where nobody wants any. */
  wanted({ canAccept, readsOn }: Wishes): number | null {
    let wanted = Number.POSITIVE_INFINITY;
    for (const [partition, { from }] of this.#left) if (from < wanted && canAccept(partition)) wanted = from;
    if (readsOn()) {
      if (wanted > this.#readTo) wanted = this.#readTo;
      for (const { from, isLeft } of this.#marks.values()) {
        if (!isLeft) wanted = Math.min(wanted, Math.max(from, this.#position));
      }
    }
    return Number.isFinite(wanted) ? wanted : null;
  }

  /** Reading goes on at `offset`, which is not behind `readTo`. */
  seek(offset: number): void {
    assert(offset <= this.#readTo);
    for (const [partition, mark] of this.#marks) {
      // Up to the position it would have met them.
      if (!mark.isLeft) mark.from = Math.max(mark.from, this.#position);
      mark.isLeft = mark.from < offset;
      if (mark.isLeft) this.#left.set(partition, mark);
      else this.#left.delete(partition);
    }
    this.#position = offset;
  }
}
