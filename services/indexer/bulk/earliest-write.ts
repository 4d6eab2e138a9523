// How old a batch is: when its events can have been written for the first time. That decides which older indices are
// asked for them. A chunk that a sender repeats is received again, later, so the time of receipt alone is not enough.
// The time in the names, which a repeat shares, is when the events were made. The earlier of the two counts. Pure.

import { type NamedBatch, identityTimeMs } from '#shared/record/identity.ts';

/** Milliseconds since the epoch: the earliest time of a first write, by the names and the receipt. */
export function earliestWriteMs(batch: NamedBatch): number {
  return Math.min(identityTimeMs(batch), batch.receivedMs);
}
