// The single values (leaves) of a line of JSON that a document has byte for byte as they were written, and where they
// lie in the line. What would be written otherwise is no leaf: a text with escapes, a number with an exponent, with
// zeros at its end, or with more digits than a double holds. Pure; each byte is looked at a few times.

import { SAFE_DIGITS } from '#shared/json/json-number.ts';
import { plainEnd } from '#shared/json/json-string.ts';
import { isDigit, isWordAt } from '../line/scan.ts';
import { UNITS_KEYWORD } from '../text-length.ts';

export const TEXT = 1;
export const NUMBER = 2;
const LITERAL = 3;

/** Of a line, beside those that are pieces of others. */
export const LEAVES_MAX = 64;
const PIECES_MAX = 2;

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const WORDS = ['true', 'false', 'null'];
/** Behind the point. With one more, a number is written with an exponent. */
const ZEROS_MAX = 5;

export class Leaves {
  /** Of each; of a text, what is between its quotes. */
  readonly starts = new Int32Array(LEAVES_MAX + PIECES_MAX);
  readonly ends = new Int32Array(LEAVES_MAX + PIECES_MAX);

  set(leaf: number, start: number, end: number): void {
    this.starts[leaf] = start;
    this.ends[leaf] = end;
  }

  /** Reads the value at `at`, which is to be of the kind. Returns where it ends; -1 where it is no such leaf. */
  read(leaf: number, kind: number, bytes: Uint8Array, view: DataView, at: number, end: number): number {
    if (kind === TEXT) return this.#text(leaf, bytes, view, at, end);
    const next = kind === NUMBER ? numberEnd(bytes, at, end) : literalEnd(bytes, at, end);
    this.set(leaf, at, next);
    return next;
  }

  #text(leaf: number, bytes: Uint8Array, view: DataView, at: number, end: number): number {
    if (at >= end || bytes[at] !== QUOTE) return -1;
    const close = plainEnd(bytes, view, at + 1, end);
    if (close >= end || bytes[close] !== QUOTE || close - at - 1 > UNITS_KEYWORD) return -1;
    this.set(leaf, at + 1, close);
    return close + 1;
  }
}

/** The kind that a value may have which begins with this byte. */
export function kindOf(first: number): number {
  if (first === QUOTE) return TEXT;
  return first === MINUS || isDigit(first) ? NUMBER : LITERAL;
}

function literalEnd(bytes: Uint8Array, at: number, end: number): number {
  for (const word of WORDS) if (at + word.length <= end && isWordAt(bytes, at, word)) return at + word.length;
  return -1;
}

function numberEnd(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  let at = pastDigits(bytes, first, end);
  const digits = at - first;
  const isBelowOne = bytes[first] === ZERO;
  if (digits === 0 || (isBelowOne && digits > 1)) return -1;
  if (at < end && bytes[at] === POINT) {
    const point = at;
    at = pastDigits(bytes, point + 1, end);
    if (at === point + 1 || at - first - 1 > SAFE_DIGITS || bytes[at - 1] === ZERO) return -1;
    let zeros = 0;
    while (bytes[point + 1 + zeros] === ZERO) zeros += 1;
    if (isBelowOne && zeros > ZEROS_MAX) return -1;
  } else if (digits > SAFE_DIGITS || (isBelowOne && first > start)) return -1;
  return at < end && (bytes[at]! | 0x20) === 0x65 ? -1 : at;
}

function pastDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isDigit(bytes[at]!)) at += 1;
  return at;
}
