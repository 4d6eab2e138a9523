// What the recognisers of stack traces look at: the bytes of one line, without its line break. Nothing is decoded, and
// no byte is looked at more than a few times. A state is a number, so that none is allocated. Pure.

/** Not a part of a trace. Other steps of a family are 1 to 15. */
export const NONE = 0;
/** Added to a step: the line belongs to the trace only if a later one says so. */
export const TENTATIVE = 0x100;
/** Added to a step: it is the trace's last line. */
export const LAST = 0x200;
/** Added to a first step: the line is of a trace whose beginning is not there. */
export const REST = 0x400;

/** How the traces of some languages look. The bytes are those of a line; `next` is given a step of its own. */
export interface Family {
  /** The step after the line, with what is added to it; NONE where it opens no trace. */
  readonly opens: (bytes: Uint8Array, from: number, to: number) => number;
  /** The step after the next line; NONE where it does not belong to the trace. */
  readonly next: (step: number, bytes: Uint8Array, from: number, to: number) => number;
}

const TAB = 0x09;
const SPACE = 0x20;
const OPENING = 0x28;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const DOT = 0x2e;
const DASH = 0x2d;
const SLASH = 0x2f;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const QUOTE = 0x22;

/** The bytes of an ASCII text, to compare with. */
export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function startsWith(bytes: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (to - from < prefix.length) return false;
  for (let i = 0; i < prefix.length; i += 1) if (bytes[from + i] !== prefix[i]) return false;
  return true;
}

export function endsWith(bytes: Uint8Array, from: number, to: number, suffix: Uint8Array): boolean {
  return to - from >= suffix.length && startsWith(bytes, to - suffix.length, to, suffix);
}

/** Where the text begins in the line, or -1. `what` is short. */
export function find(bytes: Uint8Array, from: number, to: number, what: Uint8Array): number {
  const first = what[0];
  for (let at = from; at + what.length <= to; at += 1)
    if (bytes[at] === first && startsWith(bytes, at, to, what)) return at;
  return -1;
}

export function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  return pastSpaces(bytes, from, to) === to;
}

/** Whether the line begins with a space or a tab, and has something else too. */
export function isIndented(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from];
  return from < to && (first === SPACE || first === TAB) && !isBlank(bytes, from, to);
}

export function pastSpaces(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) at += 1;
  return at;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_9;
}

export function pastDigits(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(bytes[at])) at += 1;
  return at;
}

/** Whether the line begins as those of logs do, and nobody's message: a date or a time, also in a bracket; JSON. */
export function beginsLog(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < 8) return false;
  if (bytes[from] === BRACE) return bytes[from + 1] === QUOTE;
  const at = bytes[from] === BRACKET ? from + 1 : from;
  const end = pastDigits(bytes, at, at + 5);
  if (end - at !== 4 && end - at !== 2) return false;
  const after = bytes[end];
  const isDate = end - at === 4 && (after === DASH || after === SLASH);
  return (isDate || (end - at === 2 && after === COLON)) && isDigit(bytes[end + 1]) && isDigit(bytes[end + 2]);
}

/** Longer words open no trace. */
const WORD_BYTES_MAX = 512;

/** Where the line's first word ends: at a space, or at the end; NONE where it is too long. */
export function wordEnd(bytes: Uint8Array, from: number, to: number): number {
  const limit = Math.min(to, from + WORD_BYTES_MAX);
  let at = from;
  while (at < limit && bytes[at] !== SPACE && bytes[at] !== TAB) at += 1;
  return at === limit && limit < to ? NONE : at;
}

/** Whether the bytes end with a colon and digits, as `file:12` does. */
export function endsWithNumber(bytes: Uint8Array, from: number, to: number): boolean {
  let at = to;
  while (at > from && isDigit(bytes[at - 1])) at -= 1;
  return at < to && at > from + 1 && bytes[at - 1] === COLON;
}

/** Letters, digits, `_`, `$` and dots, as in the names of classes and functions. */
export function pastName(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isOfName(bytes[at]!)) at += 1;
  return at;
}

/** The name of a class that ends with Error, Exception or Throwable: where it ends, or NONE. */
export function exceptionNameEnd(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from] ?? 0;
  if (from >= to || !isLetter(first)) return NONE;
  const end = pastName(bytes, from, Math.min(to, from + WORD_BYTES_MAX));
  if (!isClass(bytes, from, end) || !ENDINGS.some((ending) => endsWith(bytes, from, end, ending))) return NONE;
  if (end === to) return end;
  const after = bytes[end]!;
  if (after === COLON) return end + 1 === to || bytes[end + 1] === SPACE ? end : NONE;
  // `Error [ERR_X]: …` of Node, `Win32Exception (2): …` of .NET.
  const isMarked = after === SPACE && (bytes[end + 1] === 0x5b || bytes[end + 1] === OPENING);
  return isMarked ? end : NONE;
}

/** Whether what is behind the last dot is no word of lower case: `lastError:` is a key of somebody's YAML. */
function isClass(bytes: Uint8Array, from: number, to: number): boolean {
  let at = to;
  while (at > from && bytes[at - 1] !== DOT) at -= 1;
  const first = bytes[at]!;
  return first < 0x61 || first > 0x7a;
}

const ENDINGS = ['Error', 'Exception', 'Throwable'].map(ascii);

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

function isOfName(byte: number): boolean {
  return isLetter(byte) || (byte >= DIGIT_0 && byte <= DIGIT_9) || byte === 0x5f || byte === 0x24 || byte === 0x2e;
}
