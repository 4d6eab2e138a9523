// Lines of logfmt, as Go's slog, logrus, Prometheus and dockerd write them:
//
//   time="2026-01-02T03:04:05Z" level=info msg="a \"b\"" took=12.4
//
// The whole line must be pairs, two at least, and one must have a name that says it is a log: `level=`, `msg=`,
// `time=`, …. A value in quotes is unescaped as JSON's strings are. A plain value that is a number, written as JSON
// writes it, is a number. Everything else is text.

import { unescape } from '#shared/json/json-string.ts';
import type { Line } from './line.ts';
import { BACKSLASH, EQUALS, QUOTE, SPACE, integerOf, isDigit, isLetter, isWordAt } from './scan.ts';

const KEY_BYTES_MAX = 128;
const PAIRS_MAX = 256;
/** Of what is unescaped at once. A line with a longer value in quotes is no logfmt. */
const QUOTED_BYTES_MAX = 1024 * 1024;
const NUMBER_BYTES_MAX = 16;
const ZERO = 0x30;
const known = ['level', 'lvl', 'msg', 'message', 'time', 'ts', 't', 'severity'];

let scratch: Buffer = Buffer.allocUnsafeSlow(4096);

export function readLogfmt(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  if (!isKeyStart(bytes[start]!)) return false;
  const { writer } = line;
  const mapAt = line.start();
  const header = writer.openMap();
  let at = start;
  let pairs = 0;
  let isLog = false;
  while (at >= 0 && at < end) {
    const keyEnd = pastKey(bytes, at, end);
    if (keyEnd < 0 || ++pairs > PAIRS_MAX) break;
    isLog ||= isKnown(bytes, at, keyEnd);
    writer.stringBytes(bytes, at, keyEnd);
    at = bytes[keyEnd + 1] === QUOTE ? quoted(bytes, keyEnd + 2, end, line) : plain(bytes, keyEnd + 1, end, line);
    if (at >= 0 && at < end && bytes[at] !== SPACE) at = -1;
    while (at >= 0 && at < end && bytes[at] === SPACE) at += 1;
  }
  if (at !== end || pairs < 2 || !isLog) {
    writer.truncate(mapAt);
    return false;
  }
  writer.closeMap(header, pairs);
  line.indexMap(mapAt);
  return true;
}

/** Where the key that begins at `at` ends, before its `=`; -1 where there is none. */
function pastKey(bytes: Uint8Array, at: number, end: number): number {
  const last = Math.min(end, at + KEY_BYTES_MAX);
  if (!isKeyStart(bytes[at]!)) return -1;
  for (let i = at + 1; i < last; i += 1) {
    const byte = bytes[i]!;
    if (byte === EQUALS) return i;
    if (byte <= SPACE || byte === QUOTE || byte === 0x7f) return -1;
  }
  return -1;
}

function isKeyStart(byte: number): boolean {
  return isLetter(byte) || byte === 0x5f || byte === 0x40;
}

function isKnown(bytes: Uint8Array, start: number, end: number): boolean {
  for (const word of known) if (word.length === end - start && isWordAt(bytes, start, word)) return true;
  return false;
}

/** Writes the text of the quotes that were opened before `start`. Returns where they end; -1 where they do not. */
function quoted(bytes: Uint8Array, start: number, end: number, { writer }: Line): number {
  let close = start;
  let hasEscape = false;
  while (close < end && bytes[close] !== QUOTE) {
    const isEscape = bytes[close] === BACKSLASH;
    hasEscape ||= isEscape;
    close += isEscape ? 2 : 1;
  }
  if (close >= end) return -1;
  if (!hasEscape) {
    writer.stringBytes(bytes, start, close);
    return close + 1;
  }
  if (close - start > QUOTED_BYTES_MAX) return -1;
  if (scratch.length < close - start) scratch = Buffer.allocUnsafeSlow(2 * (close - start));
  const source = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = unescape(source, start, close, scratch, 0);
  if (length < 0) return -1;
  writer.stringBytes(scratch, 0, length);
  return close + 1;
}

/** Writes a value without quotes. Returns where it ends; -1 where it is none. */
function plain(bytes: Uint8Array, start: number, end: number, { writer }: Line): number {
  let at = start;
  let isNumber = true;
  while (at < end && bytes[at]! > SPACE) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return -1;
    isNumber &&= isDigit(byte) || byte === 0x2e || (byte === 0x2d && at === start);
    at += 1;
  }
  const length = at - start;
  if (isNumber && length > 0 && length <= NUMBER_BYTES_MAX) {
    const integer = bytes[start] === ZERO && length > 1 ? -1 : integerOf(bytes, start, at);
    if (integer >= 0) {
      writer.integer(integer);
      return at;
    }
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
    const value = Number(text);
    // What would be written another way is kept as it is.
    if (String(value) === text) {
      if (Number.isSafeInteger(value)) writer.integer(value);
      else writer.float(value);
      return at;
    }
  }
  writer.stringBytes(bytes, start, at);
  return at;
}
