// The time that an entry states for itself, in milliseconds. Names are made of it, so it is a function of the entry's bytes alone:
// a repeat has the same time, whatever any clock says.
//
//   [time, record]   [[time, metadata], record]     time: int or float (seconds), nil, or EventTime: d7 00 s4 n4, c7 08 00 s4 n4
//
// Guarantees: total. 0 where the time is nil, cannot be read, or lies outside [1, 2^48) ms.

import { containerHeaderSize } from '../msgpack/extents.ts';

/** A name has six bytes for a time. */
const TIME_MS_END = 2 ** 48;
const UINT32_END = 2 ** 32;
const float = new DataView(new ArrayBuffer(8));

/** The time of the entry that begins at `start`. */
export function entryTimeMs(bytes: Uint8Array, start: number, end: number): number {
  let at = pairStart(bytes, start, end);
  if (at < end && isPair(bytes[at]!)) at = pairStart(bytes, at, end);
  if (at >= end) return 0;
  return nameTimeMs(instantMs(bytes.subarray(at, Math.min(end, at + 11))));
}

/** The time as a name can hold it: whole milliseconds in [1, 2^48), else 0. */
export function nameTimeMs(ms: number): number {
  const whole = Math.floor(ms);
  return whole >= 1 && whole < TIME_MS_END ? whole : 0;
}

/** Behind the header of an array that should have two elements; `end` or more where there is none. */
function pairStart(bytes: Uint8Array, start: number, end: number): number {
  return start < end && isPair(bytes[start]!) ? start + containerHeaderSize(bytes[start]!) : end;
}

function isPair(type: number): boolean {
  return type === 0x92 || type === 0xdc || type === 0xdd;
}

/** NaN where the bytes do not begin with an instant. Reading past their end gives NaN too. */
function instantMs(bytes: Uint8Array): number {
  const type = bytes[0]!;
  if (type < 0x80) return type * 1000;
  switch (type) {
    case 0xca:
      return floatAt(bytes, 4) * 1000;
    case 0xcb:
      return floatAt(bytes, 8) * 1000;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return unsignedAt(bytes, 1 << (type - 0xcc)) * 1000;
    // A negative integer is out of range; the others are as without a sign.
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return bytes[1]! < 0x80 ? unsignedAt(bytes, 1 << (type - 0xd0)) * 1000 : Number.NaN;
    case 0xd7:
      return bytes[1] === 0 ? eventTimeMs(bytes, 2) : Number.NaN;
    case 0xc7:
      return bytes[1] === 8 && bytes[2] === 0 ? eventTimeMs(bytes, 3) : Number.NaN;
    default:
      return Number.NaN;
  }
}

function eventTimeMs(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) * 1000 + Math.floor(uint32(bytes, at + 4) / 1_000_000);
}

function unsignedAt(bytes: Uint8Array, width: number): number {
  if (width === 8) return uint32(bytes, 1) * UINT32_END + uint32(bytes, 5);
  let value = 0;
  for (let i = 1; i <= width; i += 1) value = value * 256 + (bytes[i] ?? Number.NaN);
  return value;
}

function floatAt(bytes: Uint8Array, width: 4 | 8): number {
  if (bytes.length <= width) return Number.NaN;
  for (let i = 0; i < width; i += 1) float.setUint8(i, bytes[i + 1]!);
  return width === 4 ? float.getFloat32(0) : float.getFloat64(0);
}

function uint32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return Number.NaN;
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}
