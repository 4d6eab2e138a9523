// The inside of JSON strings (RFC 8259, section 7): which bytes stand for themselves, and what escapes stand for, in
// UTF-8.
//
//   \" \\ \/ \b \f \n \r \t    a byte
//   \u20ac                     a character; \ud83d\ude00 is one of two surrogates; one without the other is U+FFFD
//
// Bytes from 0x80 on are not examined: invalid UTF-8 passes as it is.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const ZERO = 0x30;
const NINE = 0x39;

/** 1 for bytes that stand for themselves inside a string. */
export const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

const WORD_BYTES = 4;

/** Where the first byte is in bytes[start, end) that does not stand for itself; `end` where there is none. */
export function plainEnd(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let at = start;
  for (; at + WORD_BYTES <= end; at += WORD_BYTES) {
    const marks = specialMarks(view.getInt32(at, true));
    if (marks !== 0) return at + firstMarked(marks);
  }
  while (at < end && PLAIN[bytes[at] ?? 0] === 1) at += 1;
  return at;
}

/**
 * The top bits of those of four bytes that do not stand for themselves. Each of those borrows from the byte above it,
 * so that only the lowest mark is certain.
 */
function specialMarks(word: number): number {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  const controls = (word - 0x20202020) & ~word;
  return (controls | ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080;
}

/** Place of the lowest of four bytes whose top bits are marks. */
export function firstMarked(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3;
}

/** Byte that `\` and this byte stand for; 0 for none. */
const ESCAPED = new Uint8Array(256);
for (const [letter, byte] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  if (letter !== undefined && byte !== undefined) ESCAPED[letter.charCodeAt(0)] = byte.charCodeAt(0);
}

/**
 * Writes what the bytes from `start` up to the closing quote at `close` stand for into `target`, from `length` on:
 * never more than they are. Returns the length after them, or the position of the byte that is wrong, negated (`start`
 * is never 0).
 */
export function unescape(bytes: Buffer, start: number, close: number, target: Buffer, length: number): number {
  let to = length;
  let at = start;
  while (at < close) {
    const byte = bytes[at] ?? 0;
    if (PLAIN[byte] === 1) {
      target[to++] = byte;
      at += 1;
      continue;
    }
    if (byte !== BACKSLASH) return -at;
    const letter = bytes[at + 1] ?? 0;
    if (letter === LETTER_U) {
      const unit = hex4(bytes, at + 2, close);
      if (unit < 0) return -at;
      at += 6;
      const low = (unit & 0xfc00) === 0xd800 ? lowSurrogate(bytes, at, close) : -1;
      if (low >= 0) at += 6;
      to = writeCharacter(target, to, unit, low);
    } else {
      const escaped = ESCAPED[letter] ?? 0;
      if (escaped === 0) return -at;
      target[to++] = escaped;
      at += 2;
    }
  }
  return to;
}

/** What is wrong at a position that `unescape` gave. */
export function escapeProblem(bytes: Buffer, at: number): string {
  if (bytes[at] !== BACKSLASH) return 'a control character stands unescaped in a string';
  if (bytes[at + 1] === LETTER_U) return '\\u is not followed by four hex digits';
  return 'an escape is none of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u';
}

/** The second half of a pair, if it is escaped at `at`, else -1. */
function lowSurrogate(bytes: Buffer, at: number, close: number): number {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== LETTER_U) return -1;
  const unit = hex4(bytes, at + 2, close);
  return (unit & 0xfc00) === 0xdc00 ? unit : -1;
}

/** The 16 bits of four hex digits that end before `close`, or -1. */
function hex4(bytes: Buffer, at: number, close: number): number {
  if (at + 4 > close) return -1;
  let unit = 0;
  for (let i = at; i < at + 4; i += 1) {
    const digit = hexDigit(bytes[i] ?? 0);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** UTF-8 of a UTF-16 unit, or of the pair where `low` is not -1; returns the length after it. */
function writeCharacter(target: Buffer, length: number, unit: number, low: number): number {
  let at = length;
  if (low >= 0) {
    const code = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
    target[at++] = 0xf0 | (code >> 18);
    target[at++] = 0x80 | ((code >> 12) & 0x3f);
    target[at++] = 0x80 | ((code >> 6) & 0x3f);
    target[at++] = 0x80 | (code & 0x3f);
    return at;
  }
  const code = (unit & 0xf800) === 0xd800 ? 0xfffd : unit;
  if (code < 0x80) {
    target[at++] = code;
  } else if (code < 0x800) {
    target[at++] = 0xc0 | (code >> 6);
    target[at++] = 0x80 | (code & 0x3f);
  } else {
    target[at++] = 0xe0 | (code >> 12);
    target[at++] = 0x80 | ((code >> 6) & 0x3f);
    target[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}
