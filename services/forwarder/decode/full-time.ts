// The form of time that nearly all logs have, from their bytes: a tenth of the work of `eventTimeOfIso`, which knows
// the others. What it takes for a time, and for which, is the same: a test holds it to that. Pure.
//
//   2026-01-02T03:04:05.678901234Z     T or a space; a fraction of up to nine digits behind . or , or none;
//   2026-01-02 03:04:05+01:00          Z or an offset; behind it a space, a tab, a bracket ], or nothing

import type { EventTime } from '#shared/record/event-time.ts';

const DASH = 0x2d;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const RIGHT_BRACKET = 0x5d;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
const PLUS = 0x2b;
const DOT = 0x2e;
const COMMA = 0x2c;
const FRACTION_DIGITS_MAX = 9;
/** From there on, Unix time of this form is not negative, whatever the offset. */
const YEAR_MIN = 1971;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Days from March 1 to the first of each month, from March on. */
const DAYS_BEFORE = [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
/** From March 1 of the year 0 to January 1, 1970. */
const EPOCH_DAYS = 719_468;

/** Null where bytes[start, end) do not begin with a time of this form: they may begin with one of another. */
export function fullTimeOf(bytes: Uint8Array, start: number, end: number): EventTime | null {
  if (end - start < 20 || bytes[start + 4] !== DASH || bytes[start + 7] !== DASH) return null;
  if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return null;
  if (bytes[start + 10] !== UPPER_T && bytes[start + 10] !== SPACE) return null;
  const days = daysOf(two(bytes, start) * 100 + two(bytes, start + 2), two(bytes, start + 5), two(bytes, start + 8));
  const [hour, minute, second] = [two(bytes, start + 11), two(bytes, start + 14), two(bytes, start + 17)];
  // What is not two digits is NaN, for which no comparison holds.
  if (!(days >= 0 && hour <= 23 && minute <= 59 && second <= 60)) return null;
  let at = start + 19;
  let nanoseconds = 0;
  if (bytes[at] === DOT || bytes[at] === COMMA) {
    const from = at + 1;
    for (at = from; at < end; at += 1) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      nanoseconds = nanoseconds * 10 + digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > FRACTION_DIGITS_MAX) return null;
    nanoseconds *= 10 ** (FRACTION_DIGITS_MAX - digits);
  }
  let offset = 0;
  const sign = at < end ? bytes[at] : 0;
  if (sign === UPPER_Z) at += 1;
  else if (sign === PLUS || sign === DASH) {
    const minutesAt = bytes[at + 3] === COLON ? at + 4 : at + 3;
    if (minutesAt + 2 > end) return null;
    offset = (two(bytes, at + 1) * 60 + two(bytes, minutesAt)) * (sign === DASH ? -60 : 60);
    at = minutesAt + 2;
  } else return null;
  if (Number.isNaN(offset) || (at < end && !isBoundary(bytes[at]))) return null;
  return { seconds: days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds };
}

/** Since 1970; negative, or NaN, for what is no day of the calendar, or too early. */
function daysOf(year: number, month: number, day: number): number {
  if (!(year >= YEAR_MIN && month >= 1 && month <= 12 && day >= 1)) return -1;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] ?? 0))) return -1;
  // Years from March on end with the leap day.
  const shifted = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + (DAYS_BEFORE[month - 1] ?? 0) + day - 1 - EPOCH_DAYS;
}

/** NaN where they are no two digits. */
function two(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30;
  const ones = (bytes[at + 1] ?? 0) - 0x30;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? Number.NaN : tens * 10 + ones;
}

function isBoundary(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === RIGHT_BRACKET;
}
