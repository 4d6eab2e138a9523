// A time as ISO 8601 text, as `@timestamp` has it: 2026-01-02T03:04:05.678901234Z, with an offset or without (UTC),
// with a fraction or without, or a date alone. Digits after the ninth of the fraction are left out.

import type { EventTime } from '#shared/record/event-time.ts';

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,24}))?)?(?:[Zz]|([+-])(\d\d):?(\d\d)?)?)?$/;

/** Null for what is no such text, no day of the calendar, or before 1970. */
export function eventTimeOfIso(text: string): EventTime | null {
  const match = ISO.exec(text);
  if (!match) return null;
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = '', sign] = match;
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date rolls what is past the end of a month over into the next one.
  const calendar = new Date(date);
  if (calendar.getUTCDate() !== Number(day) || calendar.getUTCMonth() + 1 !== Number(month)) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  const offset = (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * (sign === '-' ? -60 : 60);
  const seconds = date / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset;
  return seconds < 0 ? null : { seconds, nanoseconds: Number(fraction.slice(0, 9).padEnd(9, '0')) };
}
