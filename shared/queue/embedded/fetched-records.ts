// Frames from the worker as the records that readers see. Bytes are views on the frames.

import type { FetchedRecord } from '../queue.ts';
import { decodeHeaders, unpackFrames } from './log/frames.ts';

export function fetchedRecords(frames: Uint8Array<ArrayBuffer>): FetchedRecord[] {
  const records: FetchedRecord[] = [];
  for (const { offset, timeMs, headers, value } of unpackFrames(frames)) {
    records.push({ partition: 0, offset, timestampMs: timeMs, headers: decodeHeaders(headers), value });
  }
  return records;
}
