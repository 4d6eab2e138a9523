// What people give to --since and --until, as `docker logs` takes it. Pure.
//
//   10m  1h30m  1.5h  2d          that long ago
//   2026-03-01T12:00:00.5Z        RFC 3339, up to nanoseconds; without a zone it is local time
//   2026-03-01                    the beginning of that day, local time
//   1767225600  1767225600.25     Unix seconds

import { SluiceError } from '#shared/errors.ts';
import { formatInstant, parseInstant } from '#shared/store/instant.ts';

const NS_PER_MS = 1_000_000;
const NS_PER_UNIT: Record<string, number> = {
  ns: 1,
  us: 1000,
  µs: 1000,
  ms: NS_PER_MS,
  s: 1000 * NS_PER_MS,
  m: 60_000 * NS_PER_MS,
  h: 3_600_000 * NS_PER_MS,
  d: 86_400_000 * NS_PER_MS,
};
// The micro sign as an escape: with one letter beyond ASCII in it, the built program would take two bytes for each in
// memory.
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|\u00b5s|ms|s|m|h|d))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h|d)/g;
const UNIX_SECONDS = /^(\d{1,11})(?:\.(\d{1,9}))?$/;
const ZONE = /[Tt ].*(?:[Zz]|[-+]\d{2}(?::?\d{2})?)$/;

/** The moment as ISO 8601 with nanoseconds. Throws usage_wrong, which names the option. */
export function timeArgument(option: string, text: string, nowMs: number): string {
  const ns = durationAgo(text, nowMs) ?? unixSeconds(text) ?? instant(text);
  if (ns === null || ns < YEAR_1 || ns > YEAR_9999) {
    throw new SluiceError(
      'usage_wrong',
      `Cannot read ${option} "${text}": give a duration (10m, 2h30m), a time (2026-03-01T12:00:00Z), or Unix seconds`,
    );
  }
  return formatInstant(ns);
}

const YEAR_1 = -62_135_596_800_000_000_000n;
const YEAR_9999 = 253_402_300_799_999_999_999n;

function durationAgo(text: string, nowMs: number): bigint | null {
  if (!DURATION.test(text)) return null;
  let ns = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(DURATION_PART))
    ns += Number(amount) * (NS_PER_UNIT[unit] ?? 0);
  return BigInt(nowMs) * BigInt(NS_PER_MS) - BigInt(Math.round(ns));
}

function unixSeconds(text: string): bigint | null {
  const match = UNIX_SECONDS.exec(text);
  return match === null ? null : BigInt(`${match[1] ?? ''}${(match[2] ?? '').padEnd(9, '0')}`);
}

function instant(text: string): bigint | null {
  const ns = parseInstant(text);
  if (ns === null || ZONE.test(text)) return ns;
  // It was read as UTC; the same numbers on the local clock are another moment.
  const utc = new Date(Number(ns / BigInt(NS_PER_MS)));
  const local = new Date(
    utc.getUTCFullYear(),
    utc.getUTCMonth(),
    utc.getUTCDate(),
    utc.getUTCHours(),
    utc.getUTCMinutes(),
    utc.getUTCSeconds(),
    utc.getUTCMilliseconds(),
  );
  return ns + BigInt(local.getTime() - utc.getTime()) * BigInt(NS_PER_MS);
}
