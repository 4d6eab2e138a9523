// What may be committed of one partition, under one assignment: the end of the contiguous prefix of finished records.
// Records finish in any order, for bulk requests overtake each other; an offset is passed only when all before it are
// finished.
//
//   offset     5     6     7     8     9
//              done  done  busy  done  busy        next = 7: to be read again after a crash are 7, 8 and 9
//
// in-hand.ts tells it what is finished; consume/committer.ts commits `next` every half a second.
//
// Stretches of records through which stack traces lie are passed whole or not at all (join/stretch.ts), so that reading
// never begins in the middle of one.
//
// Guarantees: `next` never goes back, and never passes a record that is not finished. One entry a record, none per
// event.

import assert from 'node:assert/strict';

export interface PendingOffset {
  readonly offset: number;
  /** When the record was appended to the queue, ms since the epoch. */
  readonly timestampMs: number;
  finished: boolean;
}

/** Entries in front of the first busy one are cut off the array once there are this many of them. */
const COMPACT_AT = 1024;

export class ContiguousOffsets {
  #pending: PendingOffset[] = [];
  #head = 0;
  #next: number;
  #readTo: number;
  /** The stretch that has no end yet begins here. */
  #heldFrom = Infinity;
  /** Stretches that end behind `next`, in order. */
  #stretches: { readonly first: number; readonly last: number }[] = [];

  /** `next` = first offset that will be read. */
  constructor(next: number) {
    this.#next = next;
    this.#readTo = next;
  }

  /** The offset to commit. */
  get next(): number {
    return this.before(this.#next);
  }

  /** The last offset up to `limit` that may be committed as far as stretches are concerned. */
  before(limit: number): number {
    for (const { first, last } of this.#stretches) if (first < limit && limit <= last) return first;
    return Math.min(limit, this.#heldFrom);
  }

  /** A stretch begins with the record at this offset. */
  hold(first: number): void {
    this.#heldFrom = Math.min(first, this.#heldFrom);
  }

  /** The stretch ends with the record at this offset. */
  release(last: number): void {
    const first = this.#heldFrom;
    this.#heldFrom = Infinity;
    this.#stretches = this.#stretches.filter((stretch) => stretch.last >= this.#next);
    if (last > first && last >= this.#next) this.#stretches.push({ first, last });
  }

  /** The offset after the last record that came. */
  get readTo(): number {
    return this.#readTo;
  }

  /** The first record that is not finished; undefined where all are. */
  get oldest(): PendingOffset | undefined {
    return this.#pending[this.#head];
  }

  /** Records come in the order of their offsets; offsets may be missing (compaction, markers). */
  start(offset: number, timestampMs: number): PendingOffset {
    assert(offset >= this.#readTo, 'records of a partition start in order, each once');
    const pending = { offset, timestampMs, finished: false };
    this.#pending.push(pending);
    this.#readTo = offset + 1;
    return pending;
  }

  /** There are no records up to `to`, and never will be: once all before are finished, it may be committed. */
  skipTo(to: number): void {
    if (to > this.#readTo) this.finish(this.start(to - 1, 0));
  }

  finish(pending: PendingOffset): void {
    assert(!pending.finished, 'a record is finished once');
    pending.finished = true;
    if (pending !== this.#pending[this.#head]) return;
    let head = this.#head;
    for (let first = this.#pending[head]; first?.finished; first = this.#pending[head]) {
      this.#next = first.offset + 1;
      head++;
    }
    this.#head = head;
    if (head === this.#pending.length) {
      this.#pending.length = this.#head = 0;
    } else if (head >= COMPACT_AT) {
      this.#pending = this.#pending.slice(head);
      this.#head = 0;
    }
  }
}
