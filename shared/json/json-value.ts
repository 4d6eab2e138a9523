// JSON text (RFC 8259) to msgpack in one pass over the bytes: no objects, no strings, nothing rounded that need not be.
//
//   123, -5               int, exact within int64 and uint64
//   1.5, 1e3, -0          float64
//   past 64 bits, 1e999   float64 if it prints as it was written, as 2^80 does; else a str of the same characters
//   "a\ud83d\ude00"       str in UTF-8; a lone surrogate becomes U+FFFD; bytes that are no UTF-8 pass as they are
//   {"a":1,"a":2}         map with both pairs, in their order; no key means anything (`__proto__` neither)
//
// Guarantees: total (a value or a problem with its offset, never a throw), bounded depth, reads each byte at most three
// times. Where the writer may have so many bytes, it has them and one value more at most: `-0,` becomes nine bytes.

import { DEPTH_MAX } from '#shared/msgpack/extents.ts';
import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { POWERS_OF_TEN, SAFE_DIGITS, digitsEnd, writeFloat, writeLongInteger } from './json-number.ts';
import { escapeProblem, plainEnd, unescape } from './json-string.ts';

/** Containers in each other, at most; leaves room for those that entries and frames add around a record. */
export const JSON_DEPTH_MAX = DEPTH_MAX - 4;

export interface JsonProblem {
  /** Offset in the text, in bytes. */
  readonly at: number;
  readonly why: string;
  /** The text may be right; its msgpack is too much. */
  readonly isTooLarge: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** A scratch buffer above this is not kept. */
const SCRATCH_KEPT = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
/** Of a time, say, that an entry has elsewhere. */
const SPARE_BYTES = 64;
const TOO_LARGE = 'it is more than it may be as msgpack';

/**
 * Reads values one by one from a piece of text, and writes each as msgpack. After a `false` only `problem` is of use.
 */
export class JsonReader {
  readonly #writer: MsgpackWriter;
  readonly #bytesMax: number;
  #text: Uint8Array = EMPTY;
  #bytes: Buffer = EMPTY;
  #view: DataView = new DataView(EMPTY.buffer);
  #at = 0;
  #end = 0;
  #scratch: Buffer = EMPTY;
  #problemAt = 0;
  #problemWhy = '';

  /** @param bytesMax that the writer may have behind a value within another; some that is left out is forgiven */
  constructor(writer: MsgpackWriter, bytesMax = Infinity) {
    this.#writer = writer;
    this.#bytesMax = bytesMax + SPARE_BYTES;
  }

