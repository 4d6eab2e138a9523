// Small steps over the bytes of a line, for the formats of this folder. Each looks at a byte once, and none looks past
// `end`. Colours (`ESC [ … m`) count as blanks: they are no part of what is read. Pure.

export const TAB = 0x09;
export const ESCAPE = 0x1b;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const DASH = 0x2d;
export const COLON = 0x3a;
export const EQUALS = 0x3d;
export const OPENING = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSING = 0x5d;
export const BRACE = 0x7b;
export const BAR = 0x7c;

/** Parameters of a colour, at most. */
const COLOUR_BYTES_MAX = 20;

/** Where the colour that begins at `at` ends, or `at`. */
export function pastColour(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== ESCAPE || bytes[at + 1] !== OPENING) return at;
  const last = Math.min(end, at + COLOUR_BYTES_MAX);
  for (let i = at + 2; i < last; i += 1) {
    const byte = bytes[i]!;
    if (byte === 0x6d) return i + 1;
    if (byte !== 0x3b && !isDigit(byte)) return at;
  }
  return at;
}

/** Past spaces, tabs and colours. */
export function pastBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === SPACE || byte === TAB) at += 1;
    else if (byte === ESCAPE) {
      const next = pastColour(bytes, at, end);
      if (next === at) return at;
      at = next;
    } else return at;
  }
  return end;
}

/** Past what is no blank, nor a colour. */
export function pastWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! > SPACE) at += 1;
  return at;
}

/** Where the byte is next, before `end`; -1 where it is not. */
export function find(bytes: Uint8Array, start: number, end: number, byte: number): number {
  for (let at = start; at < end; at += 1) if (bytes[at] === byte) return at;
  return -1;
}

/** Whether these bytes are at `at`. */
export function isWordAt(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i += 1) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** The end of a line without its line break. */
export function withoutBreak(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  if (last > start && bytes[last - 1] === 0x0a) last -= 1;
  if (last > start && bytes[last - 1] === 0x0d) last -= 1;
  return last;
}

/** The digits in bytes[start, end) as a number; -1 where there are none, more than 15, or something else. */
export function integerOf(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 15) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    if (!isDigit(bytes[at]!)) return -1;
    value = value * 10 + bytes[at]! - 0x30;
  }
  return value;
}

/** Whether bytes[start, end) are a whole number as JSON writes it, of at most 15 digits. */
export function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  return integerOf(bytes, start, end) >= 0 && (bytes[start] !== 0x30 || end - start === 1);
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isLetter(byte: number): boolean {
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x7a;
}
