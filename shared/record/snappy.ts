// Snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt), unpacked by snappyjs
// within limits.
//
//   block     <size: varint> element*
//   literal   <(length - 1) << 2 | 0>, the length in the 1 to 4 bytes that follow where it is 60 to 63;  then the bytes
//   copy      types 1, 2, 3: 1, 2 or 4 bytes of offset
//
// The elements are walked first: snappyjs takes a length of 2^31 and more for a negative one and goes back for ever,
// and what falls short of its size it fills with zeros.

import { uncompress } from 'snappyjs';
import { reasonOf } from '#shared/errors.ts';

export type Unpacked =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'malformed'; readonly why: string }
  | { readonly kind: 'too_large' };

export function unpackSnappy(block: Buffer, bytesMax: number): Unpacked {
  const header = sizeOf(block);
  if (!header) return { kind: 'malformed', why: 'it does not begin with its size, as Snappy has it' };
  if (header.size > bytesMax) return { kind: 'too_large' };
  if (elementsSize(block, header.end) !== header.size) {
    return { kind: 'malformed', why: 'what is packed in it is not of the size that it says' };
  }
  try {
    return { kind: 'bytes', bytes: uncompress(block, bytesMax) };
  } catch (error) {
    return { kind: 'malformed', why: reasonOf(error) };
  }
}

/** An element of three bytes copies 64 at most. */
const RATIO_MAX = 22;

/**
 * What a block says that it unpacks to, as far as it can: a few bytes may say anything. Null where it does not begin as
 * one.
 */
export function snappySize(block: Buffer): number | null {
  const header = sizeOf(block);
  return header && Math.min(header.size, RATIO_MAX * block.length);
}

function sizeOf(block: Buffer): { size: number; end: number } | null {
  let size = 0;
  for (let i = 0; i < 5 && i < block.length; i += 1) {
    const byte = block[i] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { size, end: i + 1 };
  }
  return null;
}

/** What the elements from `start` on unpack to, or -1 where one is cut. */
function elementsSize(block: Buffer, start: number): number {
  let at = start;
  let size = 0;
  while (at < block.length) {
    const tag = block[at] ?? 0;
    const length = tag >> 2;
    if ((tag & 3) === 0) {
      const lengthBytes = Math.max(0, length - 59);
      if (at + 1 + lengthBytes > block.length) return -1;
      const literal = (lengthBytes === 0 ? length : block.readUIntLE(at + 1, lengthBytes)) + 1;
      at += 1 + lengthBytes + literal;
      size += literal;
    } else {
      size += (tag & 3) === 1 ? (length & 7) + 4 : length + 1;
      at += [0, 2, 3, 5][tag & 3] ?? 0;
    }
  }
  return at === block.length ? size : -1;
}
