// Splits a record that its queue refuses into smaller records; most likely the queue takes less than it did. Each event
// keeps its batch, its index, its name and its place. What is left are events that are refused even alone.

import { entryEnd } from '#shared/msgpack/extents.ts';
import { chainAfterEntry } from '#shared/record/chain.ts';
import { ANY_WINDOW, compress, decompress } from '#shared/record/compression.ts';
import { type Batch, decodeBatches, encodeBatches, type QueueRecord } from '#shared/record/record.ts';

/** What the edge made of a sender's frame was counted within its limit before. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;

/** An event of a record: entry `start` to `end` of its bytes. */
interface Place {
  /** Its `chain` is that just before the event. */
  readonly batch: Batch;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Gives a record that was refused to `take` in ever smaller pieces, in order, until each was taken; `take` resolves to
 * false where the queue refuses a piece, whatever limit it tells. Resolves to what was refused: records of one event
 * each, or the record itself where it cannot be taken apart.
 */
export async function splitRecord(
  record: QueueRecord,
  take: (piece: QueueRecord) => Promise<boolean>,
): Promise<QueueRecord[]> {
  const batches = decodeBatches(record.batches);
  if (batches === null) return [record];
  let entries: Uint8Array;
  try {
    entries = await decompress(record.value, record.encoding, DECOMPRESSED_BYTES_MAX, ANY_WINDOW);
  } catch {
    return [record];
  }
  const places = placesOf(batches, entries);
  if (places === null || places.length <= 1) return [record];
  const refused: QueueRecord[] = [];
  // Halves of halves, the front first, so that the order stays.
  const open = halvesOf(places);
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const piece = await recordOf(record, part, entries);
    if (await take(piece)) continue;
    if (part.length === 1) refused.push(piece);
    else open.push(...halvesOf(part));
  }
  return refused;
}

/** The front is the last of them. */
function halvesOf(places: readonly Place[]): (readonly Place[])[] {
  const middle = places.length >> 1;
  return [places.slice(middle), places.slice(0, middle)];
}

/** Null where the entries are not as many as the table says. */
function placesOf(batches: readonly Batch[], entries: Uint8Array): Place[] | null {
  const places: Place[] = [];
  let start = 0;
  for (const row of batches) {
    let { chain } = row;
    for (let { first: index } = row; index < row.first + row.count; index++) {
      const end = entryEnd(entries, start, entries.length);
      if (end < 0) return null;
      places.push({ batch: { ...row, chain }, index, start, end });
      if (chain !== null) chain = chainAfterEntry(chain, entries, start, end);
      start = end;
    }
  }
  return start === entries.length ? places : null;
}

async function recordOf(record: QueueRecord, places: readonly Place[], entries: Uint8Array): Promise<QueueRecord> {
  const batches: Batch[] = [];
  for (const { batch, index } of places) {
    const last = batches.at(-1);
    if (last?.id === batch.id && index === last.first + last.count) {
      batches[batches.length - 1] = { ...last, count: last.count + 1 };
    } else batches.push({ ...batch, first: index, count: 1 });
  }
  const plain = entries.subarray(places[0]?.start ?? 0, places.at(-1)?.end ?? 0);
  const small = await compress(plain);
  const value = small.length < plain.length ? small : plain;
  return { ...record, encoding: value === small ? 'zstd' : 'identity', batches: encodeBatches(batches), value };
}
