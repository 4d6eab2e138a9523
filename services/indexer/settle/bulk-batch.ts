// A bulk request together with where its items come from, so that each outcome finds its record. (A "batch" alone is
// what a sender sent as one, see shared/record.)
//
//   items    0 1 2 3 4 5 | 6 | 7 8 9 10 11 …
//   ranges   entries 40–45 of a record | a joined line | entries 47–… of it or of the next
//
// Consecutive entries of a batch are one range, so nothing is kept for each event. A joined line is a range of one item
// that settles as many events as it has parts. A subset copies the bytes of its items; no document is written anew.

import type { Batch } from '#shared/record/record.ts';
import type { BulkItem, BulkRequest } from '#shared/store/store.ts';
import type { RecordInHand } from '../commit/in-hand.ts';

/** Where one event lies. */
export interface EventRef {
  readonly record: RecordInHand;
  readonly batch: Batch;
  /** Number of the entry in its record, from 0. */
  readonly entry: number;
  /** Index of the event in its batch. */
  readonly index: number;
  /**
   * Of a part of a line: its entry, a copy. Its record need not be kept for it; nor is `batch` of that record's memory.
   */
  readonly bytes?: Uint8Array;
}

/** A joined line as an entry like any other. */
interface LineEntry {
  readonly bytes: Uint8Array;
  /** Whether parts of it are missing. */
  readonly partial: boolean;
  /** Lines that it was printed as. */
  readonly lines: number;
  /** Names under which another indexer may have stored beginnings and ends of it. */
  readonly unfinishedIds?: readonly string[];
}

export interface ItemRange extends EventRef {
  /** Items: this entry and those after it. */
  count: number;
  /**
   * Of a joined line: its parts. Batch and index are then the line's own, and give its name; record and entry are the
   * last part's.
   */
  readonly parts: readonly EventRef[] | null;
  /** Of a joined line: the entry that its parts make together. */
  readonly line: LineEntry | null;
}

export interface BulkBatch {
  readonly request: BulkRequest;
  readonly ranges: readonly ItemRange[];
  /** The documents are a second try, as text: another refusal is the last. */
  readonly asText: boolean;
  /** Its items were refused, and a probe after that was accepted. If both happen once more, the items are to blame. */
  readonly suspect?: boolean;
  /** A request with these items brought no answer: they may be in the store. */
  readonly unanswered?: boolean;
  /** Gives the request's buffer back; absent for subsets, whose buffers are their own. */
  readonly release?: () => void;
}

/** What an item and a range take beside the body. Items of subsets are objects; in columns each takes a third of it. */
const ITEM_BYTES = 96;
const RANGE_BYTES = 128;
/** What a part has of its own beside its bytes: its batch, and the buffers of both. */
const PART_BYTES = 1024;

/** Bytes that the batch takes in memory. */
export function bytesOf({ request, ranges }: BulkBatch): number {
  let bytes = request.body.length + request.items.length * ITEM_BYTES + ranges.length * RANGE_BYTES;
  for (const { line, parts } of ranges) {
    if (!line) continue;
    bytes += line.bytes.length;
    for (const part of parts ?? []) bytes += RANGE_BYTES + (part.bytes ? part.bytes.length + PART_BYTES : 0);
  }
  return bytes;
}

/** Events that have no outcome yet as long as the batch is not settled. */
export function eventsOf(ranges: readonly ItemRange[]): number {
  let events = 0;
  for (const range of ranges) events += range.parts ? range.parts.length : range.count;
  return events;
}

/** Numbers of all items. */
export function numbersOf({ items }: BulkRequest): number[] {
  return Array.from({ length: items.length }, (_, number) => number);
}

/** Numbers of the items of each index, of those that are named. */
export function byIndex({ request }: BulkBatch, numbers: readonly number[]): Map<string, number[]> {
  return Map.groupBy(numbers, (number) => request.items.at(number)?.index ?? '');
}

