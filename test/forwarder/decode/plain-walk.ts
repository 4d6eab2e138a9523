// What becomes of a chunk with something wrong in it, found the plain way: a walk value by value over bytes that are
// all there, and zlib in one go over the longest beginning that it takes. It knows nothing of slices, and shares no
// code with what it is to check.

import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';

export interface BadValue {
  readonly index: number;
  readonly bytes: Buffer;
}

export interface Walked {
  /** Indexes of the entries. */
  readonly entries: number[];
  readonly bad: BadValue[];
  /** From the first value that has no end. */
  readonly rest: Buffer | null;
}

const DEPTH_MAX = 100;

export function walk(run: Buffer): Walked {
  const walked = { entries: [] as number[], bad: [] as BadValue[] };
  let at = 0;
  for (let index = 0; at < run.length; index += 1) {
    const end = skip(run, at);
    if (end === null) return { ...walked, rest: run.subarray(at) };
    const bytes = run.subarray(at, end.at);
    if (end.depth <= DEPTH_MAX && isEntry(bytes)) walked.entries.push(index);
    else walked.bad.push({ index, bytes });
    at = end.at;
  }
  return { ...walked, rest: null };
}

/** What comes out of a damaged chunk. */
export function opened(body: Buffer, encoding: 'gzip' | 'zstd'): Buffer {
  let [whole, broken] = [0, body.length + 1];
  let bytes = Buffer.alloc(0);
  while (broken - whole > 1) {
    const middle = (whole + broken) >>> 1;
    const beginning = body.subarray(0, middle);
    try {
      bytes =
        encoding === 'gzip'
          ? gunzipSync(beginning, { finishFlush: constants.Z_SYNC_FLUSH })
          : zstdDecompressSync(beginning, { finishFlush: constants.ZSTD_e_flush });
      whole = middle;
    } catch {
      broken = middle;
    }
  }
  return bytes;
}

interface End {
  readonly at: number;
  readonly depth: number;
}

/** Null where the value has no end in these bytes. */
function skip(bytes: Buffer, at: number): End | null {
  const type = bytes[at];
  if (type === undefined || type === 0xc1) return null;
  if (type < 0x80 || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) return whole(bytes, at + 1);
  if (type < 0x90) return children(bytes, at + 1, (type - 0x80) * 2);
  if (type < 0xa0) return children(bytes, at + 1, type - 0x90);
  if (type < 0xc0) return whole(bytes, at + 1 + (type - 0xa0));
  const width = WIDTHS[type];
  if (width === undefined) return whole(bytes, at + 1 + (SIZES[type] ?? 0));
  if (at + 1 + width > bytes.length) return null;
  const length = bytes.readUIntBE(at + 1, width);
  const start = at + 1 + width;
  if (type === 0xdc || type === 0xdd) return children(bytes, start, length);
  if (type === 0xde || type === 0xdf) return children(bytes, start, length * 2);
  return whole(bytes, start + length + (type >= 0xc7 && type <= 0xc9 ? 1 : 0));
}

/** bin, ext, str, array, map of a length of their own. */
const WIDTHS: Readonly<Record<number, number>> = {
  0xc4: 1,
  0xc5: 2,
  0xc6: 4,
  0xc7: 1,
  0xc8: 2,
  0xc9: 4,
  0xd9: 1,
  0xda: 2,
  0xdb: 4,
  0xdc: 2,
  0xdd: 4,
  0xde: 2,
  0xdf: 4,
};
/** float, uint, int, fixext. */
const SIZES: Readonly<Record<number, number>> = {
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
  0xd4: 2,
  0xd5: 3,
  0xd6: 5,
  0xd7: 9,
  0xd8: 17,
};

function whole(bytes: Buffer, at: number): End | null {
  return at <= bytes.length ? { at, depth: 0 } : null;
}

function children(bytes: Buffer, start: number, count: number): End | null {
  let at = start;
  let depth = 0;
  for (let i = 0; i < count; i += 1) {
    const end = skip(bytes, at);
    if (end === null) return null;
    at = end.at;
    depth = Math.max(depth, end.depth);
  }
  return { at, depth: depth + 1 };
}

/** Of a whole value. */
function isEntry(bytes: Buffer): boolean {
  const start = pairStart(bytes, 0);
  if (start === null) return false;
  const recordAt = skip(bytes, start)?.at ?? 0;
  const inner = pairStart(bytes, start);
  const isTimed = inner === null ? isTime(bytes, start) : isTime(bytes, inner) && isMap(bytes, skip(bytes, inner)?.at);
  return isTimed && isMap(bytes, recordAt);
}

function pairStart(bytes: Buffer, at: number): number | null {
  if (bytes[at] === 0x92) return at + 1;
  if (bytes[at] === 0xdc && bytes.readUInt16BE(at + 1) === 2) return at + 3;
  return bytes[at] === 0xdd && bytes.readUInt32BE(at + 1) === 2 ? at + 5 : null;
}

/** An integer, a float, nil, or an EventTime. */
function isTime(bytes: Buffer, at: number): boolean {
  const type = bytes[at] ?? 0xc1;
  if (type < 0x80 || type >= 0xe0 || type === 0xc0) return true;
  if (type >= 0xca && type <= 0xd3) return true;
  if (type === 0xd7) return bytes[at + 1] === 0;
  return type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0;
}

function isMap(bytes: Buffer, at: number | undefined): boolean {
  const type = bytes[at ?? bytes.length] ?? 0;
  return (type >= 0x80 && type < 0x90) || type === 0xde || type === 0xdf;
}
