// Heads that are like no others:
//
//   7:M 02 Jan 2026 03:04:05.678 * text                                    Redis: process, role, time, level
//   7:signal-handler (1767323045) text                                     Redis: process, time
//   I, [2026-01-02T03:04:05.123456 #7]  INFO -- prog: text                 Ruby: level, time, process, level, program
//   [Nest] 7  - 01/02/2026, 3:04:05 AM     LOG [Cart] text                 NestJS: process, time, level, logger
//   <34>Jan  2 03:04:05 host su[7]: text, <34>1 2026-01-02T03:04:05Z …     syslog: its level; of the older form head.ts
//                                                                          reads more. The edge reads what is sent

import { levelOfSyslog, levelOfWord } from './level-words.ts';
import { type Line, fieldNumber } from './line.ts';
import {
  CLOSING, COLON, DASH, OPENING, SPACE, find,
  integerOf, isDigit, isLetter, isWordAt, pastBlanks, pastWord,
} from './scan.ts'; // prettier-ignore

const LOGGER = fieldNumber('log.logger');
const PID = fieldNumber('process.pid');
const PROCESS = fieldNumber('process.name');
const HASH = 0x23;
const MORE_THAN = 0x3e;
/** Redis's marks, and what its manual calls them: debug, verbose, notice, warning. */
const REDIS_LEVELS: Readonly<Record<string, string>> = { '.': 'debug', '-': 'verbose', '*': 'notice', '#': 'warning' };
const REDIS_HEAD_MAX = 64;
const SIGNAL_HANDLER = 'signal-handler (';
const ROUND_CLOSING = 0x29;
const RUBY_HEAD_MAX = 256;
const NEST_HEAD_MAX = 256;
/** Of the date and time, which are as the machine's locale has them. */
const NEST_WORDS_MAX = 4;

export function readRedis(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const limit = Math.min(end, start + REDIS_HEAD_MAX);
  const colon = find(bytes, start, Math.min(limit, start + 11), COLON);
  const pid = colon < 0 ? -1 : integerOf(bytes, start, colon);
  if (pid >= 0 && isWordAt(bytes, colon + 1, SIGNAL_HANDLER)) return readRedisSignal(bytes, pid, colon + 1, end, line);
  if (pid < 0 || !'XCSM'.includes(String.fromCharCode(bytes[colon + 1]!)) || bytes[colon + 2] !== SPACE) return false;
  const timeEnd = line.time.read(bytes, colon + 3, limit);
  const word = timeEnd < 0 ? undefined : REDIS_LEVELS[String.fromCharCode(bytes[timeEnd + 1] ?? 0)];
  if (word === undefined || bytes[timeEnd] !== SPACE || bytes[timeEnd + 2] !== SPACE || timeEnd + 3 >= end)
    return false;
  line.level = levelOfWord(Buffer.from(word), 0, word.length);
  line.levelStart = timeEnd + 1;
  line.levelEnd = timeEnd + 2;
  line.setInteger(PID, pid);
  line.messageStart = timeEnd + 3;
  line.messageEnd = end;
  return true;
}

function readRedisSignal(bytes: Uint8Array, pid: number, at: number, end: number, line: Line): boolean {
  const secondsAt = at + SIGNAL_HANDLER.length;
  const close = find(bytes, secondsAt, Math.min(end, secondsAt + 11), ROUND_CLOSING);
  const seconds = integerOf(bytes, secondsAt, close);
  if (seconds < 0 || close + 2 >= end) return false;
  line.setInteger(PID, pid);
  line.time.setSeconds(seconds);
  line.messageStart = close + 2;
  line.messageEnd = end;
  return true;
}

export function readRuby(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const limit = Math.min(end, start + RUBY_HEAD_MAX);
  if (bytes[start + 1] !== 0x2c || bytes[start + 2] !== SPACE || bytes[start + 3] !== OPENING) return false;
  const close = find(bytes, start + 4, limit, CLOSING);
  const timeEnd = line.time.read(bytes, start + 4, limit);
  if (close < 0 || timeEnd < 0 || timeEnd >= close) return false;
  const hash = find(bytes, timeEnd, close, HASH);
  const levelAt = pastBlanks(bytes, close + 1, limit);
  const levelEnd = pastWord(bytes, levelAt, limit);
  const level = levelOfWord(bytes, levelAt, levelEnd);
  const isAny = isWordAt(bytes, levelAt, 'ANY ');
  const dashes = pastBlanks(bytes, levelEnd, limit);
  if ((level === 0 && !isAny) || bytes[dashes] !== DASH || bytes[dashes + 1] !== DASH || bytes[dashes + 2] !== SPACE)
    return false;
  const colon = find(bytes, dashes + 3, limit, COLON);
  const messageStart = colon < 0 ? end : pastBlanks(bytes, colon + 1, end);
  if (messageStart === end) return false;
  line.level = level;
  line.levelStart = levelAt;
  line.levelEnd = levelEnd;
  const pid = hash < 0 ? -1 : integerOf(bytes, hash + 1, close);
  if (pid >= 0) line.setInteger(PID, pid);
  if (colon > dashes + 3) line.setText(PROCESS, bytes, dashes + 3, colon);
  line.messageStart = messageStart;
  line.messageEnd = end;
  return true;
}

/** Colours may be anywhere between its words. */
export function readNest(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const limit = Math.min(end, start + NEST_HEAD_MAX);
  const at = pastBlanks(bytes, start, limit);
  if (!isWordAt(bytes, at, '[Nest] ')) return false;
  const pidEnd = pastWord(bytes, at + 7, limit);
  const pid = integerOf(bytes, at + 7, pidEnd);
  const dash = pastBlanks(bytes, pidEnd, limit);
  if (pid < 0 || bytes[dash] !== DASH) return false;
  let word = pastBlanks(bytes, dash + 1, limit);
  let wordEnd = pastWord(bytes, word, limit);
  for (let words = 0; words < NEST_WORDS_MAX && !isNestLevel(bytes, word, wordEnd); words += 1) {
    word = pastBlanks(bytes, wordEnd, limit);
    wordEnd = pastWord(bytes, word, limit);
  }
  const textAt = pastBlanks(bytes, wordEnd, limit);
  if (!isNestLevel(bytes, word, wordEnd) || textAt >= end) return false;
  line.level = levelOfWord(bytes, word, wordEnd);
  line.levelStart = word;
  line.levelEnd = wordEnd;
  line.setInteger(PID, pid);
  const close = bytes[textAt] === OPENING ? find(bytes, textAt, limit, CLOSING) : -1;
  if (close > textAt + 1) line.setText(LOGGER, bytes, textAt + 1, close);
  line.messageStart = close < 0 ? textAt : pastBlanks(bytes, close + 1, end);
  line.messageEnd = end;
  return line.messageStart < end;
}

/** Of three letters or more: `AM` is none. */
function isNestLevel(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > 2 && isLetter(bytes[start]!) && levelOfWord(bytes, start, end) !== 0;
}

/** `<0>` to `<191>`, as systemd and the kernel write it too: the level is the rest of a division by eight. */
export function readPriority(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  const close = find(bytes, start, Math.min(end, start + 5), MORE_THAN);
  const priority = close < 0 || !isDigit(bytes[start + 1]!) ? -1 : integerOf(bytes, start + 1, close);
  if (priority < 0 || priority > 191 || close + 1 >= end) return false;
  line.level = levelOfSyslog(priority % 8);
  line.levelStart = start + 1;
  line.levelEnd = close;
  line.messageStart = close + 1;
  line.messageEnd = end;
  return true;
}