/** The items `chosen`, by their numbers in ascending order, as a batch of its own. */
export function subset(batch: BulkBatch, chosen: readonly number[]): BulkBatch {
  const { request, ranges, asText, suspect = false, unanswered = false } = batch;
  return { request: pickItems(request, chosen), ranges: pickRanges(ranges, chosen), asText, suspect, unanswered };
}

/** The batch after a request that brought no answer: somebody may still read its buffer, which is not to be reused. */
export function afterNoAnswer({ request, ranges, asText, suspect = false }: BulkBatch): BulkBatch {
  return { request, ranges, asText, suspect, unanswered: true };
}

/** Two subsets of about the same number of items. */
export function halves(batch: BulkBatch): [BulkBatch, BulkBatch] {
  const numbers = numbersOf(batch.request);
  const middle = numbers.length >> 1;
  return [subset(batch, numbers.slice(0, middle)), subset(batch, numbers.slice(middle))];
}

/** Batches put together, in their order, while a body stays within `bytesMax`; with those that each is made of. */
export function mergedWithin(
  batches: readonly BulkBatch[],
  bytesMax: number,
): { batch: BulkBatch; of: readonly BulkBatch[] }[] {
  const groups: [BulkBatch, ...BulkBatch[]][] = [];
  let bytes = 0;
  for (const batch of batches) {
    const group = groups.at(-1);
    bytes += batch.request.body.length;
    if (group && group[0].asText === batch.asText && bytes <= bytesMax) group.push(batch);
    else {
      groups.push([batch]);
      bytes = batch.request.body.length;
    }
  }
  return groups.map((group) => ({ batch: merged(group), of: group }));
}

function merged(batches: readonly [BulkBatch, ...BulkBatch[]]): BulkBatch {
  if (batches.length === 1) return batches[0];
  const items: BulkItem[] = [];
  const ranges: ItemRange[] = [];
  let at = 0;
  for (const batch of batches) {
    for (const { index, id, actionStart, docStart, docEnd } of batch.request.items)
      items.push({ index, id, actionStart: at + actionStart, docStart: at + docStart, docEnd: at + docEnd });
    for (const range of batch.ranges) ranges.push(range);
    at += batch.request.body.length;
  }
  const body = Buffer.concat(batches.map(({ request }) => request.body));
  const unanswered = batches.some((batch) => batch.unanswered);
  const suspect = batches.every((batch) => batch.suspect);
  return { request: { body, items }, ranges, asText: batches[0].asText, suspect, unanswered };
}

function pickItems(request: BulkRequest, chosen: readonly number[]): BulkRequest {
  const picked: BulkItem[] = [];
  let length = 0;
  for (const number of chosen) {
    const item = request.items.at(number);
    if (item) length += item.docEnd + 1 - item.actionStart;
  }
  const body = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const number of chosen) {
    const item = request.items.at(number);
    if (!item) continue;
    body.set(request.body.subarray(item.actionStart, item.docEnd + 1), at);
    const shift = at - item.actionStart;
    picked.push({
      index: item.index,
      id: item.id,
      actionStart: at,
      docStart: item.docStart + shift,
      docEnd: item.docEnd + shift,
    });
    at = item.docEnd + 1 + shift;
  }
  return { body, items: picked };
}

function pickRanges(ranges: readonly ItemRange[], chosen: readonly number[]): ItemRange[] {
  const picked: ItemRange[] = [];
  let next = 0; // in `chosen`
  let item = 0;
  for (const range of ranges) {
    const end = item + range.count;
    let last: ItemRange | null = null;
    for (let number = chosen[next]; number !== undefined && number < end; number = chosen[++next]) {
      const entry = range.entry + number - item;
      if (last && last.entry + last.count === entry) {
        last.count++;
        continue;
      }
      last = {
        record: range.record,
        batch: range.batch,
        entry,
        index: range.index + number - item,
        count: 1,
        parts: range.parts,
        line: range.line,
      };
      picked.push(last);
    }
    item = end;
  }
  return picked;
}
