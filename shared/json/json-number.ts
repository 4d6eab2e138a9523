// Numbers of JSON text that a double may not hold exactly, written as msgpack.
//
// Guarantees: an integer within 64 bits keeps its value; anything else becomes a float64, or, if that would print
// differently, a str of the same characters.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';

/** An integer of so many digits is exact as a double. */
export const SAFE_DIGITS = 15;
/** 1, 10, 100, …: all are exact as doubles, and suffice for numbers of `SAFE_DIGITS` digits. */
export const POWERS_OF_TEN = Float64Array.from({ length: SAFE_DIGITS + 1 }, (_, power) => 10 ** power);

const ZERO = 0x30;
const NINE = 0x39;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;
/** JavaScript prints an integer of more characters with an exponent. */
const PRINTED_DIGITS_MAX = 21;

/** Where the digits end that begin at `start`; at most `end`. */
export function digitsEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    at += 1;
  }
  return at;
}

/** Writes the number with a fraction or an exponent in bytes[start, end). */
export function writeFloat(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
  const value = Number(bytes.toString('latin1', start, end));
  if (Number.isFinite(value)) writer.float(value);
  else writer.stringBytes(bytes, start, end);
}

/** Writes the integer of more than `SAFE_DIGITS` digits in bytes[start, end), which may have a sign. */
export function writeLongInteger(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
  if (end - start <= PRINTED_DIGITS_MAX + 1) {
    const text = bytes.toString('latin1', start, end);
    const exact = BigInt(text);
    if (exact >= INT64_MIN && exact <= UINT64_MAX) {
      writer.integer(exact);
      return;
    }
    const value = Number(text);
    if (String(value) === text) {
      writer.float(value);
      return;
    }
  }
  writer.stringBytes(bytes, start, end);
}
