// Words in the head of a line (head.ts) that only some programs have there:
//
//   Jan  2 03:04:05 web-1 sshd[7]: text, 2026-01-02T03:04:05.6+00:00 web-1 sshd[7]: text    files of syslog: the host
//                                                         that wrote it, the program and its process
//   [02-Jan-2026 03:04:05 UTC] PHP Fatal error:  text     PHP
//   … [info] <0.222.0> text                               Erlang: a process of its own kind
//   [NOTICE]   (7) : text                                 HAProxy: a process
//
// Each byte is looked at a constant number of times. Pure.

import { type HeadState, PID, PROCESS, THREAD } from './head-state.ts';
import { levelOfWord } from './level-words.ts';
import {
  CLOSING, COLON, DASH, OPENING, SPACE, find,
  integerOf, isDigit, isLetter, isWordAt, pastBlanks, pastWord,
} from './scan.ts'; // prettier-ignore

const POINT = 0x2e;
const UNDERSCORE = 0x5f;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const MORE_THAN = 0x3e;
const ROUND_OPENING = 0x28;
const ROUND_CLOSING = 0x29;
const HOST_BYTES_MAX = 255;
const TAG_BYTES_MAX = 64;
const SMALL_A = 0x61;
const LEVEL_BYTES_MIN = 4;
const LEVEL_BYTES_MAX = 12;
const RUNTIME_BYTES_MAX = 32;
const PHP_BYTES_MAX = 32;

/** What PHP calls its levels, and the words of level-words.ts that mean the same. */
const PHP_LEVELS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    'Fatal error': 'fatal', 'Parse error': 'fatal', 'Core error': 'fatal', 'Compile error': 'fatal',
    'Recoverable fatal error': 'error', Warning: 'warning', 'Core warning': 'warning', 'Compile warning': 'warning',
    Notice: 'notice', Deprecated: 'notice', 'Strict Standards': 'notice',
  }).map(([written, word]) => [written, levelOfWord(Buffer.from(word), 0, word.length)]),
); // prettier-ignore

/**
 * Reads a host and a tag, or a tag with a process, behind the time and its space.
 * What a program itself puts before its text, `error:`, is the level.
 * @param isSyslogs whether nobody but syslog writes such a time: then a tag needs no process
 */
export function readSyslogTag(head: HeadState, at: number, isSyslogs: boolean): boolean {
  const { bytes, line } = head;
  // Of other times the most have a level in capitals behind them: no host.
  if (!isSyslogs && (!line.time.isKnown || bytes[at]! < SMALL_A)) return false;
  if (!line.time.isKnown && readTag(head, at, true)) return true;
  const hostEnd = pastWord(bytes, at, Math.min(head.limit, at + HOST_BYTES_MAX));
  if (bytes[hostEnd] !== SPACE || !isHost(bytes, at, hostEnd) || levelOfWord(bytes, at, hostEnd) !== 0) return false;
  if (!readTag(head, hostEnd + 1, !isSyslogs)) return false;
  line.setHost(bytes, at, hostEnd);
  return true;
}

/** `sshd[7]: `, or `kernel: `. */
function readTag(head: HeadState, at: number, needsProcess: boolean): boolean {
  const { bytes, line } = head;
  const limit = Math.min(head.limit, at + TAG_BYTES_MAX);
  let end = at;
  while (end < limit && isOfTag(bytes[end]!)) end += 1;
  if (end === at || !isLetter(bytes[at]!)) return false;
  const close = bytes[end] === OPENING ? find(bytes, end + 1, limit, CLOSING) : -1;
  const pid = close < 0 ? -1 : integerOf(bytes, end + 1, close);
  const colon = pid < 0 ? end : close + 1;
  if ((needsProcess && pid < 0) || bytes[colon] !== COLON || bytes[colon + 1] !== SPACE) return false;
  line.setText(PROCESS, bytes, at, end);
  if (pid >= 0) line.setInteger(PID, pid);
  head.isTagged = true;
  head.certain = colon + 1;
  readLevel(head, colon + 2);
  return true;
}

/** `error: `, before a text. */
function readLevel(head: HeadState, at: number): void {
  const { bytes, line } = head;
  const colon = find(bytes, at, Math.min(head.limit, at + LEVEL_BYTES_MAX), COLON);
  if (colon < at + LEVEL_BYTES_MIN || bytes[colon + 1] !== SPACE || line.level !== 0) return;
  line.level = levelOfWord(bytes, at, colon);
  if (line.level === 0) return;
  line.levelStart = at;
  line.levelEnd = colon;
  head.certain = colon + 1;
}

/** Whether the word that ends at `wordEnd` begins `PHP Warning:` or the like. */
export function readPhp(head: HeadState, at: number, wordEnd: number): boolean {
  const { bytes, line } = head;
  if (wordEnd - at !== 3 || !isWordAt(bytes, at, 'PHP ')) return false;
  const colon = find(bytes, wordEnd, Math.min(head.limit, wordEnd + PHP_BYTES_MAX), COLON);
  if (colon < 0) return false;
  const written = Buffer.from(bytes.buffer, bytes.byteOffset + wordEnd + 1, colon - wordEnd - 1).toString('latin1');
  const level = PHP_LEVELS.get(written);
  if (level === undefined) return false;
  line.level = level;
  line.levelStart = wordEnd + 1;
  line.levelEnd = colon;
  // The name of a zone behind the time.
  line.fields[THREAD] = 0;
  head.certain = colon + 1;
  return true;
}

/** Behind the level: `<0.222.0>`, `(7) :`. The text begins behind it, so there is nowhere to go on. */
export function readRuntime(head: HeadState, at: number): -1 {
  const { bytes, line } = head;
  const limit = Math.min(head.limit, at + RUNTIME_BYTES_MAX);
  if (bytes[at] === LESS_THAN && line.fields[THREAD] === 0) {
    let end = at + 1;
    while (end < limit && (isDigit(bytes[end]!) || bytes[end] === POINT)) end += 1;
    if (bytes[end] !== MORE_THAN || end === at + 1) return -1;
    line.setText(THREAD, bytes, at, end + 1);
    head.certain = end + 1;
  } else if (bytes[at] === ROUND_OPENING && !head.hasTime) {
    const close = find(bytes, at, limit, ROUND_CLOSING);
    const pid = integerOf(bytes, at + 1, close);
    const colon = close < 0 ? -1 : pastBlanks(bytes, close + 1, limit);
    if (pid < 0 || bytes[colon] !== COLON) return -1;
    line.setInteger(PID, pid);
    head.certain = colon + 1;
  }
  return -1;
}

function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    const isMark = byte === POINT || byte === DASH || byte === UNDERSCORE || (byte === COLON && at + 1 < end);
    if (!isLetter(byte) && !isDigit(byte) && !isMark) return false;
  }
  return true;
}

function isOfTag(byte: number): boolean {
  return isLetter(byte) || isDigit(byte) || byte === POINT || byte === DASH || byte === UNDERSCORE || byte === SLASH;
}
