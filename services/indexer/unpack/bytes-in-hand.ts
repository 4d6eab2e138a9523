// What a record takes in the indexer's memory, in bytes: more than its value. A record of one small event costs ten
// times its value in objects, and the budget that pauses reading must know it. Figures are of Node 26: heap and buffers
// of 200,000 of each, rounded up. Pure.

import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { Unpacked } from './unpack.ts';

const MIB = 1024 * 1024;

/** The record, its headers, its place among the offsets, its permit. */
export const RECORD_OVERHEAD_BYTES = 1024;
/** A row of the table of batches, with its texts. */
export const BATCH_OVERHEAD_BYTES = 640;

/** A dead letter that waits for the queue, beside the bytes of its entry: its table, texts, and what waits for it. */
export const DEAD_LETTER_IN_HAND_BYTES = 4096;

/** From its fetch until its last event has an outcome. */
export function recordBytes({ headers, value }: FetchedRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + value.length;
  for (const name in headers) bytes += headers[name]?.length ?? 0;
  return bytes;
}

/** The same once it was opened: its rows stay as long as any of its documents. */
export function rowsBytes({ batches }: Unpacked): number {
  return batches.length * BATCH_OVERHEAD_BYTES;
}

/** From its opening until its entries have gone on: the uncompressed value, and where its entries end. */
export function openedBytes({ bytes, ends }: Unpacked, { value }: FetchedRecord): number {
  return (bytes.buffer === value.buffer ? 0 : bytes.length) + ends.byteLength;
}

/**
 * The most bytes to fetch at once for a partition, and to keep of records that are to be tried out: a small share of
 * what may be in hand.
 */
export function fetchBytesMax(inflightBytesMax: number): number {
  return Math.max(MIB, Math.min(8 * MIB, inflightBytesMax >> 4));
}
