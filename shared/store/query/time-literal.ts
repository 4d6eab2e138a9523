// Times in queries: `now`, `now-90m`, or ISO 8601 as far as somebody likes to write it. A time that is written to the
// day means all of that day. Pure: whoever reads a query says what is now.

import { parseInstant } from '../instant.ts';

export interface TimeSpan {
  /** ns since the epoch; the span ends before `until`. */
  readonly since: bigint;
  readonly until: bigint;
}

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const UNITS: Readonly<Record<string, bigint>> = {
  s: NS_PER_SECOND,
  m: 60n * NS_PER_SECOND,
  h: 3600n * NS_PER_SECOND,
  d: 86_400n * NS_PER_SECOND,
  w: 7n * 86_400n * NS_PER_SECOND,
};
const NOW = /^now((?:[+-]\d{1,9}[smhdw])*)$/;
const STEP = /([+-]\d+)([smhdw])/g;
/** What `parseInstant` takes: to the day, to the minute, to the second, with a fraction. */
const PRECISION = /^\d{4}-\d{2}-\d{2}(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?/;

export function timeSpan(text: string, nowMs: number): TimeSpan | null {
  const steps = NOW.exec(text)?.[1];
  if (steps !== undefined) {
    let ns = BigInt(Math.trunc(nowMs)) * NS_PER_MS;
    for (const [, count = '0', unit = 's'] of steps.matchAll(STEP)) ns += BigInt(count) * (UNITS[unit] ?? 0n);
    return { since: ns, until: ns + 1n };
  }
  const since = parseInstant(text);
  return since === null ? null : { since, until: since + lengthOf(text) };
}

function lengthOf(text: string): bigint {
  const [, minute, second, fraction] = PRECISION.exec(text) ?? [];
  if (fraction !== undefined) return 10n ** BigInt(9 - fraction.length);
  if (second !== undefined) return NS_PER_SECOND;
  return minute === undefined ? 86_400n * NS_PER_SECOND : 60n * NS_PER_SECOND;
}
