// What is in brackets in the head of a line (head.ts):
//
//   [2026-01-02 03:04:05 +0000], [2026-01-02T03:04:05Z INFO  shop]    a time, and what is behind it; with colours too
//   [INFO ], [core:error]                                             a level; Apache: behind its module
//   [2026-01-02 03:04:05,678: INFO/MainProcess]                       Celery: time, level, process
//   [7], [main]                                                       a process, a thread
//   [pid 7:tid 8], [client 10.0.0.1:4711]                             Apache
//   [c.s.Cart    ]                                                    Elasticsearch: a logger
//
// Each byte is looked at a constant number of times. Pure.

import { isAddress } from '../address.ts';
import { isLevelInBrackets } from './head-level.ts';
import { hasDots } from './head-name.ts';
import { type HeadState, LOGGER, PID, PROCESS, THREAD, THREAD_ID } from './head-state.ts';
import { levelOfWord } from './level-words.ts';
import { fieldNumber } from './line.ts';
import { CLOSING, COLON, SPACE, find, integerOf, isWordAt, pastBlanks, pastWord } from './scan.ts';

const BYTES_MAX = 200;
const CLIENT = fieldNumber('client.ip');
const CLIENT_PORT = fieldNumber('client.port');
const SLASH = 0x2f;

/** Reads what is in the brackets that open at `at`; where to go on, or -1 where the text begins. */
export function readBracket(head: HeadState, at: number): number {
  const { bytes, line } = head;
  const close = find(bytes, at + 1, Math.min(head.limit, at + BYTES_MAX), CLOSING);
  if (close < 0) return -1;
  let from = pastBlanks(bytes, at + 1, close);
  if (!head.hasTime) {
    const next = line.time.read(bytes, from, close);
    if (next >= 0) {
      head.hasTime = true;
      if (line.time.isKnown) head.certain = close + 1;
      if (bytes[next] === COLON && readProcess(head, next + 1, close)) return close + 1;
      from = pastBlanks(bytes, bytes[next] === COLON || bytes[next] === 0x2c ? next + 1 : next, close);
      if (from === close) return close + 1;
    }
  }
  return line.level === 0 ? beforeLevel(head, from, close) : behindLevel(head, from, close);
}

/** Celery: ` INFO/MainProcess` behind the time. */
function readProcess(head: HeadState, start: number, close: number): boolean {
  const { bytes, line } = head;
  const at = pastBlanks(bytes, start, close);
  const slash = find(bytes, at, close, SLASH);
  const level = slash < 0 || slash + 1 === close ? 0 : levelOfWord(bytes, at, slash);
  if (level === 0) return false;
  setLevel(head, at, slash, close + 1);
  line.setText(PROCESS, bytes, slash + 1, close);
  return true;
}

/** Before a level is known: the level, or a process or thread, if a level follows. */
function beforeLevel(head: HeadState, from: number, close: number): number {
  const { bytes, line } = head;
  const found = isLevelInBrackets(bytes, from, close, head.hasTime);
  if (found !== null) {
    setLevel(head, found.start, found.end, close + 1);
    if (found.loggerStart < found.loggerEnd) line.setText(LOGGER, bytes, found.loggerStart, found.loggerEnd);
    return close + 1;
  }
  if (!head.hasTime) return -1;
  const pid = integerOf(bytes, from, close);
  if (pid >= 0) line.setInteger(PID, pid);
  else setThread(head, from, close);
  return close + 1;
}

/** Behind it: a logger, Apache's process or client, or a thread if a logger follows. */
function behindLevel(head: HeadState, from: number, close: number): number {
  const { bytes, line } = head;
  if (!head.hasTime) return -1;
  if (isWordAt(bytes, from, 'pid ')) {
    const colon = find(bytes, from, close, COLON);
    const pid = integerOf(bytes, from + 4, colon < 0 ? close : colon);
    if (pid < 0) return -1;
    line.setInteger(PID, pid);
    const thread = colon < 0 ? -1 : integerOf(bytes, colon + 5, close);
    if (thread >= 0) line.setInteger(THREAD_ID, thread);
    head.certain = close + 1;
    return close + 1;
  }
  if (isWordAt(bytes, from, 'client ')) return readClient(head, from + 7, close);
  const end = pastWord(bytes, from, close);
  const isPadded = pastBlanks(bytes, end, close) === close;
  if (isPadded && line.fields[LOGGER] === 0 && hasDots(bytes, from, end) && head.certain === from - 1) {
    line.setText(LOGGER, bytes, from, end);
    head.certain = close + 1;
    return -1;
  }
  if (line.fields[THREAD] === 0) {
    setThread(head, from, close);
    head.threadEnd = close + 1;
  }
  return close + 1;
}

/** Without the blanks that make all as long. */
function setThread({ bytes, line }: HeadState, from: number, close: number): void {
  const start = pastBlanks(bytes, from, close);
  let end = close;
  while (end > start && bytes[end - 1] === SPACE) end -= 1;
  line.setText(THREAD, bytes, start, end);
}

/** 10.0.0.1:4711, ::1:4711: the port is behind the last colon. */
function readClient(head: HeadState, start: number, close: number): number {
  const { bytes, line } = head;
  let colon = close - 1;
  while (colon > start && bytes[colon] !== COLON) colon -= 1;
  const port = integerOf(bytes, colon + 1, close);
  if (port < 0 || !isAddress(bytes, start, colon)) return -1;
  line.setText(CLIENT, bytes, start, colon);
  line.setInteger(CLIENT_PORT, port);
  head.certain = close + 1;
  return -1;
}

/** `tokenEnd`: brackets or colon included. */
export function setLevel(
  head: HeadState,
  start: number,
  end: number,
  tokenEnd: number,
  level: number = levelOfWord(head.bytes, start, end),
): void {
  const { line } = head;
  line.level = level;
  line.levelStart = start;
  line.levelEnd = end;
  head.levelEnd = head.certain = tokenEnd;
}
