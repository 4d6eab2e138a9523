// A segment is the part of a record that one chunk fills. A small chunk is one segment of a record that it shares with
// other chunks; a large one fills several records. Its sender is answered when the last of its segments is stored.

import assert from 'node:assert/strict';
import { splitEntries } from '#shared/msgpack/split-entries.ts';
import { chainAfterRun } from '#shared/record/chain.ts';
import type { Batch, Encoding } from '#shared/record/record.ts';
import type { Settlement } from './settlement.ts';

export interface RecordSegment {
  /** `first` and `count` are of this segment's entries. */
  readonly batch: Batch;
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** `bytes` are of no more use, and may be written to again, once the segment is settled. */
  readonly isLent?: boolean;
  readonly settlement: Settlement;
}

/**
 * An uncompressed segment as segments of at most `bytesMax`, or of one entry each where that is larger; they take its
 * place. Yields between steps.
 */
export function* splitSegment(segment: RecordSegment, bytesMax: number): Generator<null, RecordSegment[], void> {
  const segments: RecordSegment[] = [];
  let { first, chain } = segment.batch;
  for (const span of splitEntries(segment.bytes, bytesMax)) {
    if (span === null) {
      yield null;
      continue;
    }
    const { start, end, count } = span;
    if (segments.length > 0) segment.settlement.expect();
    const bytes = segment.bytes.subarray(start, end);
    segments.push({ ...segment, batch: { ...segment.batch, first, count, chain }, bytes });
    first += count;
    if (chain !== null) chain = yield* chainAfterRun(chain, bytes);
  }
  assert(first === segment.batch.first + segment.batch.count, 'a split loses no entry');
  return segments;
}
