// Moments as Sluice itself writes them, from their bytes: `"2026-03-01T12:00:00.123Z"`, in UTC, with up to nine digits
// of a fraction. Pure; the same as `parseInstant` (instant.ts) says of the text, or nothing.

export interface InstantParts {
  /** Since the epoch. */
  seconds: number;
  nanos: number;
  /** Of the fraction. */
  digits: number;
}

const QUOTE = 0x22;
const ZERO = 0x30;
/** What stands between the digits. */
const BETWEEN = Array.from('"____-__-__T__:__:__', (sign) => (sign === '_' ? 0 : sign.charCodeAt(0)));
const FRACTION = BETWEEN.length;
const SCALES = Array.from({ length: 10 }, (_, digits) => 10 ** (9 - digits));
const YEAR_MIN = 1970;
/** The last whole one that 64 bits of nanoseconds hold. */
const YEAR_MAX = 2261;
const DAY_SECONDS = 86_400;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `bytes` between `start` and `end`: a JSON string, with its quotes. False where it is another text. */
export function readInstant(bytes: Uint8Array, start: number, end: number, into: InstantParts): boolean {
  const digits = end - start - FRACTION - 3;
  // Without a fraction there is no point either.
  const hasFraction = digits > 0;
  if (digits > 9 || (!hasFraction && digits !== -1)) return false;
  for (let i = 0; i < FRACTION; i++) {
    const sign = bytes[start + i] ?? 0;
    if (BETWEEN[i] === 0 ? sign < ZERO || sign > ZERO + 9 : sign !== BETWEEN[i]) return false;
  }
  if (bytes[end - 1] !== QUOTE || bytes[end - 2] !== 0x5a) return false;
  let fraction = 0;
  if (hasFraction) {
    if (bytes[start + FRACTION] !== 0x2e) return false;
    for (let i = start + FRACTION + 1; i < end - 2; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return false;
      fraction = fraction * 10 + digit;
    }
  }
  const seconds = secondsAt(bytes, start + 1);
  if (seconds < 0) return false;
  into.seconds = seconds;
  into.digits = Math.max(0, digits);
  into.nanos = fraction * (SCALES[into.digits] ?? 0);
  return true;
}

/** -1 where there is no such moment. */
function secondsAt(bytes: Uint8Array, at: number): number {
  const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
  const month = twoDigits(bytes, at + 5);
  const day = twoDigits(bytes, at + 8);
  const hour = twoDigits(bytes, at + 11);
  const minute = twoDigits(bytes, at + 14);
  const second = twoDigits(bytes, at + 17);
  if (year < YEAR_MIN || year > YEAR_MAX || hour > 23 || minute > 59 || second > 59) return -1;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = (MONTH_DAYS[month - 1] ?? 0) + (isLeap && month === 2 ? 1 : 0);
  if (day < 1 || day > days) return -1;
  return dayNumber(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
}

/** Days since 1970-01-01. Years are counted from March, so that a leap day is the last of its year. */
function dayNumber(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const centuries = Math.floor(years / 100);
  return 365 * years + Math.floor(years / 4) - centuries + Math.floor(centuries / 4) + ofYear - 719_468;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 10 + (bytes[at + 1] ?? 0) - 11 * ZERO;
}
