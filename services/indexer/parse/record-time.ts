// The time that a record of `POST /<tag>` has under one of its own keys, for an entry that has none
// (docs/documents.md).
//
//   2026-01-02T03:04:05.678901234Z      text with a zone: Z, +01:00, +0100, +01; also a space for the T, a comma for
//                                       the point
//   "1767323045678901"                  microseconds, under the names that the journal has for its times
//   1767323045.678, 1767323045678, …    a number of seconds, milliseconds, microseconds or nanoseconds, by its size
//
// A text without a zone may be any of a day's hours, so it is no time. Numbers are times between 2000 and 2100 only:
// what is smaller is a duration or a counter, and the four units do not overlap there. The record stays as it is: what
// was read is found as it was sent.

import { SAFE_HIGH } from '../json/scalars.ts';
import { type FieldTable, isText, textEnd, textStart } from './fields.ts';
import { daysOf } from './calendar.ts';
import { journalTimeNames } from './names.ts';
import type { Timestamp } from './timestamp.ts';

const SECONDS_MIN = Date.UTC(2000, 0, 1) / 1000;
const SECONDS_MAX = Date.UTC(2100, 0, 1) / 1000;
const SECONDS_PER_DAY = 86_400;
const ZERO = 0x30;
const NINE = 0x39;
const DASH = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const LARGE_T = 0x54;
const SMALL_T = 0x74;
const SMALL_Z = 0x7a;
/** `2026-01-02T03:04:05Z` to nine digits and an offset; more digits are passed over. */
const TEXT_BYTES_MIN = 20;
const TEXT_BYTES_MAX = 64;
const MICRO_DIGITS = 6;
const SECOND_DIGITS_MAX = 10;

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export class RecordTime {
  /** The name whose value was the time. */
  foundIn = 0;

  /**
   * @param names the first of them that can be read is the time
   * @param time is set to the instant; where there is none it stays as it was, and false is returned
   */
  read({ bytes, view }: Source, table: FieldTable, names: readonly number[], time: Timestamp): boolean {
    for (const name of names) {
      const at = table.values[name]!;
      if (at === 0) continue;
      const isJournals = journalTimeNames.includes(name);
      if (!(isJournals ? readMicroseconds(bytes, at, time) : readValue(bytes, view, at, time))) continue;
      this.foundIn = name;
      return true;
    }
    return false;
  }
}

function readValue(bytes: Uint8Array, view: DataView, at: number, time: Timestamp): boolean {
  const type = bytes[at]!;
  if (isText(type)) return readText(bytes, textStart(bytes, at), textEnd(bytes, at), time);
  switch (type) {
    case 0xca:
      return setNumber(view.getFloat32(at + 1), time);
    case 0xcb:
      return setNumber(view.getFloat64(at + 1), time);
    case 0xce:
      return setNumber(view.getUint32(at + 1), time);
    case 0xcf:
      return setLong(view, at + 1, time);
    case 0xd2:
      return setNumber(view.getInt32(at + 1), time);
    case 0xd3:
      return setLong(view, at + 1, time);
    default:
      return false;
  }
}

/** A text of digits, as the journal tells times. */
export function readMicroseconds(bytes: Uint8Array, at: number, time: Pick<Timestamp, 'setInstant'>): boolean {
  if (!isText(bytes[at]!)) return false;
  const start = textStart(bytes, at);
  const end = textEnd(bytes, at);
  const length = end - start - MICRO_DIGITS;
  if (length < 1 || length > SECOND_DIGITS_MAX) return false;
  const seconds = digits(bytes, start, length);
  const micros = digits(bytes, end - MICRO_DIGITS, MICRO_DIGITS);
  // NaN is neither.
  return seconds >= 0 && micros >= 0 && time.setInstant(seconds, micros * 1000);
}

/** An integer of 64 bits. One of milliseconds is exact as a double, and so is what is left of a division. */
function setLong(view: DataView, at: number, time: Timestamp): boolean {
  const high = view.getInt32(at);
  // What is negative is no time, and what is unsigned and as large is none either.
  if (high < 0) return false;
  if (high >= SAFE_HIGH) return setInteger(view.getBigInt64(at), time);
  return setWhole(high * 0x1_0000_0000 + view.getUint32(at + 4), time);
}