  setText(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#text) {
      this.#text = bytes;
      this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#at = start;
    this.#end = end;
    if (this.#scratch.length > SCRATCH_KEPT) this.#scratch = EMPTY;
  }

  get at(): number {
    return this.#at;
  }

  get problem(): JsonProblem {
    return { at: this.#problemAt, why: this.#problemWhy, isTooLarge: this.#problemWhy === TOO_LARGE };
  }

  /** Moves to the next byte that is no white space and returns it; -1 at the end. */
  skipSpace(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    while (at < end) {
      const byte = bytes[at] ?? 0;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.#at = at;
        return byte;
      }
      at += 1;
    }
    this.#at = end;
    return -1;
  }

  /** Moves over the byte that `skipSpace` returned. */
  skipByte(): void {
    this.#at += 1;
  }

  /** Any value; `depth`: containers around it. */
  value(depth = 0): boolean {
    const byte = this.#at < this.#end ? (this.#bytes[this.#at] ?? 0) : -1;
    if (byte === QUOTE) return this.#string();
    if (byte === 0x7b) return this.object(depth);
    if (byte === 0x5b) return this.#array(depth);
    if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return this.#number();
    return this.#literal(byte);
  }

  /** The object that begins here. Where there is `extractor`, it is asked before each value; see `PairExtractor`. */
  object(depth: number, extractor?: PairExtractor): boolean {
    if (depth === JSON_DEPTH_MAX) return this.#fail(this.#at, `it nests deeper than ${JSON_DEPTH_MAX}`);
    const writer = this.#writer;
    const header = writer.openMap();
    let count = 0;
    this.#at += 1;
    let byte = this.skipSpace();
    if (byte === 0x7d) {
      this.#at += 1;
      writer.closeMap(header, 0);
      return true;
    }
    for (;;) {
      const keyAt = this.#at;
      const keyWritten = writer.length;
      if (byte !== QUOTE) return this.#fail(this.#at, 'a key in double quotes is missing');
      if (!this.#string()) return false;
      const keyEnd = this.#at;
      if (this.skipSpace() !== COLON) return this.#fail(this.#at, 'a colon is missing after the key');
      this.#at += 1;
      this.skipSpace();
      const valueAt = this.#at;
      if (!this.value(depth + 1) || this.#isTooLarge()) return false;
      if (extractor?.extracts(this.#bytes, keyAt, keyEnd, valueAt, this.#at)) writer.truncate(keyWritten);
      else count += 1;
      byte = this.skipSpace();
      this.#at += 1;
      if (byte === 0x7d) {
        writer.closeMap(header, count);
        return true;
      }
      if (byte !== COMMA) return this.#fail(this.#at - 1, 'a comma or the end of the object is missing');
      byte = this.skipSpace();
    }
  }

  #array(depth: number): boolean {
    if (depth === JSON_DEPTH_MAX) return this.#fail(this.#at, `it nests deeper than ${JSON_DEPTH_MAX}`);
    const header = this.#writer.openArray();
    let count = 0;
    this.#at += 1;
    if (this.skipSpace() === 0x5d) {
      this.#at += 1;
      this.#writer.closeArray(header, 0);
      return true;
    }
    for (;;) {
      if (!this.value(depth + 1) || this.#isTooLarge()) return false;
      count += 1;
      const byte = this.skipSpace();
      this.#at += 1;
      if (byte === 0x5d) {
        this.#writer.closeArray(header, count);
        return true;
      }
      if (byte !== COMMA) return this.#fail(this.#at - 1, 'a comma or the end of the array is missing');
      this.skipSpace();
    }
  }

  #isTooLarge(): boolean {
    return this.#writer.length > this.#bytesMax && !this.#fail(this.#at, TOO_LARGE);
  }

  #literal(byte: number): boolean {
    if (byte === 0x74 && this.#follows(TRUE)) this.#writer.boolean(true);
    else if (byte === 0x66 && this.#follows(FALSE)) this.#writer.boolean(false);
    else if (byte === 0x6e && this.#follows(NULL)) this.#writer.nil();
    else return this.#fail(this.#at, 'a value is missing');
    return true;
  }

  #follows(word: Buffer): boolean {
    if (this.#end - this.#at < word.length) return false;
    for (let i = 0; i < word.length; i += 1) if (this.#bytes[this.#at + i] !== word[i]) return false;
    this.#at += word.length;
    return true;
  }

  #string(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#at + 1;
    const at = plainEnd(bytes, this.#view, start, end);
    if (at >= end) return this.#fail(end, 'it ends inside a string');
    if (bytes[at] === QUOTE) {
      this.#writer.stringOf(bytes, this.#view, start, at);
      this.#at = at + 1;
      return true;
    }
    if (bytes[at] !== BACKSLASH) return this.#fail(at, 'a control character stands unescaped in a string');
    return this.#escapedString(start, at);
  }

  /**
   * A string with escapes, the first of them at `firstAt`: unescaped into the scratch buffer, for msgpack tells the
   * size first.
   */
  #escapedString(start: number, firstAt: number): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let close = firstAt;
    while (close < end && bytes[close] !== QUOTE) close += bytes[close] === BACKSLASH ? 2 : 1;
    if (close >= end) return this.#fail(end, 'it ends inside a string');
    if (this.#scratch.length < close - start) this.#scratch = Buffer.allocUnsafeSlow((close - start) * 2);
    bytes.copy(this.#scratch, 0, start, firstAt);
    const length = unescape(bytes, firstAt, close, this.#scratch, firstAt - start);
    if (length < 0) return this.#fail(-length, escapeProblem(bytes, -length));
    this.#writer.stringBytes(this.#scratch, 0, length);
    this.#at = close + 1;
    return true;
  }

  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    const negative = bytes[start] === MINUS;
    const digitsAt = negative ? start + 1 : start;
    let at = digitsAt;
    let value = 0;
    while (at < this.#end) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at += 1;
    }
    const digits = at - digitsAt;
    if (digits === 0) return this.#fail(at, 'a digit is missing');
    if (digits > 1 && bytes[digitsAt] === ZERO) return this.#fail(start, 'a number begins with a zero');
    const next = at < this.#end ? bytes[at] : 0;
    if (next === POINT || next === 0x65 || next === 0x45) return this.#fraction(start, at, value);
    this.#at = at;
    if (digits > SAFE_DIGITS) writeLongInteger(this.#writer, bytes, start, at);
    else if (negative && value === 0) this.#writer.float(-0);
    else this.#writer.integer(negative ? -value : value);
    return true;
  }

  /** A number with a fraction or an exponent, which begins at `at`, behind digits whose value is `whole`. */
  #fraction(start: number, at: number, whole: number): boolean {
    const bytes = this.#bytes;
    let end = at;
    let value = whole;
    if (bytes[end] === POINT) {
      for (end = at + 1; end < this.#end; end += 1) {
        const digit = (bytes[end] ?? 0) - ZERO;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (end === at + 1) return this.#fail(end, 'a digit is missing after the decimal point');
    }
    this.#at = end;
    if (end < this.#end && ((bytes[end] ?? 0) | 0x20) === 0x65) {
      const sign = bytes[end + 1];
      const digitsAt = sign === MINUS || sign === 0x2b ? end + 2 : end + 1;
      this.#at = digitsEnd(bytes, digitsAt, this.#end);
      if (this.#at <= digitsAt) return this.#fail(digitsAt, 'a digit is missing in the exponent');
    } else if (end - start <= SAFE_DIGITS + 1) {
      // Both are exact, so the quotient is rounded once, as it should be.
      const size = value / (POWERS_OF_TEN[end - at - 1] ?? 1);
      this.#writer.float(bytes[start] === MINUS ? -size : size);
      return true;
    }
    writeFloat(this.#writer, bytes, start, this.#at);
    return true;
  }

  #fail(at: number, why: string): false {
    const cut = at >= this.#end && why !== 'it ends inside a string' && why !== TOO_LARGE;
    this.#problemAt = Math.min(at, this.#end);
    this.#problemWhy = cut ? `it ends where ${why}` : why;
    return false;
  }
}

/**
 * Takes pairs out of an object that is being read, such as a record's `time`. Offsets are of the JSON text, quotes
 * included.
 */
export interface PairExtractor {
  extracts(bytes: Buffer, keyAt: number, keyEnd: number, valueAt: number, valueEnd: number): boolean;
}
