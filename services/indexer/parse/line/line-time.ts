// The times that lines begin with. Each form is recognised by its marks, at fixed places.
//
//   2026-01-02T03:04:05.678Z      a space for the T, a comma for the point, / for -; a zone at once or after a space
//   02/Jan/2026:03:04:05 +0000    access logs
//   02 Jan 2026 03:04:05.678      Redis; 02-Jan-2026 03:04:05: Tomcat, PHP
//   2026-01-02  3:04:05           MariaDB: a space for the hour's first digit
//   Jan  2 03:04:05               syslog; Fri Jan 02 03:04:05.678901 2026: Apache
//   03:04:05.678                  of a day that is not told
//
// Only one with a date, a year and a zone is an instant. The others are known for times, and passed over. Pure.

import { daysOf } from '../calendar.ts';
import { CLOSING, COLON, DASH, SPACE, isDigit } from './scan.ts';

const ZERO = 0x30;
const POINT = 0x2e;
const COMMA = 0x2c;
const PLUS = 0x2b;
const SLASH = 0x2f;
const SECONDS_PER_DAY = 86_400;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const monthCodes = MONTHS.map((name) => codeOf(name.charCodeAt(0), name.charCodeAt(1), name.charCodeAt(2)));
const NO_ZONE = NaN;
const DATE_BYTES = 10;

export class LineTime {
  /** Whether an instant was read. */
  isKnown = false;
  seconds = 0;
  nanos = 0;
  /** Seconds of the day, and what is behind them. */
  #clock = 0;
  #nanos = 0;
  #offset = NO_ZONE;
  /** The date that was read last, as text, and its days: most lines have that of the one before. */
  readonly #date = new Uint8Array(DATE_BYTES);
  #days = NaN;

  clear(): void {
    this.isKnown = false;
  }

