// The time that a line begins with: ISO 8601, with a zone, perhaps in brackets. A function of the line's bytes alone,
// for it is part of the line's name. Pure.
//
//   2026-01-02T03:04:05.678Z …      2026-01-02 03:04:05,678+01:00 …      [2026-01-02T03:04:05Z] …

import type { EventTime } from '#shared/record/event-time.ts';
import { fullTimeOf } from '../full-time.ts';
import { eventTimeOfIso } from '../iso-time.ts';

const LEFT_BRACKET = 0x5b;
const DASH = 0x2d;
const COLON = 0x3a;
/** `2026-01-02T03:04:05`, and the longest that is read with a fraction and a zone. */
const SECONDS_LENGTH = 19;
const LENGTH_MAX = 40;
const ZONED = /^[^\s\]]{10}[T ][^\s\]]*?(?:Z|[+-]\d\d:?\d\d)(?=[\s\]]|$)/;
const SECONDS_END = 2 ** 32;

/** Null where the line begins with no such time. */
export function timeOfLine(bytes: Buffer, start: number, end: number): EventTime | null {
  const at = bytes[start] === LEFT_BRACKET ? start + 1 : start;
  // Most lines are told by two bytes.
  if (end - at < SECONDS_LENGTH || bytes[at + 4] !== DASH || bytes[at + 13] !== COLON) return null;
  const time = fullTimeOf(bytes, at, end) ?? timeOfText(bytes.toString('latin1', at, Math.min(end, at + LENGTH_MAX)));
  return time !== null && time.seconds < SECONDS_END ? time : null;
}

function timeOfText(line: string): EventTime | null {
  const text = ZONED.exec(line)?.[0];
  return text === undefined ? null : eventTimeOfIso(text);
}
