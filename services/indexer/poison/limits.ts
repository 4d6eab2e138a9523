// What a child process that opens records may use. More than any record needs that the limits of the codecs let pass;
// less than the indexer itself has, for a record that just fits into the child must not end the indexer. Pure.

import type { OpeningLimits } from './messages.ts';

const MIB = 1024 * 1024;

/** Below the session of a group's member (15 s), and a thousand times what any step takes. */
const TURN_MS = 10_000;
/** Millions of small events take a minute on a slow machine, in steps that harm nobody. */
const RUN_MS = 180_000;
/** Of a value, where its entries end, its documents, its dead letters, and their copies on the way to the child. */
const VALUE_COPIES = 5;
const OVERHEAD_BYTES = 128 * MIB;
/**
 * A child that has grown by so much, and is killed, is killed for its record. Before that the machine has no memory for
 * any record.
 */
export const BLAMED_GROWTH_BYTES = 128 * MIB;
/** Of the memory that is there, so much may be taken; but not less than what nearly every record can do with. */
const AVAILABLE_SHARE = 0.8;
const GROWTH_BYTES_MIN = 256 * MIB;
/** The same where trials have not come to an end: a container may end with its child, and nobody is blamed then. */
const GROWTH_BYTES_MIN_LAST = BLAMED_GROWTH_BYTES;
const HEAP_MB_MIN = 128;
const HEAP_MB_MAX = 256;
/** Of the indexer's own heap, which has other things in it as well. */
const HEAP_SHARE = 0.25;

/**
 * Of dead letters that the child has in memory at once: as many as the indexer may, while they are not taken, but no
 * more than it has room for.
 */
const DEAD_LETTERS_BYTES_MAX = 64 * MIB;

export function deadLettersBytesMax(inflightBytesMax: number): number {
  return Math.min(DEAD_LETTERS_BYTES_MAX, inflightBytesMax);
}

/** The indexer's own limit of V8's heap, and the memory that the machine or the container has to give. */
export interface Machine {
  readonly heapBytes: number;
  readonly availableBytes: number;
}

/** `valueBytesMax`: of an uncompressed value. `hasFailed`: indexers have ended with whoever tried records out. */
export function limitsOf(
  valueBytesMax: number,
  { heapBytes, availableBytes }: Machine,
  hasFailed = false,
): OpeningLimits {
  const wanted = OVERHEAD_BYTES + VALUE_COPIES * valueBytesMax;
  const heapMb = Math.round((HEAP_SHARE * heapBytes) / MIB);
  return {
    turnMs: TURN_MS,
    runMs: RUN_MS,
    heapMb: Math.max(HEAP_MB_MIN, Math.min(HEAP_MB_MAX, heapMb)),
    growthBytes: Math.max(
      hasFailed ? GROWTH_BYTES_MIN_LAST : GROWTH_BYTES_MIN,
      Math.min(wanted, AVAILABLE_SHARE * availableBytes),
    ),
  };
}
