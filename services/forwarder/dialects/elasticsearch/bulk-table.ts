// What a `_bulk` body becomes, in columns. As objects, a hundred thousand items would take a hundred times their bytes,
// and as long again to move to another thread. An item or a group becomes an object only while somebody looks at it.
//
//   item    operation, index, and outcome: the number of its group, or ~n for refusal n; its id, if it has one
//   group   entries that are taken or refused together: all of one index without an id, or a single one with an id
//
// Guarantees: the table is cloneable, and its buffers can be moved; some 30 bytes an item, and its id.

import type { Content } from '../../intake/chunk.ts';

export const OPERATIONS = ['create', 'index', 'update', 'delete'] as const;
export type BulkOperation = (typeof OPERATIONS)[number];

export interface BulkRefusal {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

export interface BulkItem {
  readonly operation: BulkOperation;
  readonly index: string;
  readonly id: string | null;
  /** The number of the group with its entry, or the refusal. */
  readonly outcome: number | BulkRefusal;
}

/** What is known of an item before its document is read. */
export type BulkAction = Omit<BulkItem, 'outcome'>;

/** Entries that are taken or refused together. */
export interface BulkGroup {
  readonly index: string;
  readonly id: string | null;
  /** Of the document as it was sent, if it has an id. */
  readonly content: Content | null;
  readonly entries: Uint8Array;
  readonly count: number;
}

export interface BulkTable {
  /** Each name once. */
  readonly indexes: readonly string[];
  readonly refusals: readonly BulkRefusal[];
  /** By refusal: how many items it is the outcome of. */
  readonly refused: Uint32Array;
  /** The length of all items' index names together. */
  readonly indexBytes: number;
  /** Items that have an id. */
  readonly idCount: number;
  /** By item. Ids one after another; an item without an id adds none. */
  readonly operations: Uint32Array;
  readonly indexOf: Uint32Array;
  readonly outcomes: Uint32Array;
  readonly idEnds: Uint32Array;
  readonly ids: Uint8Array;
  /** By group: its index, and its first item's number if it has an id, else 0xffffffff. */
  readonly groupIndex: Uint32Array;
  readonly groupItem: Uint32Array;
  readonly groupEnds: Uint32Array;
  readonly groupLengths: Uint32Array;
  readonly groupSums: Uint32Array;
  /** Entries of the groups with an id, one after another. */
  readonly named: Uint8Array;
  /** The groups without an id. */
  readonly ofIndexes: readonly { readonly number: number; readonly entries: Uint8Array; readonly count: number }[];
}

/** The items in order, each made when it is asked for. */
export function* itemsOf(table: BulkTable): Generator<BulkItem, void, undefined> {
  const { operations, indexes, indexOf, outcomes, refusals } = table;
  for (let i = 0; i < operations.length; i += 1) {
    const outcome = (outcomes[i] ?? 0) | 0;
    yield {
      operation: OPERATIONS[operations[i] ?? 0] ?? 'create',
      index: indexes[indexOf[i] ?? 0] ?? '',
      id: idOf(table, i),
      outcome: refusals[~outcome] ?? outcome,
    };
  }
}

/** Items that are in no group. */
export function refusedCount({ refused }: BulkTable): number {
  return refused.reduce((sum, count) => sum + count, 0);
}

/** The groups in order, each made when it is asked for. */
export function* groupsOf(table: BulkTable): Generator<BulkGroup, void, undefined> {
  const { indexes, groupIndex, groupItem, groupEnds, groupLengths, groupSums, named } = table;
  const ofIndexes = new Map(table.ofIndexes.map((group) => [group.number, group]));
  let start = 0;
  for (let group = 0; group < groupIndex.length; group += 1) {
    const index = indexes[groupIndex[group] ?? 0] ?? '';
    const ofIndex = ofIndexes.get(group);
    if (ofIndex) {
      yield { index, id: null, content: null, entries: ofIndex.entries, count: ofIndex.count };
      continue;
    }
    const end = groupEnds[group] ?? 0;
    const content = { crc32: groupSums[group] ?? 0, length: groupLengths[group] ?? 0 };
    yield { index, id: idOf(table, groupItem[group] ?? 0), content, entries: named.subarray(start, end), count: 1 };
    start = end;
  }
}

/** What the table holds in memory, its entries included. */
export function tableBytes(table: BulkTable): number {
  const { named, ofIndexes } = table;
  let bytes = named.length + answeredBytes(table);
  for (const { entries } of ofIndexes) bytes += entries.length;
  return bytes;
}

/** The same without its entries, which no answer is made of. */
export function answeredBytes({ ids, operations, groupIndex }: BulkTable): number {
  return ids.length + operations.length * ITEM_BYTES + groupIndex.length * GROUP_BYTES;
}

/** Four columns of items, five of groups. */
const ITEM_BYTES = 16;
const GROUP_BYTES = 20;

function idOf({ ids, idEnds }: BulkTable, item: number): string | null {
  const start = item === 0 ? 0 : (idEnds[item - 1] ?? 0);
  const end = idEnds[item] ?? 0;
  return start === end ? null : Buffer.from(ids.buffer, ids.byteOffset + start, end - start).toString();
}
