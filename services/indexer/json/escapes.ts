// What stands in a JSON string for bytes that cannot stand there as they are: escapes for control characters, quotes
// and backslashes, and U+FFFD for what is not UTF-8, as browsers replace it. The buffers have room; each writer returns
// where it stopped.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** The letter of a short escape, by what it stands for; 0 where there is none. */
const SHORT_ESCAPE = new Uint8Array(256);
for (const [code, letter] of [
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
] as const) {
  SHORT_ESCAPE[code] = letter.charCodeAt(0);
}

/** 1 for what a backslash alone makes fit for a string. */
const QUOTED = new Uint8Array(256);
QUOTED[QUOTE] = QUOTED[BACKSLASH] = 1;

/**
 * Whether any of four bytes is a control, `"`, `\`, or not ASCII. In each sum, a byte that is too small or equal to the
 * one looked for borrows and sets its top bit; a borrow can only make a false alarm in a byte above a true one.
 */
export function hasSpecial(word: number): boolean {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  return ((word | (word - 0x20202020) | (quotes - 0x01010101) | (backslashes - 0x01010101)) & 0x80808080) !== 0;
}

/** Whether any of four bytes, of which one is special, is a control or not ASCII; a false alarm is harmless. */
export function hasHard(word: number): boolean {
  return ((word | (word - 0x20202020)) & 0x80808080) !== 0;
}

/**
 * Four bytes of ASCII, none of them a control. In JSON within a string every other word has a quote, and no processor
 * can tell where: so each byte goes behind a backslash, and over it where none is needed. Needs room for eight.
 */
export function writeQuoted(target: DataView, start: number, word: number): number {
  let at = start;
  for (let rest = word, left = 4; left > 0; rest >>>= 8, left -= 1) {
    const code = rest & 0xff;
    target.setUint8(at, BACKSLASH);
    at += QUOTED[code]!;
    target.setUint8(at, code);
    at += 1;
  }
  return at;
}

export function writeEscape(bytes: Uint8Array, start: number, code: number): number {
  let at = start;
  bytes[at++] = BACKSLASH;
  const letter = SHORT_ESCAPE[code]!;
  if (letter !== 0) {
    bytes[at++] = letter;
    return at;
  }
  bytes[at++] = 0x75;
  bytes[at++] = 0x30;
  bytes[at++] = 0x30;
  bytes[at++] = HEX[code >> 4]!;
  bytes[at++] = HEX[code & 15]!;
  return at;
}

export function writeReplacement(bytes: Uint8Array, at: number): number {
  bytes[at] = 0xef;
  bytes[at + 1] = 0xbf;
  bytes[at + 2] = 0xbd;
  return at + 3;
}

/**
 * Bytes of the sequence at `start`, which is not ASCII; or, negative, bytes that are one U+FFFD
 * (https://encoding.spec.whatwg.org/#utf-8-decoder).
 */
export function sequenceLength(source: Uint8Array, start: number, end: number): number {
  const lead = source[start]!;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  let lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  let highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i += 1) {
    const at = start + i;
    if (at >= end || source[at]! < lowest || source[at]! > highest) return -i;
    lowest = 0x80;
    highest = 0xbf;
  }
  return length;
}
