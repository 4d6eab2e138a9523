// Snappy as producers of Kafka pack batches: one block, or blocks in the frame of xerial's snappy-java, which Java's
// and most other clients write (https://github.com/xerial/snappy-java/blob/master/SnappyOutputStream.java).
//
//   frame   82 "SNAPPY" 00 | version (i32) | compatible (i32) | { size (i32), block } …
//
// Guarantees: total; no more than `bytesMax` is unpacked.

import { unpackSnappy } from '#shared/record/snappy.ts';

const MAGIC = Buffer.from('\u0082SNAPPY\0', 'latin1');
const HEADER_BYTES = 16;

/** Null for what is larger than `bytesMax`, undefined for what cannot be unpacked. */
export function unpackSnappyBlocks(packed: Buffer, bytesMax: number): Buffer | null | undefined {
  if (packed.length < HEADER_BYTES || !MAGIC.equals(packed.subarray(0, MAGIC.length))) return block(packed, bytesMax);
  const blocks: Buffer[] = [];
  let bytes = 0;
  for (let at = HEADER_BYTES; at < packed.length;) {
    const size = at + 4 <= packed.length ? packed.readInt32BE(at) : -1;
    at += 4;
    if (size <= 0 || at + size > packed.length) return undefined;
    const unpacked = block(packed.subarray(at, at + size), bytesMax - bytes);
    if (!unpacked) return unpacked;
    blocks.push(unpacked);
    bytes += unpacked.length;
    at += size;
  }
  return Buffer.concat(blocks, bytes);
}

function block(packed: Buffer, bytesMax: number): Buffer | null | undefined {
  const unpacked = unpackSnappy(packed, bytesMax);
  if (unpacked.kind === 'bytes') return Buffer.from(unpacked.bytes);
  return unpacked.kind === 'too_large' ? null : undefined;
}
