// What is equal in lines of JSON that differ in their values alone: keys, punctuation and blanks, in their order.
//
//   {"level":30,"req":{"id":"7f3a"}}     {"level":   ,"req":{"id":   }}      and a number, a text
//
// A line that has the same bytes around leaves of the same kinds is an object with the same keys. Pure; each byte of a
// line is looked at a few times.

import { viewOf } from '../../json/json-buffer.ts';
import { BACKSLASH, COLON, QUOTE, SPACE } from '../line/scan.ts';
import { LEAVES_MAX, type Leaves, kindOf } from './leaves.ts';
import { isSame } from './same-bytes.ts';

/** Bytes that are equal, at most. */
const BYTES_MAX = 1024;
const LEVELS_MAX = 12;
const ARRAY_START = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const COMMA = 0x2c;

export class LineShape {
  /** All that is equal, and where in it each leaf stands; it ends with what is behind the last one. */
  readonly bytes: Uint8Array;
  readonly places: readonly number[];
  readonly kinds: Uint8Array;
  readonly #view: DataView;

  private constructor(bytes: Uint8Array, places: readonly number[], kinds: readonly number[]) {
    this.bytes = bytes;
    this.places = places;
    this.kinds = Uint8Array.from(kinds);
    this.#view = viewOf(bytes);
  }

  /** Of the object in bytes[start, end), with blanks behind it; sets the leaves. Null where a value is no leaf. */
  static of(bytes: Uint8Array, view: DataView, start: number, end: number, leaves: Leaves): LineShape | null {
    const equal: number[] = [];
    const places: number[] = [];
    const kinds: number[] = [];
    let levels = 0;
    for (let at = start; at < end;) {
      const byte = bytes[at]!;
      const keyEnd = byte === QUOTE ? endOfKey(bytes, at, end) : 0;
      const isPunctuation = byte <= SPACE || PUNCTUATION.has(byte);
      if (byte === OBJECT_START || byte === ARRAY_START) levels += 1;
      if (byte === OBJECT_END || byte === ARRAY_END) levels -= 1;
      if (levels > LEVELS_MAX || equal.length > BYTES_MAX) return null;
      if (isPunctuation || keyEnd > 0) {
        const to = isPunctuation ? at + 1 : keyEnd;
        while (at < to) equal.push(bytes[at++]!);
        continue;
      }
      if (kinds.length === LEAVES_MAX) return null;
      at = leaves.read(kinds.length, kindOf(byte), bytes, view, at, end);
      if (at < 0) return null;
      places.push(equal.length);
      kinds.push(kindOf(byte));
    }
    return equal.length > BYTES_MAX ? null : new LineShape(Uint8Array.from(equal), places, kinds);
  }

  /** Whether bytes[start, end) has this shape; then the leaves are set. */
  isOf(bytes: Uint8Array, view: DataView, start: number, end: number, leaves: Leaves): boolean {
    const { places, kinds } = this;
    const shape = this.#view;
    let at = start;
    let from = 0;
    for (let leaf = 0; leaf < kinds.length; leaf += 1) {
      const to = places[leaf]!;
      const next = at + to - from;
      if (next >= end || !isSame(view, at, shape, from, to)) return false;
      at = leaves.read(leaf, kinds[leaf]!, bytes, view, next, end);
      if (at < 0) return false;
      from = to;
    }
    return end - at === this.bytes.length - from && isSame(view, at, shape, from, this.bytes.length);
  }
}

const PUNCTUATION = new Set([OBJECT_START, OBJECT_END, ARRAY_START, ARRAY_END, COLON, COMMA]);

/** Where the colon is behind the string at `at`; 0 where that is no key. */
function endOfKey(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  at += 1;
  while (at < end && bytes[at]! <= SPACE) at += 1;
  return at < end && bytes[at] === COLON ? at : 0;
}
