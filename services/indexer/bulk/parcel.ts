// A bulk request together with where its items come from, so that each outcome finds its record.
//
//   items    0 1 2 3 4 5 | 6 | 7 8 9 10 11 …
//   runs     entries 40–45 of a record | a joined line | entries 47–… of it or of the next
//
// Consecutive entries of a batch are one run, so nothing is kept for each event. A joined line is a run of one item that settles as many
// events as it has parts. Portions copy the bytes of the items they keep; nothing is written anew.

import type { Batch } from '#shared/record/record.ts';
import type { BulkItem, BulkRequest } from '#shared/store/store.ts';
import type { RecordInHand } from '../in-hand.ts';

/** Where one event lies. */
export interface EventPlace {
  readonly record: RecordInHand;
  readonly batch: Batch;
  /** Number of the entry in its record, from 0. */
  readonly entry: number;
  /** Index of the event in its batch. */
  readonly index: number;
  /** Of a part of a line: its entry, a copy. Its record need not be kept for it; nor is `batch` of that record's memory. */
  readonly bytes?: Uint8Array;
}

/** A joined line as an entry like any other. */
interface LineEntry {
  readonly bytes: Uint8Array;
  /** Whether parts of it are missing. */
  readonly partial: boolean;
  /** Names under which another indexer may have stored beginnings and ends of it. */
  readonly unfinishedIds?: readonly string[];
}

export interface Run extends EventPlace {
  /** Items: this entry and those after it. */
  count: number;
  /** Of a joined line: its parts. Batch and index are then the line's own, and give its name; record and entry are the last part's. */
  readonly parts: readonly EventPlace[] | null;
  /** Of a joined line: the entry that its parts make together. */
  readonly line: LineEntry | null;
}

export interface Parcel {
  readonly request: BulkRequest;
  readonly runs: readonly Run[];
  /** The documents are a second try, as text: another refusal is the last. */
  readonly asText: boolean;
  /** Its items were refused, and a probe was taken after that: another refusal, and another probe taken, show that they are to blame. */
  readonly suspect?: boolean;
  /** A request with these items brought no answer: they may be in the store. */
  readonly unanswered?: boolean;
  /** Gives the request's buffer back; absent for portions, whose buffers are their own. */
  readonly release?: () => void;
}

/** What an item and a run take beside the body. */
const ITEM_BYTES = 96;
const RUN_BYTES = 128;
/** What a part has of its own beside its bytes: its batch, and the buffers of both. */
const PART_BYTES = 1024;

/** What is held of it in memory. */
export function bytesOf({ request, runs }: Parcel): number {
  let bytes = request.body.length + request.items.length * ITEM_BYTES + runs.length * RUN_BYTES;
  for (const { line, parts } of runs) {
    if (!line) continue;
    bytes += line.bytes.length;
    for (const part of parts ?? []) bytes += RUN_BYTES + (part.bytes ? part.bytes.length + PART_BYTES : 0);
  }
  return bytes;
}

/** Events that have no outcome yet as long as the parcel is not settled. */
export function eventsOf(runs: readonly Run[]): number {
  let events = 0;
  for (const run of runs) events += run.parts ? run.parts.length : run.count;
  return events;
}

/** The items `chosen`, by their numbers in ascending order, as a parcel of its own. */
export function portion(parcel: Parcel, chosen: readonly number[]): Parcel {
  const { request, runs, asText, suspect = false, unanswered = false } = parcel;
  return { request: pickItems(request, chosen), runs: pickRuns(runs, chosen), asText, suspect, unanswered };
}

/** Two portions of about the same number of items. */
export function halves(parcel: Parcel): [Parcel, Parcel] {
  const numbers = parcel.request.items.map((_, i) => i);
  const middle = numbers.length >> 1;
  return [portion(parcel, numbers.slice(0, middle)), portion(parcel, numbers.slice(middle))];
}

/** Parcels put together, in their order, while a body stays within `bytesMax`; with those that each is made of. */
export function mergedWithin(
  parcels: readonly Parcel[],
  bytesMax: number,
): { parcel: Parcel; of: readonly Parcel[] }[] {
  const groups: [Parcel, ...Parcel[]][] = [];
  let bytes = 0;
  for (const parcel of parcels) {
    const group = groups.at(-1);
    bytes += parcel.request.body.length;
    if (group && group[0].asText === parcel.asText && bytes <= bytesMax) group.push(parcel);
    else {
      groups.push([parcel]);
      bytes = parcel.request.body.length;
    }
  }
  return groups.map((group) => ({ parcel: merged(group), of: group }));
}

function merged(parcels: readonly [Parcel, ...Parcel[]]): Parcel {
  if (parcels.length === 1) return parcels[0];
  const items: BulkItem[] = [];
  const runs: Run[] = [];
  let at = 0;
  for (const parcel of parcels) {
    for (const { index, id, actionStart, docStart, docEnd } of parcel.request.items)
      items.push({ index, id, actionStart: at + actionStart, docStart: at + docStart, docEnd: at + docEnd });
    for (const run of parcel.runs) runs.push(run);
    at += parcel.request.body.length;
  }
  const body = Buffer.concat(parcels.map(({ request }) => request.body));
  const unanswered = parcels.some((parcel) => parcel.unanswered);
  const suspect = parcels.every((parcel) => parcel.suspect);
  return { request: { body, items }, runs, asText: parcels[0].asText, suspect, unanswered };
}

function pickItems(request: BulkRequest, chosen: readonly number[]): BulkRequest {
  const picked: BulkItem[] = [];
  let length = 0;
  for (const number of chosen) {
    const item = request.items[number];
    if (item) length += item.docEnd + 1 - item.actionStart;
  }
  const body = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const number of chosen) {
    const item = request.items[number];
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

function pickRuns(runs: readonly Run[], chosen: readonly number[]): Run[] {
  const picked: Run[] = [];
  let next = 0; // in `chosen`
  let item = 0;
  for (const run of runs) {
    const end = item + run.count;
    let last: Run | null = null;
    for (let number = chosen[next]; number !== undefined && number < end; number = chosen[++next]) {
      const entry = run.entry + number - item;
      if (last && last.entry + last.count === entry) {
        last.count++;
        continue;
      }
      last = {
        record: run.record,
        batch: run.batch,
        entry,
        index: run.index + number - item,
        count: 1,
        parts: run.parts,
        line: run.line,
      };
      picked.push(last);
    }
    item = end;
  }
  return picked;
}