  /** It is this instant. */
  setSeconds(seconds: number, nanos = 0): void {
    this.isKnown = true;
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** Reads the time at `at`; where it ends, or -1 where there is none. */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 8) return -1;
    const first = bytes[at]!;
    if (!isDigit(first)) return this.#readNamed(bytes, at, end);
    const mark = bytes[at + 4];
    if (mark === DASH || mark === SLASH) return this.#readDate(bytes, at, end, mark);
    const second = bytes[at + 2];
    if (second === SLASH || second === SPACE || second === DASH) return this.#readDayFirst(bytes, at, end);
    if (second !== COLON) return -1;
    const next = this.#pastClock(bytes, at, end);
    return next;
  }

  /** 2026-01-02, and a time of the day behind it. */
  #readDate(bytes: Uint8Array, at: number, end: number, mark: number): number {
    if (end - at < 19 || bytes[at + 7] !== mark) return -1;
    const separator = bytes[at + 10]!;
    if (separator !== SPACE && (separator | 0x20) !== 0x74) return -1;
    const days = this.#daysAt(bytes, at);
    const next = this.#pastClock(bytes, at + 11, end);
    if (next < 0 || !(days >= 0)) return -1;
    return this.#pastZone(bytes, next, end, days);
  }

  /** Of the date 2026-01-02; NaN for none. */
  #daysAt(bytes: Uint8Array, at: number): number {
    const date = this.#date;
    let same = 0;
    while (same < DATE_BYTES && date[same] === bytes[at + same]) same += 1;
    if (same === DATE_BYTES) return this.#days;
    for (let i = same; i < DATE_BYTES; i += 1) date[i] = bytes[at + i]!;
    this.#days = daysOf(digits(bytes, at, 4), digits(bytes, at + 5, 2), digits(bytes, at + 8, 2));
    return this.#days;
  }

  /** 02/Jan/2026:03:04:05 +0000, 02 Jan 2026 03:04:05.678, 02-Jan-2026 03:04:05 */
  #readDayFirst(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 20 || bytes[at + 6] !== bytes[at + 2]) return -1;
    const days = daysOf(digits(bytes, at + 7, 4), monthAt(bytes, at + 3), digits(bytes, at, 2));
    const next = this.#pastClock(bytes, at + 12, end);
    if (next < 0 || !(days >= 0)) return -1;
    return this.#pastZone(bytes, next, end, days);
  }

  /** Jan  2 03:04:05, Fri Jan 02 03:04:05.678901 2026: neither has a zone. */
  #readNamed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (bytes[at + 3] === SPACE && monthAt(bytes, at) < 0 && end - at > 20) at += 4;
    if (monthAt(bytes, at) < 0 || bytes[at + 3] !== SPACE || bytes[at + 6] !== SPACE || end - at < 15) return -1;
    const next = this.#pastClock(bytes, at + 7, end);
    if (next < 0 || at === start) return next;
    const isYear = bytes[next] === SPACE && next + 5 <= end && digits(bytes, next + 1, 4) >= 1970;
    return isYear ? next + 5 : -1;
  }

  /** 03:04:05, and a fraction. */
  #pastClock(bytes: Uint8Array, at: number, end: number): number {
    if (at + 8 > end || bytes[at + 2] !== COLON || bytes[at + 5] !== COLON) return -1;
    this.#clock = clockOf(bytes, at);
    if (!(this.#clock >= 0)) return -1;
    let next = at + 8;
    this.#nanos = 0;
    if (next + 1 < end && (bytes[next] === POINT || bytes[next] === COMMA) && isDigit(bytes[next + 1]!)) {
      next += 1;
      for (let unit = 100_000_000; next < end && isDigit(bytes[next]!); unit = Math.floor(unit / 10)) {
        this.#nanos += (bytes[next++]! - ZERO) * unit;
      }
    }
    return next < end && isDigit(bytes[next]!) ? -1 : next;
  }

  /** What follows the time of the day is a zone, or the end of the time. */
  #pastZone(bytes: Uint8Array, at: number, end: number, days: number): number {
    let next = this.#zone(bytes, at, end);
    if (next === at && bytes[at] === SPACE) {
      next = this.#zone(bytes, at + 1, end);
      if (next === at + 1) next = at;
    }
    const seconds = days * SECONDS_PER_DAY + this.#clock - this.#offset;
    if (next > at && seconds >= 0) this.setSeconds(seconds, this.#nanos);
    return next;
  }

  /** Z, UTC, GMT, +01:00, +0100, +01, with something behind it that is no part of a word. */
  #zone(bytes: Uint8Array, at: number, end: number): number {
    this.#offset = NO_ZONE;
    const sign = at < end ? bytes[at]! : 0;
    let next = at;
    let offset = 0;
    if (sign === PLUS || sign === DASH) {
      const hours = digits(bytes, at + 1, 2);
      const minutesAt = at + (bytes[at + 3] === COLON ? 4 : 3);
      const minutes = minutesAt + 2 <= end ? digits(bytes, minutesAt, 2) : NaN;
      if (at + 3 > end || !(hours <= 23)) return at;
      next = minutes <= 59 ? minutesAt + 2 : at + 3;
      offset = (sign === DASH ? -60 : 60) * (hours * 60 + (minutes <= 59 ? minutes : 0));
    } else if ((sign | 0x20) === 0x7a) next = at + 1;
    else if (isWord(bytes, at, end, 'UTC') || isWord(bytes, at, end, 'GMT')) next = at + 3;
    else return at;
    if (next < end && !isBehindTime(bytes[next]!)) return at;
    this.#offset = offset;
    return next;
  }
}

/** Blanks, closing brackets, separators. */
function isBehindTime(byte: number): boolean {
  return byte <= SPACE || byte === CLOSING || byte === 0x29 || byte === 0x7c || byte === 0x2c || byte === COLON;
}

function isWord(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (at + word.length > end) return false;
  for (let i = 0; i < word.length; i += 1) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** Seconds of the day; NaN for no time. A leap second is the next one's first. */
function clockOf(bytes: Uint8Array, at: number): number {
  const hour = bytes[at] === SPACE ? digits(bytes, at + 1, 1) : digits(bytes, at, 2);
  const minute = digits(bytes, at + 3, 2);
  const second = digits(bytes, at + 6, 2);
  return hour <= 23 && minute <= 59 && second <= 60 ? hour * 3600 + minute * 60 + second : NaN;
}

/** From 1 on; negative for no month. */
function monthAt(bytes: Uint8Array, at: number): number {
  const month = monthCodes.indexOf(codeOf(bytes[at]! | 0x20, bytes[at + 1]! | 0x20, bytes[at + 2]! | 0x20)) + 1;
  return month === 0 ? -1 : month;
}

function codeOf(a: number, b: number, c: number): number {
  return (a << 16) | (b << 8) | c;
}

/** NaN where one is no digit. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
