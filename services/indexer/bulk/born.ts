// How old a batch is: when its events can have been written for the first time. That decides which older indices are asked for them.
// A sender that repeats a chunk is received again, later, so `received` alone says too little; the time in the names, which a repeat
// shares, says when the events were made. The earlier of the two counts. Pure.

import { type NamedBatch, identityTimeMs } from '#shared/record/identity.ts';

/** Milliseconds since the epoch. No first write of the batch was before it, as far as its names and its receipt tell. */
export function bornMs(batch: NamedBatch): number {
  return Math.min(identityTimeMs(batch), batch.receivedMs);
}
