// Moments with nanoseconds, as text and as an integer. Date knows milliseconds only.
//
//   2026-03-01T12:00:00.123456789Z   2026-03-01T13:00+01:00   2026-03-01 (midnight UTC)
//
// Pure. The integer counts nanoseconds since 1970-01-01T00:00Z and may be negative.

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|z|[-+]\d{2}(?::?\d{2})?)?)?$/;

const SECOND_LENGTH = '2026-03-01T12:00:00'.length;
const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** What `date_nanos` of Elasticsearch and a 64-bit integer can hold: 1970 to 2262. */
export const INSTANT_MIN = 0n;
export const INSTANT_MAX = 2n ** 63n - 1n;

/** Nearly always a moment is of the second of the one before, and written in the same way. */
let lastSecond = '';
let lastNs = 0n;
const FRACTION = /^\.\d{1,9}Z$/;

/** Nanoseconds since the epoch, or null where the text is no moment. Without a zone it is UTC. */
export function parseInstant(text: string): bigint | null {
  const rest = text.slice(SECOND_LENGTH);
  if (lastSecond !== '' && text.startsWith(lastSecond) && FRACTION.test(rest))
    return lastNs + BigInt(Number(rest.slice(1, -1).padEnd(9, '0')));
  const ns = parsedInstant(text);
  if (ns !== null && FRACTION.test(rest)) {
    lastSecond = text.slice(0, SECOND_LENGTH);
    lastNs = ns - BigInt(rest.slice(1, -1).padEnd(9, '0'));
  }
  return ns;
}

function parsedInstant(text: string): bigint | null {
  const match = INSTANT.exec(text);
  if (match === null) return null;
  const [, day, minutes = '00:00', seconds = '00', fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(`${day}T${minutes}:${seconds}${isoZone(zone)}`);
  if (Number.isNaN(ms)) return null;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0'));
}

const cell = new BigInt64Array(1);
/** The low half of it first, as on all machines that Node runs on. */
const halves = new Uint32Array(cell.buffer);
const TWO_32 = 2 ** 32;
const NS = 1e9;

// Both without arithmetic of BigInts, which costs more than all else that is done with most moments.

/** Whole seconds since the epoch, of a moment from 1970 to 2262. */
export function secondsOf(ns: bigint): number {
  cell[0] = ns;
  const low = halves[0] ?? 0;
  const high = halves[1] ?? 0;
  // It may be one too many, or one too few: a double has not all digits.
  const about = Math.floor((high * TWO_32 + low) / NS);
  const rest = (low - Math.imul(about, NS)) | 0;
  if (rest < 0) return about - 1;
  return rest >= NS ? about + 1 : about;
}

/** The nanoseconds behind its whole seconds. */
export function nanosOf(ns: bigint, seconds: number): number {
  cell[0] = ns;
  return ((halves[0] ?? 0) - Math.imul(seconds, NS)) >>> 0;
}

/** As ISO 8601 in UTC with nine digits, for moments from 0001 to 9999. */
export function formatInstant(ns: bigint): string {
  const rest = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const second = new Date(Number((ns - rest) / NS_PER_MS)).toISOString().slice(0, 19);
  return `${second}.${rest.toString().padStart(9, '0')}Z`;
}

/** The nearest moment that a store can hold. */
export function clampInstant(ns: bigint): bigint {
  if (ns < INSTANT_MIN) return INSTANT_MIN;
  return ns > INSTANT_MAX ? INSTANT_MAX : ns;
}

function isoZone(zone: string): string {
  if (zone === 'Z' || zone === 'z') return 'Z';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
