// The items of a `_bulk` body in columns. As objects that live until the store has answered, they outlive the young
// generation, and nothing collects them before the heap has grown: a hundred bytes each, 70 MB of them behind a body of
// 700,000 small events. An item becomes an object only while somebody looks at it.
//
//   offsets   actionStart docStart docEnd entry | …      an entry may have more than 32 bits
//   runs      consecutive items of one data stream and one batch
//
// Guarantees: constant time for the next item of those that are read in order, a search among the runs for any other.

import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BulkItem, BulkItems } from '#shared/store/store.ts';

const COLUMNS = 4;
const ITEMS_FIRST = 64;
/** A request has some ten thousand items, seldom more. */
const ITEMS_KEPT = 32 * 1024;

interface Run {
  /** Number of its first item. */
  readonly first: number;
  readonly index: string;
  readonly batch: Batch;
}

export interface ItemPlace {
  /** Of the entry in its batch, the batch's `first` included. */
  readonly entry: number;
  readonly actionStart: number;
  readonly docStart: number;
  readonly docEnd: number;
}

export class BodyItems implements BulkItems {
  #offsets = new Float64Array(COLUMNS * ITEMS_FIRST);
  readonly #runs: Run[] = [];
  #length = 0;
  /** The run that was read last. */
  #at = 0;

  get length(): number {
    return this.#length;
  }

  /** @param batch must not change as long as the items live */
  add(index: string, batch: Batch, { entry, actionStart, docStart, docEnd }: ItemPlace): void {
    const at = COLUMNS * this.#length;
    if (at === this.#offsets.length) this.#grow();
    const offsets = this.#offsets;
    offsets[at] = actionStart;
    offsets[at + 1] = docStart;
    offsets[at + 2] = docEnd;
    offsets[at + 3] = entry;
    const last = this.#runs.at(-1);
    if (last?.batch !== batch || last.index !== index) this.#runs.push({ first: this.#length, index, batch });
    this.#length += 1;
  }

  /** Forgets all, for the next use. */
  clear(): void {
    if (this.#offsets.length > COLUMNS * ITEMS_KEPT) {
      this.#offsets.buffer.transfer(0);
      this.#offsets = new Float64Array(COLUMNS * ITEMS_FIRST);
    }
    this.#runs.length = 0;
    this.#length = 0;
    this.#at = 0;
  }

  at(number: number): BulkItem | undefined {
    if (number < 0 || number >= this.#length) return undefined;
    const { index, batch } = this.#runOf(number);
    const offsets = this.#offsets;
    const at = COLUMNS * number;
    return new Item(index, batch, offsets[at + 3] ?? 0, offsets[at] ?? 0, offsets[at + 1] ?? 0, offsets[at + 2] ?? 0);
  }

  map<T>(each: (item: BulkItem, number: number) => T): T[] {
    return Array.from(this, each);
  }

  *[Symbol.iterator](): Generator<BulkItem, void, undefined> {
    for (let number = 0; number < this.#length; number += 1) {
      const item = this.at(number);
      if (item !== undefined) yield item;
    }
  }

  #runOf(number: number): Run {
    const runs = this.#runs;
    if (!this.#isIn(this.#at, number))
      this.#at = this.#isIn(this.#at + 1, number) ? this.#at + 1 : this.#search(number);
    const run = runs[this.#at];
    if (run === undefined) throw new Error('an item has a run');
    return run;
  }

  #isIn(at: number, number: number): boolean {
    return (this.#runs[at]?.first ?? Infinity) <= number && number < (this.#runs[at + 1]?.first ?? this.#length);
  }

  #search(number: number): number {
    let low = 0;
    for (let high = this.#runs.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.first ?? Infinity) <= number) low = middle;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#offsets.length);
    larger.set(this.#offsets);
    // Left to the garbage collector, as much again would lie about.
    this.#offsets.buffer.transfer(0);
    this.#offsets = larger;
  }
}

/** An item whose name is made only when somebody asks: of most, nobody does. */
class Item implements BulkItem {
  readonly index: string;
  readonly #batch: Batch;
  readonly #entry: number;
  readonly actionStart: number;
  readonly docStart: number;
  readonly docEnd: number;

  constructor(index: string, batch: Batch, entry: number, actionStart: number, docStart: number, docEnd: number) {
    this.index = index;
    this.#batch = batch;
    this.#entry = entry;
    this.actionStart = actionStart;
    this.docStart = docStart;
    this.docEnd = docEnd;
  }

  get id(): string {
    return documentId(this.#batch, this.#entry);
  }
}
