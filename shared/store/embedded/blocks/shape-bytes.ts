// Where the values of a document are, by the bytes of a shape that is known (shapes.ts): nothing is decoded or copied.
// The mirror of `valuesOfShape` for text. Pure; linear in the bytes.
//
// Guarantees: what has every piece of the shape, and JSON between them, is JSON. The bytes must be UTF-8.

import type { Shape } from './shapes.ts';

export interface ShapeBytes {
  readonly shape: Shape;
  /** All pieces, one after another. */
  readonly pieces: Uint8Array;
  /** Where each of them ends. */
  readonly ends: Int32Array;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
/** Of ASCII: 1 where it may follow a backslash, 2 where four hexadecimal digits have to follow it. */
const ESCAPES = Uint8Array.from({ length: 0x100 }, (_, code) => {
  const sign = String.fromCharCode(code);
  return sign === 'u' ? 2 : Number('"\\/bfnrt'.includes(sign));
});
const HEX = Uint8Array.from({ length: 0x100 }, (_, code) => Number(/^[\da-f]$/i.test(String.fromCharCode(code))));
/** Of lists and objects in a list. What is deeper is decoded as a whole, and asked (indexed-fields.ts). */
const LEVELS_MAX = 100;
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

export function bytesOfShape(shape: Shape): ShapeBytes {
  const pieces = shape.pieces.map((piece) => Buffer.from(piece));
  let end = 0;
  return { shape, pieces: Buffer.concat(pieces), ends: Int32Array.from(pieces, ({ length }) => (end += length)) };
}

/** Where a document lies in the body of a bulk request. */
export interface DocumentBytes {
  readonly bytes: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes where each value begins and ends into `places`, from `into` on. False where the bytes between `start` and
 * `end` are not of this shape.
 */
export function findValues(
  { bytes, view, start, end }: DocumentBytes,
  { pieces, ends }: ShapeBytes,
  places: Int32Array,
  into: number,
): boolean {
  const last = ends.length - 1;
  let at = start;
  let piece = 0;
  for (let n = 0; n <= last; n++) {
    const pieceEnd = ends[n] ?? 0;
    if (at + pieceEnd - piece > end) return false;
    for (; piece < pieceEnd; piece++, at++) if (bytes[at] !== pieces[piece]) return false;
    if (n === last) break;
    const valueEnd = endOfValue(bytes, view, at, end);
    if (valueEnd < 0) return false;
    places[into + 2 * n] = at;
    places[into + 2 * n + 1] = valueEnd;
    at = valueEnd;
  }
  return at === end;
}

/** -1 where none begins here, or it is an object. */
function endOfValue(bytes: Buffer, view: DataView, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at] ?? 0;
  if (first === QUOTE) return endOfString(bytes, view, at, end);
  if (first === MINUS || isDigit(first)) return endOfNumber(bytes, at, end);
  if (first === LIST) return endOfList(bytes, view, at, end);
  for (const word of WORDS) if (first === word[0]) return endOfWord(bytes, at, end, word);
  return -1;
}

function endOfString(bytes: Buffer, view: DataView, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    while (at + 4 <= end && isPlain(view.getInt32(at))) at += 4;
    if (at >= end) return -1;
    const sign = bytes[at] ?? 0;
    if (sign === QUOTE) return at + 1;
    if (sign < 0x20) return -1;
    if (sign !== BACKSLASH) continue;
    const escape = ESCAPES[bytes[++at] ?? 0];
    if (escape === 0 || at >= end) return -1;
    if (escape === 2) for (let i = 0; i < 4; i++) if (++at >= end || HEX[bytes[at] ?? 0] === 0) return -1;
  }
  return -1;
}

const EACH = 0x01010101;
const TOP_BITS = 0x80808080;
const QUOTES = EACH * QUOTE;
const BACKSLASHES = EACH * BACKSLASH;
const SPACES = EACH * 0x20;

/**
 * Whether none of the four bytes ends a string, begins an escape or is refused; false for some that are plain. What is
 * subtracted sets the top bit of a byte that is less ("hasless" in Sean Anderson's Bit Twiddling Hacks).
 */
function isPlain(four: number): boolean {
  const quote = four ^ QUOTES;
  const slash = four ^ BACKSLASHES;
  const low = (four - SPACES) & ~four;
  return ((low | ((quote - EACH) & ~quote) | ((slash - EACH) & ~slash)) & TOP_BITS) === 0;
}

function endOfNumber(bytes: Buffer, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  const whole = bytes[at] === ZERO ? at + 1 : endOfDigits(bytes, at, end);
  if (whole === at || whole > end) return -1;
  at = whole;
  if (at < end && bytes[at] === DOT) {
    const fraction = endOfDigits(bytes, at + 1, end);
    if (fraction > at + 1) at = fraction;
    else return at;
  }
  const isExponent = at < end && ((bytes[at] ?? 0) | 0x20) === 0x65;
  if (!isExponent) return at;
  const sign = bytes[at + 1];
  const digits = sign === MINUS || sign === 0x2b ? at + 2 : at + 1;
  const exponent = endOfDigits(bytes, digits, end);
  return exponent > digits ? exponent : at;
}

function endOfDigits(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isDigit(bytes[at] ?? 0)) at++;
  return at;
}

const isDigit = (sign: number): boolean => sign >= ZERO && sign < ZERO + 10;

function endOfWord(bytes: Buffer, start: number, end: number, word: Uint8Array): number {
  if (start + word.length > end) return -1;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return -1;
  return start + word.length;
}

function endOfList(bytes: Buffer, view: DataView, start: number, end: number): number {
  let depth = 0;
  for (let at = start; at < end; at++) {
    const sign = bytes[at] ?? 0;
    if (sign === QUOTE) {
      const stringEnd = endOfString(bytes, view, at, end);
      if (stringEnd < 0) return -1;
      at = stringEnd - 1;
    } else if (sign === NEWLINE) return -1;
    else if (sign === LIST || sign === OBJECT) {
      if (++depth > LEVELS_MAX) return -1;
    } else if ((sign === LIST_END || sign === OBJECT_END) && --depth === 0)
      return isJson(bytes.toString('utf8', start, at + 1)) ? at + 1 : -1;
  }
  return -1;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
