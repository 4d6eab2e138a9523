// The time of an event, as Forward's EventTime holds it: whole seconds below 2^32 and nanoseconds. Decimal text becomes
// one without going through a float, so that 1518756037.313711612 keeps its last digit.

export interface EventTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** "Whenever it was received": for entries whose bytes must be the same when they are sent again (Idempotency-Key). */
export const RECEIVE_TIME: EventTime = { seconds: 0, nanoseconds: 0 };

const SECONDS_MAX = 0xffffffff;
const NS_PER_SECOND = 1_000_000_000n;
const NS_MAX = 2n ** 64n - 1n;
const POINT = 0x2e;
const ZERO = 0x30;

/** Nanoseconds since the epoch; null for what is before it or past 64 bits. The seconds may be past 2106. */
export function eventTimeOfNs(ns: bigint): EventTime | null {
  if (ns < 0n || ns > NS_MAX) return null;
  return { seconds: Number(ns / NS_PER_SECOND), nanoseconds: Number(ns % NS_PER_SECOND) };
}

/** Milliseconds since the epoch, fractions included. */
export function eventTimeOfMs(epochMs: number): EventTime {
  const seconds = Math.floor(epochMs / 1000);
  const nanoseconds = Math.min(999_999_999, Math.max(0, Math.round((epochMs - seconds * 1000) * 1e6)));
  return { seconds: Math.min(SECONDS_MAX, Math.max(0, seconds)), nanoseconds };
}

/**
 * Decimal text of seconds since the epoch with an optional fraction, of which nine digits count. Null for all else:
 * other notations, what is before 1970 or after 2106 (milliseconds, mostly).
 */
export function eventTimeOfText(text: Uint8Array, start = 0, end = text.length): EventTime | null {
  let at = start;
  let seconds = 0;
  for (; at < end && text[at] !== POINT; at += 1) {
    const digit = (text[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return null;
    seconds = seconds * 10 + digit;
    if (seconds > SECONDS_MAX) return null;
  }
  if (at === start || at === end - 1) return null;
  let nanoseconds = 0;
  let unit = 100_000_000;
  for (at += 1; at < end; at += 1) {
    const digit = (text[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return null;
    nanoseconds += Math.floor(digit * unit);
    unit /= 10;
  }
  return { seconds, nanoseconds };
}
