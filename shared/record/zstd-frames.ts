// Walks over zstd frames without decompressing them (RFC 8878, 3.1): where they end, and how much they say they hold.
// Node's decoder passes over what follows the last whole frame without a word; an edge that acks may not.
//
//   frame      28 b5 2f fd | descriptor | window? | dictionary id? | content size? | block … block | checksum (4)?
//   block      u24 little-endian: last (1 bit), type (2 bits), size (21 bits) | bytes (1 for a run)
//   skippable  5x 2a 4d 18 | size (u32 little-endian) | bytes
//
// A block may have no more than its three bytes, and a frame nine: of such there may only be so many, lest the walk
// hold up the event loop.
//
// Guarantees: pure, never throws, allocates nothing that the bytes decide; looks at so many headers at most as
// `stepsMax` says.

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RUN_BLOCK = 1;

/**
 * The most that a decoder of a peer's bytes keeps of what it gave: levels up to 19 need no more, `--ultra` and `--long`
 * do.
 */
export const ZSTD_WINDOW_LOG_MAX = 23;
export const ZSTD_WINDOW_TOO_LARGE = 'it needs a window of more than 8 MiB; compress it at level 19 or lower';

/**
 * Blocks and frames that bytes of a peer may have: encoders write blocks of 128 KiB, or one for each flush. Two million
 * are looked at in some 20 ms.
 */
export function zstdStepsMax(bytes: number): number {
  return STEPS_FREE + Math.floor(bytes / BYTES_PER_STEP);
}

const STEPS_FREE = 100_000;
const BYTES_PER_STEP = 32;

export interface ZstdExtent {
  /** Of the largest window that one of the frames needs. */
  readonly windowBytes: number;
  /**
   * Bytes of all frames uncompressed, as they say themselves; null where one of them says nothing. Not to be trusted.
   */
  readonly contentBytes: number | null;
}

/**
 * Null where the bytes are not one or more whole frames from the first to the last byte, or have more than `stepsMax`
 * blocks and frames.
 */
export function zstdExtent(bytes: Buffer, stepsMax: number = zstdStepsMax(bytes.length)): ZstdExtent | null {
  let steps = 0;
  let contentBytes: number | null = 0;
  let windowBytes = 0;
  let at = 0;
  if (bytes.length === 0) return null;
  while (at < bytes.length) {
    steps += 1;
    if (at + 8 > bytes.length || steps > stepsMax) return null;
    const magic = bytes.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + bytes.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== MAGIC) return null;
    const header = frameHeader(bytes, at + 4);
    if (header === null) return null;
    contentBytes = contentBytes === null || header.contentBytes === null ? null : contentBytes + header.contentBytes;
    windowBytes = Math.max(windowBytes, header.windowBytes);
    const blocks = skipBlocks(bytes, header.end, stepsMax - steps);
    steps += blocks.count;
    at = blocks.end + header.checksumBytes;
  }
  return at === bytes.length ? { contentBytes, windowBytes } : null;
}

interface FrameHeader {
  readonly end: number;
  readonly contentBytes: number | null;
  readonly windowBytes: number;
  readonly checksumBytes: 0 | 4;
}

/** `at`: of the descriptor, which is there. */
function frameHeader(bytes: Buffer, at: number): FrameHeader | null {
  const descriptor = bytes[at] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = at + 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const end = sizeAt + sizeBytes;
  if (end > bytes.length) return null;
  const contentBytes = contentSize(bytes, sizeAt, sizeBytes);
  const windowBytes = isSingleSegment ? (contentBytes ?? 0) : windowSize(bytes[at + 1] ?? 0);
  return { end, contentBytes, windowBytes, checksumBytes: (descriptor & 4) === 0 ? 0 : 4 };
}

/** Exponent (5 bits), mantissa (3 bits). */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(bytes: Buffer, at: number, size: number): number | null {
  switch (size) {
    case 0:
      return null;
    case 1:
      return bytes.readUInt8(at);
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    default:
      return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
  }
}

/**
 * Position after the last block; past the end of the bytes where that is missing, or would be more than `max` blocks
 * on.
 */
function skipBlocks(bytes: Buffer, start: number, max: number): { readonly end: number; readonly count: number } {
  let at = start;
  for (let count = 1; count <= max && at + 3 <= bytes.length; count += 1) {
    const header = bytes.readUIntLE(at, 3);
    const isRun = ((header >>> 1) & 3) === RUN_BLOCK;
    at += 3 + (isRun ? 1 : header >>> 3);
    if ((header & 1) === 1) return { end: at, count };
  }
  return { end: bytes.length + 1, count: 0 };
}
