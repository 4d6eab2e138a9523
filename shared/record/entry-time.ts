// The time that an entry states for itself, in milliseconds. Names are made of it, so it is a function of the entry's
// bytes alone: a repeat has the same time, whatever any clock says.
//
//   [time, record]   [[time, metadata], record]
//
//   time             int or float (seconds), nil, or EventTime: d7 00 s4 n4, c7 08 00 s4 n4
//
// Guarantees: total. 0 where the time is nil, cannot be read, or lies outside [1, 2^48) ms.

import { containerHeaderSize, timeEnd } from '../msgpack/extents.ts';

/** A name has six bytes for a time. */
const TIME_MS_END = 2 ** 48;
const UINT32_END = 2 ** 32;

/** The time of the entry that begins at `start`. */
export function entryTimeMs(bytes: Uint8Array, start: number, end: number): number {
  const at = entryTimeAt(bytes, start, end);
  const after = timeEnd(bytes, at, end);
  if (after < 0) return 0;
  return nameTimeMs(instantMs(new DataView(bytes.buffer, bytes.byteOffset + at, after - at)));
}

/** Where the time of the entry that begins at `start` is; `end` where there is none. */
export function entryTimeAt(bytes: Uint8Array, start: number, end: number): number {
  const at = pairStart(bytes, start, end);
  return isPair(bytes[at]) ? pairStart(bytes, at, end) : at;
}

/** The time as a name can hold it: whole milliseconds in [1, 2^48), else 0. */
export function nameTimeMs(ms: number): number {
  const whole = Math.floor(ms);
  return whole >= 1 && whole < TIME_MS_END ? whole : 0;
}

/** Behind the header of an array that should have two elements; `end` where there is none. */
function pairStart(bytes: Uint8Array, start: number, end: number): number {
  const type = bytes[start];
  return start < end && isPair(type) ? start + containerHeaderSize(type) : end;
}

function isPair(type: number | undefined): type is number {
  return type === 0x92 || type === 0xdc || type === 0xdd;
}

/** `view` is of a whole int, float, nil or EventTime. NaN for nil. */
function instantMs(view: DataView): number {
  const type = view.getUint8(0);
  if (type < 0x80) return type * 1000;
  switch (type) {
    case 0xca:
      return view.getFloat32(1) * 1000;
    case 0xcb:
      return view.getFloat64(1) * 1000;
    case 0xcc:
      return view.getUint8(1) * 1000;
    case 0xcd:
      return view.getUint16(1) * 1000;
    case 0xce:
      return view.getUint32(1) * 1000;
    case 0xcf:
      return (view.getUint32(1) * UINT32_END + view.getUint32(5)) * 1000;
    case 0xd0:
      return view.getInt8(1) * 1000;
    case 0xd1:
      return view.getInt16(1) * 1000;
    case 0xd2:
      return view.getInt32(1) * 1000;
    case 0xd3:
      return (view.getInt32(1) * UINT32_END + view.getUint32(5)) * 1000;
    case 0xd7:
      return eventTimeMs(view, 2);
    case 0xc7:
      return eventTimeMs(view, 3);
    default:
      return Number.NaN;
  }
}

function eventTimeMs(view: DataView, at: number): number {
  return view.getUint32(at) * 1000 + Math.floor(view.getUint32(at + 4) / 1_000_000);
}
