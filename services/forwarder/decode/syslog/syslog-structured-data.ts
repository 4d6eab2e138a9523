// The structured data of RFC 5424 (section 6.3): found by its end, then written as a msgpack map of maps.
//
//   [timeQuality tzKnown="1" isSynced="0"][zoo@123 tiger="hun\"gry"]
//   →   { timeQuality: { tzKnown: "1", … }, "zoo@123": { tiger: "hun\"gry" } }
//   \" \\ \] are the character behind the backslash; a backslash before any other stands for itself
//
// A parameter may come twice, which a map cannot hold: such an element is kept as the text that it was.
// Guarantees: bounded and total; `writeStructuredData` is given only what `structuredDataEnd` accepted.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';

const OPEN = 0x5b;
const CLOSE = 0x5d;
const SPACE = 0x20;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Parameters of an element that are looked at for doubles; an element with more is kept as text. */
const PARAMS_MAX = 64;
const ELEMENTS_MAX = 64;

/** Where the elements that begin at `at` end, or -1 if they are malformed or more than anyone sends. */
export function structuredDataEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let elements = 0; at < end && bytes[at] === OPEN; elements += 1) {
    if (elements === ELEMENTS_MAX) return -1;
    at = elementEnd(bytes, at, end);
    if (at < 0) return -1;
  }
  return at;
}

/** Writes the elements in bytes[start, end) as one map. */
export function writeStructuredData(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
  const map = writer.openMap();
  let count = 0;
  for (let at = start; at < end; count += 1) {
    const after = elementEnd(bytes, at, end);
    const idEnd = nameEnd(bytes, at + 1, after);
    writer.stringBytes(bytes, at + 1, idEnd);
    if (isPlain(bytes, idEnd, after - 1)) writeParams(writer, bytes, idEnd, after - 1);
    else writer.stringBytes(bytes, Math.min(idEnd + 1, after - 1), after - 1);
    at = after;
  }
  writer.closeMap(map, count);
}

/** Where the element that begins at `at` ends, or -1. */
function elementEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = nameEnd(bytes, start + 1, end);
  if (at === start + 1) return -1;
  while (at < end && bytes[at] === SPACE) {
    const nameAt = at + 1;
    at = nameEnd(bytes, nameAt, end);
    if (at === nameAt || at + 1 >= end || bytes[at] !== EQUALS || bytes[at + 1] !== QUOTE) return -1;
    at = valueEnd(bytes, at + 2, end);
    if (at < 0) return -1;
    at += 1;
  }
  return at < end && bytes[at] === CLOSE ? at + 1 : -1;
}

/** Where the SD-NAME at `at` ends: printable ASCII but `=`, space, `]` and `"`. */
function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte <= SPACE || byte >= 0x7f || byte === EQUALS || byte === CLOSE || byte === QUOTE) break;
  }
  return at;
}

/** Where the closing quote of the value at `at` is, or -1. */
function valueEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return -1;
}

/** Whether no parameter between `start` (at the space before the first) and `end` has a name that another one has. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  if (start >= end) return true;
  const secondAt = pastParam(bytes, start, end);
  if (secondAt >= end) return true;
  const names = new Set<string>();
  for (let at = start; at < end; at = pastParam(bytes, at, end)) {
    const name = bytes.toString('latin1', at + 1, nameEnd(bytes, at + 1, end));
    if (names.has(name) || names.size === PARAMS_MAX) return false;
    names.add(name);
  }
  return true;
}

function pastParam(bytes: Uint8Array, start: number, end: number): number {
  return valueEnd(bytes, nameEnd(bytes, start + 1, end) + 2, end) + 1;
}

function writeParams(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
  const map = writer.openMap();
  let count = 0;
  for (let at = start; at < end; count += 1) {
    const equalsAt = nameEnd(bytes, at + 1, end);
    const quoteAt = valueEnd(bytes, equalsAt + 2, end);
    writer.stringBytes(bytes, at + 1, equalsAt);
    writeValue(writer, bytes, equalsAt + 2, quoteAt);
    at = quoteAt + 1;
  }
  writer.closeMap(map, count);
}

function writeValue(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
  // Not beyond the value: of thousands of values each would look at all that follows.
  if (!bytes.subarray(start, end).includes(BACKSLASH)) {
    writer.stringBytes(bytes, start, end);
    return;
  }
  const text = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const next = bytes[at + 1];
    if (bytes[at] === BACKSLASH && at + 1 < end && (next === QUOTE || next === BACKSLASH || next === CLOSE)) at += 1;
    text[length++] = bytes[at] ?? 0;
  }
  writer.stringBytes(text, 0, length);
}
