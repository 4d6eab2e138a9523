// Splits a run of entries into spans, in steps: a run is as large as a frame, and few compressed bytes become one whose
// values take half a second to pass over. Between steps the event loop may have its turn.
//
// Guarantees: spans come in order, without gap or overlap; a step passes over STEP_BYTES, and an entry more at most.

import { entryEnd, INCOMPLETE } from './extents.ts';
import { longValueEnd, WINDOW_BYTES } from './long-value.ts';

/** A piece of a run that ends where an entry ends. */
export interface EntrySpan {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** Of one-byte values some 4 ms, of log entries a tenth of that. */
export const STEP_BYTES = 1024 * 1024;

/**
 * Splits a run into spans of at most `bytesMax` bytes, in order; an entry that is larger is a span of its own. Null: a
 * step is done. The run must have been counted before: what follows a malformed entry is left out.
 */
export function* splitEntries(bytes: Uint8Array, bytesMax: number): Generator<EntrySpan | null, void, void> {
  const end = bytes.length;
  let start = 0;
  let at = 0;
  let count = 0;
  let stepEnd = STEP_BYTES;
  while (at < end) {
    const windowEnd = Math.min(end, at + WINDOW_BYTES);
    let next = entryEnd(bytes, at, windowEnd);
    if (next === INCOMPLETE && windowEnd < end) next = (yield* longValueEnd(bytes, at)).end;
    if (next < 0) break;
    if (next - start > bytesMax && count > 0) {
      yield { start, end: at, count };
      start = at;
      count = 0;
    }
    at = next;
    count += 1;
    if (at < stepEnd) continue;
    stepEnd = at + STEP_BYTES;
    yield null;
  }
  if (count > 0) yield { start, end: at, count };
}
