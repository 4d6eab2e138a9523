// Whether a token of a line's head is a level, and which (head.ts). Words such as `info` and `error` are also words of
// texts, so what surrounds them counts. Pure.

import { levelOfWord } from './level-words.ts';
import { COLON, ESCAPE, TAB, isLetter, pastBlanks } from './scan.ts';

/** What may begin a line without a time before it; the other words of level-words.ts often mean something else. */
const FIRST = new Set([
  ...'TRACE DEBUG INFO NOTICE WARN WARNING ERROR SEVERE CRITICAL FATAL ALERT EMERGENCY CRIT'.split(' '),
  ...'trce dbug debug info warn fail crit error'.split(' '),
]);
const FIRST_BYTES_MAX = 9;

/** The level of the word in bytes[start, end); 0 for none. `hasColon`: behind it; `hasTime`: a time is before it. */
export function levelOfToken(
  bytes: Uint8Array,
  start: number,
  end: number,
  hasColon: boolean,
  hasTime: boolean,
): number {
  const length = end - start;
  const level = length < 2 ? 0 : levelOfWord(bytes, start, end);
  if (level === 0) return 0;
  const isTabbed = hasTime && bytes[start - 1] === TAB && bytes[end] === TAB;
  if (!hasColon && !isTabbed && !isCapital(bytes, start, end)) return 0;
  if (hasTime) return level;
  if (length > FIRST_BYTES_MAX) return 0;
  return FIRST.has(Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1')) ? level : 0;
}

export interface LevelInBrackets {
  readonly start: number;
  readonly end: number;
  readonly loggerStart: number;
  readonly loggerEnd: number;
}

/**
 * `[INFO ]`, `[error]`, `[core:error]`, `[INF Logger]`; null for what has none. One letter counts behind a time only.
 */
export function isLevelInBrackets(
  bytes: Uint8Array,
  start: number,
  close: number,
  hasTime: boolean,
): LevelInBrackets | null {
  let end = start;
  while (end < close && (isLetter(bytes[end]!) || bytes[end] === 0x5f)) end += 1;
  const lengthMin = hasTime ? 1 : 3;
  if (end < close && bytes[end] === COLON) {
    // Apache: the module and its level.
    const isLevel = hasTime && levelOfWord(bytes, end + 1, close) !== 0;
    return isLevel ? { start: end + 1, end: close, loggerStart: start, loggerEnd: end } : null;
  }
  if (end - start < lengthMin || levelOfWord(bytes, start, end) === 0) return null;
  const next = pastBlanks(bytes, end, close);
  if (next < close && next === end) return null;
  let loggerEnd = next;
  while (loggerEnd < close && bytes[loggerEnd] !== ESCAPE) loggerEnd += 1;
  // Between the name and the bracket there may be a colour, and nothing else.
  if (pastBlanks(bytes, loggerEnd, close) < close) loggerEnd = close;
  return { start, end, loggerStart: next, loggerEnd };
}

function isCapital(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at]! & 0x20) !== 0 && isLetter(bytes[at]!)) return false;
  return true;
}
