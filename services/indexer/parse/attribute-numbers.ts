// The numbers among the attributes once more, in a form that Elasticsearch can compare whatever their key: a list of
// terms `key NUL code`, whose codes sort as the numbers do (shared/store/query/number-order.ts).
//
//   "attributes":{"status":500,"http":{"took":"12.4"}},   "attribute_numbers":["status\u0000h5","http.took\u0000g124"],
//
// A text that looks like a number of JSON counts as one: many senders know nothing but texts. Reads the JSON that was
// just written, so it need not know where its values come from. Linear in that and in what it writes.
//
// Guarantees: an event is never refused for this list, and the list is in proportion to the attributes: each number
// repeats its whole key, so a few kilobytes of long keys over many numbers would else become a megabyte. Beyond that,
// the rest of the numbers are left out: they can be found, not compared.

import { firstMarked } from '#shared/json/json-string.ts';
import { CODE_BYTES_MAX, NUMBER_LENGTH_MAX, numberIn, writePlainCode } from '#shared/store/query/number-order.ts';
import { fragment, type JsonBuffer } from '../json/json-buffer.ts';
import type { NumberFields } from './number-fields.ts';

const START = fragment('"attribute_numbers":[');
const NUL = fragment('\\u0000');
/** Of the list. */
const BYTES_MAX = 1024 * 1024;
/** Of the list, for each byte of the attributes: an array of small integers under a short key takes 6. */
const BYTES_PER_BYTE_MAX = 8;
/** Of the list, however few the attributes are. */
const BYTES_FREE = 4096;
/** For what comes behind it in the document. */
const REST_BYTES = 16 * 1024;
/** Objects and arrays in each other: the transcoder writes no more than 20. */
const LEVELS_MAX = 64;

const WORD_BYTES = 4;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ARRAY_START = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;

export class AttributeNumbers {
  readonly #json: JsonBuffer;
  /** Which numbers are also fields; null: none. */
  readonly #fields: NumberFields | null;
  /** Keys that lead to where we are, as extents of the JSON. */
  readonly #keyStarts = new Int32Array(LEVELS_MAX);
  readonly #keyEnds = new Int32Array(LEVELS_MAX);
  #keys = 0;
  /** Of the number in work. */
  readonly #code = Buffer.alloc(CODE_BYTES_MAX);
  /** Of each open object and array: how many keys lead to it; negative for an array, by one more. */
  readonly #levels = new Int32Array(LEVELS_MAX);
  #limit = 0;

  constructor(json: JsonBuffer, fields: NumberFields | null = null) {
    this.#json = json;
    this.#fields = fields;
  }

