// Writes the columns of a `_bulk` table, item by item (bulk-table.ts).
//
// Guarantees: constant time for an item, apart from the growth of the columns.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { Content } from '../../intake/chunk.ts';
import { type BulkAction, type BulkRefusal, type BulkTable, OPERATIONS } from './bulk-table.ts';

/** In place of an item's number: the group has no id. */
const NO_ITEM = 0xffffffff;

export class BulkTableWriter {
  readonly #indexes = new Map<string, number>();
  readonly #refusals = new Map<BulkRefusal, number>();
  readonly #refused = new Column();
  readonly #operations = new Column();
  readonly #indexOf = new Column();
  readonly #outcomes = new Column();
  readonly #idEnds = new Column();
  readonly #ids = new MsgpackWriter();
  readonly #groupIndex = new Column();
  readonly #groupItem = new Column();
  readonly #groupEnds = new Column();
  readonly #groupLengths = new Column();
  readonly #groupSums = new Column();
  #indexBytes = 0;
  #idCount = 0;
  #aloneCount = 0;

  /** Items so far. */
  get length(): number {
    return this.#operations.length;
  }

  /** Those of them that are taken alone. */
  get aloneCount(): number {
    return this.#aloneCount;
  }

  refused(action: BulkAction, refusal: BulkRefusal): void {
    const number = numberOf(this.#refusals, refusal);
    if (number === this.#refused.length) this.#refused.push(0);
    this.#refused.add(number, 1);
    this.#item(action, ~number);
  }

  /** Its entry is in a group of `groupOfIndex`. */
  taken(action: BulkAction, group: number): void {
    this.#item(action, group);
  }

  /** It has an id; its entry ends at `end` of the entries of all that have one. */
  takenAlone(action: BulkAction, { crc32, length }: Content, end: number): void {
    const group = this.#group(action.index, this.length, end);
    this.#groupLengths.set(group, length);
    this.#groupSums.set(group, crc32);
    this.#aloneCount += 1;
    this.#item(action, group);
  }

  /** Begins the group of an index's items without an id. */
  groupOfIndex(index: string): number {
    return this.#group(index, NO_ITEM, 0);
  }

  done(named: Uint8Array, ofIndexes: BulkTable['ofIndexes']): BulkTable {
    return {
      indexes: [...this.#indexes.keys()],
      refusals: [...this.#refusals.keys()],
      refused: this.#refused.values,
      indexBytes: this.#indexBytes,
      idCount: this.#idCount,
      operations: this.#operations.values,
      indexOf: this.#indexOf.values,
      outcomes: this.#outcomes.values,
      idEnds: this.#idEnds.values,
      ids: this.#ids.view(),
      groupIndex: this.#groupIndex.values,
      groupItem: this.#groupItem.values,
      groupEnds: this.#groupEnds.values,
      groupLengths: this.#groupLengths.values,
      groupSums: this.#groupSums.values,
      named,
      ofIndexes,
    };
  }

  #item({ operation, index, id }: BulkAction, outcome: number): void {
    this.#operations.push(OPERATIONS.indexOf(operation));
    this.#indexOf.push(numberOf(this.#indexes, index));
    this.#outcomes.push(outcome);
    this.#indexBytes += index.length;
    if (id !== null) {
      this.#ids.raw(Buffer.from(id));
      this.#idCount += 1;
    }
    this.#idEnds.push(this.#ids.length);
  }

  #group(index: string, item: number, end: number): number {
    this.#groupIndex.push(numberOf(this.#indexes, index));
    this.#groupItem.push(item);
    this.#groupEnds.push(end);
    this.#groupLengths.push(0);
    return this.#groupSums.push(0);
  }
}

/** Numbers of 32 bits; negative ones wrap. */
class Column {
  #values = new Uint32Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get values(): Uint32Array {
    return this.#values.subarray(0, this.#length);
  }

  /** Where it was put. */
  push(value: number): number {
    if (this.#length === this.#values.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = value;
    return this.#length++;
  }

  set(at: number, value: number): void {
    this.#values[at] = value;
  }

  add(at: number, value: number): void {
    this.#values[at] = (this.#values[at] ?? 0) + value;
  }
}

function numberOf<K>(numbers: Map<K, number>, key: K): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, numbers.size);
  return numbers.size - 1;
}
