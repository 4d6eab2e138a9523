// Who says it, behind the level of a line's head, or between its time and its level (head.ts):
//
//   shop -, shop|, c.s.Cart:, shop::cart:     a logger, and what ends it; without a dot a colon may be the text's
//   Shop.Cart[14]                             .NET: with the number of an event, and often nothing behind it
//   |Shop.Cart|                               NLog
//   o.a.c.c.C.[Tomcat].[localhost].[/]  :     Spring Boot: a logger of Tomcat
//   shop.cart:place:31 -                      loguru: with function and line
//   c.s.Cart:8:, src/main.rs:12:              with the line; or the file and its line
//   c.s.Cart [main], [main] c.s.Cart.start    log4j, Tomcat: next to its thread, a name of a class
//   cart<TAB>main.go:12<TAB>                  zap: between tabs
//
// What may be text is text. Each byte is looked at a constant number of times. Pure.

import { type HeadState, LOGGER, THREAD } from './head-state.ts';
import { type Line, fieldNumber } from './line.ts';
import {
  BAR, CLOSING, COLON, DASH, OPENING, SPACE,
  BRACE, TAB, find, integerOf, isDigit, isLetter, pastBlanks, pastWord,
} from './scan.ts'; // prettier-ignore

const FILE = fieldNumber('log.origin.file.name');
const FILE_LINE = fieldNumber('log.origin.file.line');
const FUNCTION = fieldNumber('log.origin.function');
const POINT = 0x2e;
const SLASH = 0x2f;
const UNDERSCORE = 0x5f;
/** Of sources. */
const ENDINGS = new Set(
  'go rs py js ts mjs cjs java kt scala rb php cs c cc cpp cxx h hpp ex exs erl swift'.split(' '),
);
const ENDING_BYTES_MAX = 5;
const LINE_DIGITS_MAX = 7;
const THREAD_BYTES_MAX = 100;

interface Name {
  /** Where it ends; where it begins if there is none. */
  end: number;
  /** Dots, and pairs of colons. */
  dots: number;
  /** Whether a part of it behind a dot begins with a capital. */
  isClass: boolean;
  isFile: boolean;
}
const name: Name = { end: 0, dots: 0, isClass: false, isFile: false };

/** Reads the name at `at`, in a word that ends at `wordEnd`; where to go on, or -1 where the text begins. */
export function readName(head: HeadState, at: number, wordEnd: number): number {
  const { bytes, line } = head;
  if (line.fields[LOGGER] !== 0) return -1;
  scanName(bytes, at, wordEnd);
  const { end } = name;
  if (end === at) return -1;
  const isKnown = line.level !== 0;
  if (end < wordEnd && isKnown && bytes[end] === OPENING)
    return readEvent(head, at, wordEnd) || !head.hasTime ? -1 : readBracketed(head, at);
  if (end < wordEnd && bytes[end] === COLON) return readWithLine(head, at, wordEnd);
  if (end < wordEnd || name.isFile) return -1;
  const after = pastBlanks(bytes, wordEnd, head.limit);
  const isBarred = bytes[wordEnd] === BAR && bytes[at - 1] === BAR;
  if ((after > wordEnd || isBarred) && isSeparator(bytes, after)) {
    line.setText(LOGGER, bytes, at, end);
    if (!isKnown) return head.hasTime ? after + 1 : -1;
    head.certain = pastSeparator(bytes, after);
    return -1;
  }
  return isKnown ? readUnseparated(head, at, wordEnd, after) : -1;
}

/** A name between tabs, or next to a thread in brackets. */
function readUnseparated(head: HeadState, at: number, wordEnd: number, after: number): number {
  const { bytes, line } = head;
  if (bytes[wordEnd] === TAB && bytes[at - 1] === TAB && bytes[wordEnd + 1] !== BRACE) {
    line.setText(LOGGER, bytes, at, wordEnd);
    head.certain = wordEnd + 1;
    readFile(head, wordEnd + 1);
    return -1;
  }
  if (!name.isClass || after === wordEnd) return -1;
  if (line.fields[THREAD] !== 0) {
    line.setText(LOGGER, bytes, at, wordEnd);
    head.certain = wordEnd;
  } else if (bytes[after] === OPENING) {
    const close = find(bytes, after + 1, Math.min(head.limit, after + THREAD_BYTES_MAX), CLOSING);
    if (close <= after + 1 || bytes[close + 1] !== SPACE) return -1;
    line.setText(LOGGER, bytes, at, wordEnd);
    line.setText(THREAD, bytes, after + 1, close);
    head.certain = close + 1;
  }
  return -1;
}

/** A name with brackets, up to a blank, before a colon that stands alone. */
function readBracketed(head: HeadState, at: number): number {
  const { bytes, line, limit } = head;
  const end = pastWord(bytes, at, limit);
  const colon = pastBlanks(bytes, end, limit);
  if (colon === end || bytes[colon] !== COLON || bytes[colon + 1] !== SPACE) return -1;
  line.setText(LOGGER, bytes, at, end);
  head.certain = colon + 1;
  return -1;
}

/** Whether it is Shop.Cart[14], where the word ends before the closing bracket. */
function readEvent(head: HeadState, at: number, wordEnd: number): boolean {
  const { bytes, line } = head;
  if (bytes[wordEnd] !== CLOSING || name.dots === 0) return false;
  if (integerOf(bytes, name.end + 1, wordEnd) < 0) return false;
  line.setText(LOGGER, bytes, at, name.end);
  head.certain = wordEnd + 1;
  head.isEvent = true;
  return true;
}

