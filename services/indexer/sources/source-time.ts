// The time that a rule finds in a record (`time: {field: ts, format: ms}`), as that of its entry: whole seconds and
// nanoseconds. Integers keep all their digits; a float holds microseconds of seconds, no more. Pure.
//
// Guarantees: total; null for what is no time of the format, or outside of 1970 to 2106.

import { isNumber } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { type EventTime, eventTimeOfText } from '#shared/record/event-time.ts';
import type { SourceTime } from '#shared/config/settings/sources.ts';
import { isText, textEnd, textStart } from '../parse/fields.ts';
import { readText } from '../parse/record-time.ts';

type TimeFormat = SourceTime['format'];

const PER_SECOND: Readonly<Record<Exclude<TimeFormat, 'rfc3339'>, bigint>> = {
  s: 1n,
  ms: 1000n,
  us: 1_000_000n,
  ns: 1_000_000_000n,
};
const NANOS = 1_000_000_000n;
const SECONDS_MAX = 0xffffffff;
const INTEGER_TEXT = /^\d{1,20}$/;
const FLOAT32 = 0xca;
const FLOAT64 = 0xcb;
const TEXT_BYTES_MAX = 64;

/** `at`: of the value of the field. */
export function timeOfField(bytes: Uint8Array, at: number, format: TimeFormat): EventTime | null {
  const type = bytes[at] ?? 0;
  if (isText(type)) return timeOfText(bytes.subarray(textStart(bytes, at), textEnd(bytes, at)), format);
  if (format === 'rfc3339' || !isNumber(type)) return null;
  const perSecond = PER_SECOND[format];
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  if (type === FLOAT32) return timeOfFloat(view.getFloat32(1), perSecond);
  if (type === FLOAT64) return timeOfFloat(view.getFloat64(1), perSecond);
  const value = new MsgpackReader(bytes, at).integer();
  return value === undefined ? null : timeOfInteger(BigInt(value), perSecond);
}

function timeOfText(text: Uint8Array, format: TimeFormat): EventTime | null {
  if (text.length > TEXT_BYTES_MAX) return null;
  if (format === 'rfc3339') {
    const found = { time: null as EventTime | null };
    const setInstant = (seconds: number, nanoseconds: number): boolean => {
      found.time = within(seconds, nanoseconds);
      return found.time !== null;
    };
    readText(text, 0, text.length, { setInstant });
    return found.time;
  }
  const digits = Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
  if (INTEGER_TEXT.test(digits)) return timeOfInteger(BigInt(digits), PER_SECOND[format]);
  return format === 's' ? eventTimeOfText(text) : timeOfFloat(Number(digits || 'none'), PER_SECOND[format]);
}

function timeOfInteger(value: bigint, perSecond: bigint): EventTime | null {
  if (value < 0n) return null;
  return within(Number(value / perSecond), Number((value % perSecond) * (NANOS / perSecond)));
}

function timeOfFloat(value: number, perSecond: bigint): EventTime | null {
  const seconds = value / Number(perSecond);
  const whole = Math.floor(seconds);
  const micros = Math.round((seconds - whole) * 1_000_000);
  return micros === 1_000_000 ? within(whole + 1, 0) : within(whole, micros * 1000);
}

/** Zero would mean that there is none. */
function within(seconds: number, nanoseconds: number): EventTime | null {
  return seconds >= 0 && seconds <= SECONDS_MAX && seconds + nanoseconds > 0 ? { seconds, nanoseconds } : null;
}
