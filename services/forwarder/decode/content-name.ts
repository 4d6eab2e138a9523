// What names an HTTP chunk beside its sender's key: checksum and length of the bytes as they were sent. The entries
// would not do, because they are our conversion: a repeat must have the same name even if another version converts it.

import { crc32 } from 'node:zlib';
import type { Content } from '../intake/chunk.ts';

/** What a sender calls some events, so that it can send them again. */
export interface EventsName {
  readonly chunkId: Uint8Array;
  /** Of their bytes as they were sent. */
  readonly content: Content;
}

/** The content of the pieces, one after another. */
export function contentOf(...pieces: readonly (Uint8Array | string)[]): Content {
  let sum = 0;
  let length = 0;
  for (const piece of pieces) {
    sum = crc32(piece, sum);
    length += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length;
  }
  return { crc32: sum, length };
}