/** The name ends at a colon: alone, or before a function and a line. */
function readWithLine(head: HeadState, at: number, wordEnd: number): number {
  const { bytes, line } = head;
  const { end, dots, isClass, isFile } = name;
  const isKnown = line.level !== 0;
  if (end + 1 === wordEnd) {
    if (!isKnown || dots === 0) return -1;
    line.setText(LOGGER, bytes, at, end);
    head.certain = wordEnd;
    if (bytes[wordEnd] === SPACE) readFile(head, wordEnd + 1);
    return -1;
  }
  if (!isKnown) return -1;
  if (isFile) {
    readFile(head, at);
    return -1;
  }
  const number = numberAt(bytes, end + 1, wordEnd);
  const isEnded = bytes[wordEnd - 1] === COLON;
  const after = pastBlanks(bytes, wordEnd, head.limit);
  const isSeparated = after > wordEnd && isSeparator(bytes, after);
  if (!isEnded && !isSeparated) return -1;
  if (number >= 0) {
    if (!isClass) return -1;
    line.setText(LOGGER, bytes, at, end);
    line.setInteger(FILE_LINE, number);
  } else {
    const colon = find(bytes, end + 1, wordEnd, COLON);
    const functionLine = colon <= end + 1 ? -1 : numberAt(bytes, colon + 1, wordEnd);
    if (functionLine < 0) return -1;
    line.setText(LOGGER, bytes, at, end);
    line.setText(FUNCTION, bytes, end + 1, colon);
    line.setInteger(FILE_LINE, functionLine);
  }
  head.certain = isSeparated ? pastSeparator(bytes, after) : wordEnd;
  return -1;
}

/** A file of sources, a colon, a line, and a tab or a colon: `main.go:12<TAB>`, `src/main.rs:12:`. */
function readFile(head: HeadState, at: number): void {
  const { bytes, line, limit } = head;
  let end = at;
  while (end < limit && bytes[end]! > SPACE) end += 1;
  scanName(bytes, at, end);
  if (!name.isFile || (bytes[end - 1] !== COLON && bytes[end] !== TAB)) return;
  const number = numberAt(bytes, name.end + 1, end);
  if (number < 0 || end >= head.end) return;
  line.setText(FILE, bytes, at, name.end);
  line.setInteger(FILE_LINE, number);
  head.certain = end;
}

/** The number of digits up to the end of the word, or up to the colon that ends it; -1 for anything else. */
function numberAt(bytes: Uint8Array, start: number, wordEnd: number): number {
  const end = bytes[wordEnd - 1] === COLON ? wordEnd - 1 : wordEnd;
  return end - start > LINE_DIGITS_MAX ? -1 : integerOf(bytes, start, end);
}

/** Sets `name` to that which begins at `at`. */
function scanName(bytes: Uint8Array, start: number, end: number): void {
  name.end = start;
  name.dots = 0;
  name.isClass = name.isFile = false;
  if (start >= end || !(isLetter(bytes[start]!) || bytes[start] === UNDERSCORE)) return;
  let slashes = 0;
  let lastDot = -1;
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte === POINT && at + 1 < end) {
      name.dots += 1;
      lastDot = at;
      name.isClass ||= isCapital(bytes[at + 1]!);
    } else if (byte === COLON && bytes[at + 1] === COLON && at + 2 < end) {
      name.dots += 1;
      at += 1;
    } else if (byte === SLASH) slashes += 1;
    else if (!isLetter(byte) && !isDigit(byte) && byte !== UNDERSCORE && byte !== 0x24 && byte !== DASH) break;
  }
  name.isFile = lastDot > 0 && bytes[at] === COLON && isEnding(bytes, lastDot + 1, at);
  if (slashes === 0 || name.isFile) name.end = at;
}

/** Whether these bytes have the shape of a name with a dot at least, or a pair of colons. */
export function hasDots(bytes: Uint8Array, start: number, end: number): boolean {
  scanName(bytes, start, end);
  return start < end && name.end === end && name.dots > 0;
}

function isEnding(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > ENDING_BYTES_MAX) return false;
  return ENDINGS.has(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
}

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

function isSeparator(bytes: Uint8Array, at: number): boolean {
  const byte = bytes[at]!;
  const next = bytes[at + 1] === byte && byte === DASH ? bytes[at + 2]! : bytes[at + 1]!;
  return byte === BAR || ((byte === DASH || byte === COLON) && next <= SPACE);
}

function pastSeparator(bytes: Uint8Array, at: number): number {
  return bytes[at] === DASH && bytes[at + 1] === DASH ? at + 2 : at + 1;
}

/** `(kafka.server.KafkaServer)` at the end of a line, as Kafka has it: a logger. The text ends before it. */
export function readTrailingLogger(bytes: Uint8Array, start: number, end: number, line: Line): void {
  if (bytes[end - 1] !== 0x29) return;
  const least = Math.max(start, end - THREAD_BYTES_MAX);
  let at = end - 2;
  while (at > least && bytes[at]! > SPACE && bytes[at] !== 0x28) at -= 1;
  if (bytes[at] !== 0x28 || at <= start || bytes[at - 1] !== SPACE) return;
  scanName(bytes, at + 1, end - 1);
  if (name.end !== end - 1 || name.dots === 0 || !name.isClass) return;
  line.setText(LOGGER, bytes, at + 1, end - 1);
  line.messageEnd = at - 1;
}