/** A whole number that is exact as a double, not negative. */
export function setWhole(value: number, time: Timestamp): boolean {
  for (let perSecond = 1; perSecond <= 1_000_000_000; perSecond *= 1000) {
    const rest = value % perSecond;
    const seconds = (value - rest) / perSecond;
    if (seconds >= SECONDS_MIN && seconds < SECONDS_MAX)
      return time.setInstant(seconds, (rest * 1_000_000_000) / perSecond);
  }
  return false;
}

/** All digits count. */
function setInteger(value: bigint, time: Timestamp): boolean {
  for (let perSecond = 1n; perSecond <= 1_000_000_000n; perSecond *= 1000n) {
    const seconds = value / perSecond;
    if (seconds < SECONDS_MIN || seconds >= SECONDS_MAX) continue;
    return time.setInstant(Number(seconds), Number(((value % perSecond) * 1_000_000_000n) / perSecond));
  }
  return false;
}

/** A float of seconds holds microseconds, no more; one of microseconds or nanoseconds may hold fewer. */
export function setNumber(value: number, time: Timestamp): boolean {
  for (let perSecond = 1; perSecond <= 1_000_000_000; perSecond *= 1000) {
    const seconds = Math.floor(value / perSecond);
    if (!(seconds >= SECONDS_MIN && seconds < SECONDS_MAX)) continue;
    const micros = Math.round(((value - seconds * perSecond) / perSecond) * 1_000_000);
    return time.setInstant(seconds, micros * 1000);
  }
  return false;
}

/** A text with a zone, as above. */
export function readText(bytes: Uint8Array, start: number, end: number, time: Pick<Timestamp, 'setInstant'>): boolean {
  if (end - start < TEXT_BYTES_MIN || end - start > TEXT_BYTES_MAX) return false;
  if (!isShaped(bytes, start)) return false;
  const days = daysOf(digits(bytes, start, 4), digits(bytes, start + 5, 2), digits(bytes, start + 8, 2));
  const hour = digits(bytes, start + 11, 2);
  const minute = digits(bytes, start + 14, 2);
  const second = digits(bytes, start + 17, 2);
  // NaN is none of these. A leap second is the next one's first.
  if (!(days >= 0 && hour <= 23 && minute <= 59 && second <= 60)) return false;
  let at = start + 19;
  let nanos = 0;
  if (bytes[at] === POINT || bytes[at] === COMMA) {
    const first = ++at;
    for (let unit = 100_000_000; isDigit(bytes[at]!) && at < end; unit = Math.floor(unit / 10)) {
      nanos += (bytes[at++]! - ZERO) * unit;
    }
    if (at === first) return false;
  }
  const offset = offsetOf(bytes, at, end);
  const seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
  return Number.isFinite(offset) && time.setInstant(seconds, nanos);
}

/** The marks of `0000-00-00T00:00:00`. */
function isShaped(bytes: Uint8Array, start: number): boolean {
  const separator = bytes[start + 10];
  return (
    bytes[start + 4] === DASH &&
    bytes[start + 7] === DASH &&
    (separator === LARGE_T || separator === SMALL_T || separator === SPACE) &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON
  );
}

/** Seconds east of UTC by what is left of the text; NaN where that is no zone. */
function offsetOf(bytes: Uint8Array, at: number, end: number): number {
  const sign = bytes[at]!;
  const length = end - at;
  if (length === 1) return (sign | 0x20) === SMALL_Z ? 0 : NaN;
  if (sign !== PLUS && sign !== DASH) return NaN;
  const hours = digits(bytes, at + 1, 2);
  const hasColon = length === 6 && bytes[at + 3] === COLON;
  if (length !== 3 && length !== 5 && !hasColon) return NaN;
  const minutes = length === 3 ? 0 : digits(bytes, end - 2, 2);
  if (!(hours <= 23 && minutes <= 59)) return NaN;
  return (sign === DASH ? -60 : 60) * (hours * 60 + minutes);
}

/** NaN where one is no digit. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) value = isDigit(bytes[at]!) ? value * 10 + bytes[at]! - ZERO : NaN;
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
