// The times of syslog messages, from their bytes to seconds and nanoseconds since the epoch.
//
//   2026-11-21T06:48:08.943512+01:00    RFC 3339, as in RFC 5424 (section 6.2.3); also "Z", or a space for the "T"
//   Nov 21 06:46:07                     RFC 3164 (section 4.1.2): local, without a year; the day may be padded
//   Nov 21 2026 06:46:07.250            as network devices write it: a year, a fraction
//
// A time without a year belongs to the last year in which it is not in the future. Late messages are common; early ones
// come from a wrong clock, which is trusted up to a week.
//
// Guarantees: total and bounded; nothing is allocated; -1 for what is no such time, with the fields as they were.

import type { TimeZone } from './time-zone.ts';

const DASH = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const POINT = 0x2e;
const COMMA = 0x2c;
const SPACE = 0x20;
const ZERO = 0x30;

const DAY = 86_400;
/** As far as a sender's clock may be ahead of ours. */
const AHEAD_MAX = 7 * DAY;
const FRACTION_DIGITS_MAX = 9;
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** The three letters of a month in lower case, as one number. */
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].map((name) =>
  letters(name.charCodeAt(0), name.charCodeAt(1), name.charCodeAt(2)),
);

export class SyslogTime {
  /** Since the epoch; below 0 before 1970. */
  seconds = 0;
  nanoseconds = 0;

  #fraction = 0;
  #secondOfDay = 0;

  /** Reads the RFC 3339 time at `at`; returns where it ends, or -1. */
  readRfc3339(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 20 || bytes[at + 4] !== DASH || bytes[at + 7] !== DASH) return -1;
    const separator = bytes[at + 10];
    if (separator !== 0x54 && separator !== 0x74 && separator !== SPACE) return -1;
    const year = digits(bytes, at, 4);
    const month = digits(bytes, at + 5, 2) - 1;
    const day = digits(bytes, at + 8, 2);
    if (year < 0 || !isDate(month, day)) return -1;
    const zoneAt = this.#readClock(bytes, at + 11, end);
    if (zoneAt < 0 || zoneAt >= end) return -1;
    const local = daysSinceEpoch(year, month, day) * DAY + this.#secondOfDay;
    const sign = bytes[zoneAt];
    if (sign === 0x5a || sign === 0x7a) return this.#set(local, zoneAt + 1);
    if ((sign !== PLUS && sign !== DASH) || end - zoneAt < 6 || bytes[zoneAt + 3] !== COLON) return -1;
    const hours = digits(bytes, zoneAt + 1, 2);
    const minutes = digits(bytes, zoneAt + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return -1;
    const offset = (hours * 60 + minutes) * 60;
    return this.#set(local - (sign === PLUS ? offset : -offset), zoneAt + 6);
  }

  /** Reads the RFC 3164 time at `at`; returns where it ends, or -1. `receivedSeconds`: since the epoch. */
  readRfc3164(bytes: Uint8Array, at: number, end: number, receivedSeconds: number, zone: TimeZone): number {
    if (end - at < 14 || bytes[at + 3] !== SPACE) return -1;
    const month = MONTHS.indexOf(letters(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0));
    if (month < 0) return -1;
    let from = at + 4;
    if (bytes[from] === SPACE) from += 1;
    const dayDigits = isDigit(bytes[from + 1]) ? 2 : 1;
    const day = digits(bytes, from, dayDigits);
    from += dayDigits;
    if (!isDate(month, day) || bytes[from] !== SPACE) return -1;
    let year = -1;
    if (end - from > 6 && bytes[from + 5] === SPACE) {
      year = digits(bytes, from + 1, 4);
      if (year < 0) return -1;
      from += 5;
    }
    const after = this.#readClock(bytes, from + 1, end);
    if (after < 0 || (after < end && bytes[after] !== SPACE && bytes[after] !== COLON)) return -1;
    const second = this.#secondOfDay;
    if (year < 0) year = likelyYear(month, day, second, receivedSeconds);
    return this.#set(zone.utcSeconds(daysSinceEpoch(year, month, day) * DAY + second), after);
  }

  /** "hh:mm:ss" with an optional fraction; returns where it ends, or -1. */
  #readClock(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 8 || bytes[at + 2] !== COLON || bytes[at + 5] !== COLON) return -1;
    const hour = digits(bytes, at, 2);
    const minute = digits(bytes, at + 3, 2);
    const second = digits(bytes, at + 6, 2);
    // A leap second is the first of the next minute.
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1;
    let after = at + 8;
    let fraction = 0;
    if (after < end && (bytes[after] === POINT || bytes[after] === COMMA)) {
      let count = 0;
      for (after += 1; after < end && isDigit(bytes[after]); after += 1) {
        if (count < FRACTION_DIGITS_MAX) fraction = fraction * 10 + ((bytes[after] ?? 0) - ZERO);
        count += 1;
      }
      if (count === 0) return -1;
      for (; count < FRACTION_DIGITS_MAX; count += 1) fraction *= 10;
    }
    this.#fraction = fraction;
    this.#secondOfDay = (hour * 60 + minute) * 60 + second;
    return after;
  }

  #set(seconds: number, after: number): number {
    this.seconds = seconds;
    this.nanoseconds = this.#fraction;
    return after;
  }
}

/** The latest in which the time is not in the future; the zone makes no difference to what is a week away. */
function likelyYear(month: number, day: number, secondOfDay: number, receivedSeconds: number): number {
  const latest = receivedSeconds + AHEAD_MAX;
  const year = new Date(latest * 1000).getUTCFullYear();
  return daysSinceEpoch(year, month, day) * DAY + secondOfDay > latest ? year - 1 : year;
}

function isDate(month: number, day: number): boolean {
  return month >= 0 && day >= 1 && day <= (MONTH_DAYS[month] ?? 0);
}

/** Days from 1970-01-01 in the Gregorian calendar, by arithmetic alone; `month` from 0 on. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  // Years that begin in March end with the leap day.
  const fromMarch = month < 2 ? year - 1 : year;
  const monthFromMarch = (month + 10) % 12;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const leapDays = Math.floor(fromMarch / 4) - Math.floor(fromMarch / 100) + Math.floor(fromMarch / 400);
  return fromMarch * 365 + leapDays + dayOfYear - 719_468;
}

/** The number that `count` digits say, or -1. */
function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) {
    const digit = (bytes[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

function letters(a: number, b: number, c: number): number {
  return ((a | 0x20) << 16) | ((b | 0x20) << 8) | (c | 0x20);
}
