// Decimal numbers as text that sorts as they do, byte by byte. Integers of any length and fractions compare exactly:
// nothing is ever rounded to a double.
//
//   value = ± 0.DIGITS × 10^e, with neither a first nor a last digit of 0
//
//   zero       _
//   positive   e as a letter, then the digits      500 → h5        12.4 → g124        0.00001 → a9961
//              b…y: e of -3 to 20;  a and z: e follows in three digits, a with 1000 added
//   negative   the same with each letter and digit turned round, and `~` at its end, so that longer comes first
//                                                 -500 → S4~      -12.4 → T875~
//
// Pure and total. Null for what is no number, and for one of 10^399 or more. Digits after the 40th do not count. No
// character of a code is escaped in JSON.

/** As JSON writes them; a query may also have a plus, zeros before, or no digit on one side of the point. */
const NUMBER = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,6}))?$/;

const DIGITS_MAX = 40;
const EXPONENT_MAX = 399;
/** Exponents with a letter of their own. */
const LETTER_MIN = -3;
const LETTER_MAX = 20;
const FIRST_LETTER = 0x62;

const DIGIT_0 = 0x30;
const POINT = 0x2e;

const ZERO = '_';
/** Before all codes of numbers, and behind them. */
export const CODE_MIN = 'A';
export const CODE_END = '{';

export function orderedNumber(text: string): string | null {
  return shortIntegerCode(text) ?? codeOf(text);
}

/** Most numbers are a few digits, without a sign, a point or a zero before them; null for all else. */
function shortIntegerCode(text: string): string | null {
  const { length } = text;
  if (length > LETTER_MAX || length === 0 || text.charCodeAt(0) === 0x30) return null;
  let end = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return null;
    if (code !== 0x30) end = i + 1;
  }
  return head(length) + text.slice(0, end);
}

function codeOf(text: string): string | null {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (sign === undefined || whole.length + fraction.length === 0) return null;
  const all = whole + fraction;
  const digits = withoutZeros(all);
  if (digits === '') return ZERO;
  const e = whole.length - zerosBefore(all) + Number(exponent);
  if (Math.abs(e) > EXPONENT_MAX) return null;
  const code = head(e) + digits;
  return sign === '-' ? turnedRound(code) : code;
}

/** As JSON writes them: a value of a document. */
const NUMBER_OF_JSON = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** No double and no integer of 64 bits has more characters. A longer text is an id or the like. */
export const NUMBER_LENGTH_MAX = 24;

/** The code of a value of a document, a number or a text that looks like one; null for all else. */
export function numberIn(value: string): string | null {
  return shortIntegerCode(value) ?? longCode(value);
}

/** Of a value of a document: four letters for the exponent, the digits, `~`. */
export const CODE_BYTES_MAX = NUMBER_LENGTH_MAX + 5;

/**
 * The same code, as bytes, for most numbers: digits in bytes[start, end), with or without a point, and without a sign
 * or an exponent. Returns how many bytes it wrote at the beginning of `target`; 0 for any other text.
 */
export function writePlainCode(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  if (start >= end || end - start > NUMBER_LENGTH_MAX) return 0;
  const isBelowOne = bytes[start] === DIGIT_0;
  if (isBelowOne && end - start === 1) {
    target[0] = ZERO.charCodeAt(0);
    return 1;
  }
  let at = start;
  let length = 1;
  let codeEnd = 1;
  let exponent = 0;
  for (; at < end && isDigit(bytes[at] ?? 0); at += 1) {
    target[length++] = bytes[at] ?? 0;
    if (bytes[at] !== DIGIT_0) codeEnd = length;
    exponent += 1;
  }
  if (isBelowOne) {
    // Nothing but the zero may stand before the point.
    if (exponent !== 1) return 0;
    length = 1;
    exponent = 0;
  }
  if (exponent > LETTER_MAX || at === start) return 0;
  if (at < end) {
    if (bytes[at] !== POINT || at + 1 === end) return 0;
    for (at += 1; at < end && isDigit(bytes[at] ?? 0); at += 1) {
      if (length === 1 && bytes[at] === DIGIT_0) {
        exponent -= 1;
        continue;
      }
      target[length++] = bytes[at] ?? 0;
      if (bytes[at] !== DIGIT_0) codeEnd = length;
    }
  }
  if (at < end || codeEnd === 1 || exponent < LETTER_MIN) return 0;
  target[0] = FIRST_LETTER + exponent - LETTER_MIN;
  return codeEnd;
}

function isDigit(byte: number): boolean {
  return byte >= DIGIT_0 && byte <= 0x39;
}

function longCode(value: string): string | null {
  return value.length <= NUMBER_LENGTH_MAX && NUMBER_OF_JSON.test(value) ? codeOf(value) : null;
}

function zerosBefore(digits: string): number {
  let zeros = 0;
  while (digits.charCodeAt(zeros) === 0x30) zeros++;
  return zeros;
}

function withoutZeros(digits: string): string {
  const start = zerosBefore(digits);
  let end = Math.min(digits.length, start + DIGITS_MAX);
  while (end > start && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(start, end);
}

function head(e: number): string {
  if (e < LETTER_MIN) return `a${1000 + e}`;
  if (e > LETTER_MAX) return `z${String(e).padStart(3, '0')}`;
  return String.fromCharCode(FIRST_LETTER + e - LETTER_MIN);
}

function turnedRound(code: string): string {
  let turned = String.fromCharCode(0x5a + 0x61 - code.charCodeAt(0));
  for (let i = 1; i < code.length; i++) turned += String.fromCharCode(0x69 - code.charCodeAt(i));
  return `${turned}~`;
}
