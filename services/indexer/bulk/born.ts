// How old a batch is: when its events can have been written for the first time. That decides which older indices are asked for them.
// A sender that repeats a chunk is received again, later, so `received` alone says too little; the name's own time, which a repeat
// shares, says when the chunk was made. The earlier of the two counts. Pure.

import type { Batch } from '#shared/record/record.ts';

/** What the next version of the record says beside: batches without it are of version 1, whose names tell no time. */
interface Named {
  readonly version?: 1 | 2;
  /** Of lines that are named by their position in a file. */
  readonly chain?: Uint8Array | null;
}

/** Older than everything: a first try may be of any time. */
const OLDEST_MS = 0;

/** Milliseconds since the epoch. No first write of the batch was before it, as far as its name and its receipt tell. */
export function bornMs(batch: Batch & Named): number {
  const { version = 1, chain = null, id, receivedMs } = batch;
  if (version === 1) return receivedMs;
  // A file may lie there for long before it is read, and be read again from its start.
  if (chain !== null) return OLDEST_MS;
  return Math.min(nameTimeMs(id), receivedMs);
}

/** The first six bytes of a name; 0 where its time is not known. */
function nameTimeMs(id: Uint8Array): number {
  let ms = 0;
  for (let i = 0; i < 6; i++) ms = ms * 256 + (id[i] ?? 0);
  return ms;
}
