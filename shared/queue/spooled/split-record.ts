// A record that has grown too large for its queue, because the queue takes less than it did, as records that fit. Each event keeps its
// batch, its index and its place; only events that do not fit even alone are left over.

import { entryEnd } from '#shared/msgpack/extents.ts';
import { ANY_WINDOW, compress, decompress } from '#shared/record/compression.ts';
import { type Batch, decodeBatches, encodeBatches, type QueueRecord } from '#shared/record/record.ts';
import { recordBytes } from '../headers.ts';

/** What the edge made of a sender's frame was counted within its limit before. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;

export interface SplitRecord {
  /** In the order of the record. */
  readonly fitting: readonly QueueRecord[];
  /** Of one event each, or the record itself where it cannot be opened. */
  readonly tooLarge: readonly QueueRecord[];
}

/** An event of a record: entry `start` to `end` of its bytes. */
interface Place {
  readonly batch: Batch;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

export async function splitRecord(record: QueueRecord, appendBytesMax: number): Promise<SplitRecord> {
  if (recordBytes(record) <= appendBytesMax) return { fitting: [], tooLarge: [record] };
  const batches = decodeBatches(record.batches);
  if (batches === null) return { fitting: [], tooLarge: [record] };
  let entries: Uint8Array;
  try {
    entries = await decompress(record.value, record.encoding, DECOMPRESSED_BYTES_MAX, ANY_WINDOW);
  } catch {
    return { fitting: [], tooLarge: [record] };
  }
  const places = placesOf(batches, entries);
  if (places === null) return { fitting: [], tooLarge: [record] };
  const fitting: QueueRecord[] = [];
  const tooLarge: QueueRecord[] = [];
  // Halves of halves, the front first, so that the order stays.
  const open = [places];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const piece = await recordOf(record, part, entries);
    if (recordBytes(piece) <= appendBytesMax) fitting.push(piece);
    else if (part.length === 1) tooLarge.push(piece);
    else open.push(part.slice(part.length >> 1), part.slice(0, part.length >> 1));
  }
  return { fitting, tooLarge };
}

/** Null where the entries are not as many as the table says. */
function placesOf(batches: readonly Batch[], entries: Uint8Array): Place[] | null {
  const places: Place[] = [];
  let start = 0;
  for (const batch of batches) {
    for (let index = batch.first; index < batch.first + batch.count; index++) {
      const end = entryEnd(entries, start, entries.length);
      if (end < 0) return null;
      places.push({ batch, index, start, end });
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