  /** `start`: where `"attributes":{…},` was written, with which the buffer ends; nothing where there are none. */
  write(start: number): void {
    const json = this.#json;
    const end = json.at;
    if (end === start) return;
    this.#limit = Math.min(
      end + Math.min(BYTES_MAX, BYTES_FREE + BYTES_PER_BYTE_MAX * (end - start)),
      json.fullAt - REST_BYTES,
    );
    this.#keys = 0;
    this.#fields?.start();
    json.raw(START);
    const empty = json.at;
    this.#scan(json.bytes.indexOf(OBJECT_START, start), end);
    if (json.at === empty) {
      json.at = end;
      return;
    }
    json.bytes[json.at - 1] = ARRAY_END;
    json.byte(COMMA);
    this.#fields?.write(json, json.fullAt - REST_BYTES);
  }

  /** `start`: of the object; its end is known by its level. */
  #scan(start: number, end: number): void {
    let depth = 0;
    let at = start;
    do {
      const code = this.#json.bytes[at]!;
      if (code === QUOTE) {
        at = this.#string(at, end, depth);
      } else if (code === OBJECT_START || code === ARRAY_START) {
        if (depth === LEVELS_MAX) return;
        this.#levels[depth++] = code === OBJECT_START ? this.#keys : -1 - this.#keys;
        at += 1;
      } else if (code === OBJECT_END || code === ARRAY_END) {
        depth -= 1;
        at += 1;
      } else if (code === COMMA) {
        const level = this.#levels[depth - 1]!;
        this.#keys = level < 0 ? -1 - level : level;
        at += 1;
      } else if (code === MINUS || isDigit(code)) {
        const from = at;
        while (at < end && isOfNumber(this.#json.bytes[at]!)) at += 1;
        if (!this.#number(from, at)) return;
      } else at += 1;
    } while (depth > 0 && at < end);
  }

  /** Of a key or a value. Returns where it ends. */
  #string(start: number, end: number, depth: number): number {
    const { bytes } = this.#json;
    const at = this.#closingQuote(start + 1, end);
    if (at >= end) return end;
    const level = this.#levels[depth - 1]!;
    if (level === this.#keys && bytes[at + 1] === 0x3a) {
      this.#keyStarts[this.#keys] = start + 1;
      this.#keyEnds[this.#keys] = at;
      this.#keys += 1;
    } else if (at - start - 1 <= NUMBER_LENGTH_MAX && (bytes[start + 1] === MINUS || isDigit(bytes[start + 1]!))) {
      if (!this.#number(start + 1, at)) return end;
    }
    return at + 1;
  }

  /** Where the string's closing quote is, from `start` on; `end` where it is not before that. */
  #closingQuote(start: number, end: number): number {
    const { bytes, view } = this.#json;
    let at = start;
    while (at < end) {
      // Behind `end` there is more than a word: what this list begins with.
      const marks = quoteMarks(view.getInt32(at, true));
      if (marks === 0) at += WORD_BYTES;
      else {
        at += firstMarked(marks);
        if (bytes[at] === QUOTE) return at;
        at += 2;
      }
    }
    return end;
  }

  /** False where the list is full. */
  #number(start: number, end: number): boolean {
    const json = this.#json;
    let codeBytes = writePlainCode(json.bytes, start, end, this.#code);
    const isPlain = codeBytes > 0;
    if (!isPlain) codeBytes = this.#longCode(start, end);
    if (codeBytes === 0) return true;
    let bytes = codeBytes + 16;
    for (let i = 0; i < this.#keys; i += 1) bytes += this.#keyEnds[i]! - this.#keyStarts[i]! + 1;
    if (json.at + bytes > this.#limit) return false;
    json.reserve(bytes);
    json.byte(QUOTE);
    const keyStart = json.at;
    for (let i = 0; i < this.#keys; i += 1) {
      if (i > 0) json.byte(DOT);
      copy(json, json.bytes, this.#keyStarts[i]!, this.#keyEnds[i]!);
    }
    if (this.#fields !== null && (isPlain || this.#isFinite(start, end)))
      this.#fields.take(json.bytes, keyStart, json.at, start, end);
    json.raw(NUL);
    copy(json, this.#code, 0, codeBytes);
    json.byte(QUOTE);
    json.byte(COMMA);
    return true;
  }

  /** Whether a double holds it, more or less. */
  #isFinite(start: number, end: number): boolean {
    return Number.isFinite(Number(this.#json.bytes.toString('latin1', start, end)));
  }

  /** Bytes of the code of a number with a sign or an exponent, or of many digits; 0 for what is no number. */
  #longCode(start: number, end: number): number {
    if (end - start > NUMBER_LENGTH_MAX) return 0;
    const code = numberIn(this.#json.bytes.toString('latin1', start, end));
    return code === null ? 0 : this.#code.write(code, 'latin1');
  }
}

/** Copies a few bytes to the end of the buffer, which has room. */
function copy(json: JsonBuffer, source: Uint8Array, start: number, end: number): void {
  const { bytes } = json;
  let { at } = json;
  for (let i = start; i < end; i += 1) bytes[at++] = source[i]!;
  json.at = at;
}

/** The top bits of those of four bytes that are `"` or `\`; of them, only the lowest is certain. */
function quoteMarks(word: number): number {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  return (((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** Digits, `+`, `-`, `.`, `e` and `E`. */
const isOfNumber = (code: number): boolean =>
  isDigit(code) || code === MINUS || code === DOT || code === 0x2b || code === 0x45 || code === 0x65;
