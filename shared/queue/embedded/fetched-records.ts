// Packed records from the thread as the records that readers see. Their bytes are views on the packed ones.

import type { FetchedRecord } from '../queue.ts';
import { decodeHeaders, unpackRecords } from './log/packed-records.ts';

export function fetchedRecords(packed: Uint8Array<ArrayBuffer>): FetchedRecord[] {
  const records: FetchedRecord[] = [];
  for (const { offset, timeMs, headers, value } of unpackRecords(packed)) {
    records.push({ partition: 0, offset, timestampMs: timeMs, headers: decodeHeaders(headers), value });
  }
  return records;
}
