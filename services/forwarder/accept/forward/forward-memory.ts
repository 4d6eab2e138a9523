// The memory in which Forward opens what comes compressed. It is Forward's own, so that no HTTP body, which may take
// all that the largest may grow to, makes a frame wait: neither those that hold it, nor those that stand in line for
// it.
//
//   own      decoders of passes | chunks that are opened in memory, and the little that a pass must hold
//   large    shared with large HTTP bodies: entries of many MiB, and the beginnings of large damaged frames
//
// Guarantees: what fits into a record is opened whatever HTTP holds; passes leave half of the chunks' part to chunks.

import { ByteBudget } from '#shared/byte-budget.ts';
import { CHUNK_UNPACKED_BYTES_MAX } from '../frames/frame-taker.ts';
import { PASSES_BYTES_MAX, SlicePasses } from '../frames/slice-passes.ts';
import { UNPACKING_COPIES } from '../frames/unpacker.ts';

/** The largest chunk that is opened in memory always fits. */
const CHUNKS_BYTES_MAX = UNPACKING_COPIES * CHUNK_UNPACKED_BYTES_MAX;

export interface ForwardMemory {
  readonly unpacking: ByteBudget;
  readonly passes: SlicePasses;
}

/** @param large what all inputs of the process share for what is large */
export function forwardMemory(large: ByteBudget): ForwardMemory {
  const unpacking = new ByteBudget(PASSES_BYTES_MAX + CHUNKS_BYTES_MAX);
  return { unpacking, passes: new SlicePasses({ unpacking, bytesMax: PASSES_BYTES_MAX, large }) };
}
