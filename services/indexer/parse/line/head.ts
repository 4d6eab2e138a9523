// The usual beginnings of lines of text, token by token: a time, a level, who says it, and then the human part.
//
//   2026-01-02 03:04:05,678 INFO  [main] com.shop.Cart - text       Java (log4j, logback), Scala
//   2026-01-02T03:04:05.678Z  INFO 1 --- [app] [main] c.s.Cart : text     Spring Boot
//   2026-01-02 03:04:05,678 - shop.cart - INFO - text               Python; also WARNING:shop.cart:text
//   2026-01-02 03:04:05.678 | INFO     | shop.cart:place:31 - text  loguru
//   [2026-01-02 03:04:05 +0000] [7] [INFO] text                     gunicorn
//   [2026-01-02 03:04:05,678] INFO text (kafka.server.Server)       Kafka
//   [2026-01-02T03:04:05,678][INFO ][o.e.n.Node] [node] text        Elasticsearch
//   2026-01-02T03:04:05.678901Z  INFO shop::cart: text              Rust (tracing); env_logger: [time INFO shop] text
//   2026-01-02 03:04:05.678 UTC [7] LOG:  text                      PostgreSQL
//   2026-01-02  3:04:05 0 [Note] text                               MariaDB, MySQL
//   2026/01/02 03:04:05 [error] 7#7: *1 text                        nginx
//   [Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] text    Apache
//   info: Shop.Cart[14] text, [03:04:05 INF] text, time|INFO|Logger|text   .NET, Serilog, NLog
//
// A line has such a head if it has a level in one of these places, begins with a time that has a zone, or has what
// syslog puts before a text (head-words.ts). The human part begins behind the last token that is certain: what may be
// text is text. Bounded: only the first HEAD_BYTES_MAX are looked at, each a constant number of times.

import { readNginxRequest } from './access.ts';
import { readBracket, setLevel } from './head-bracket.ts';
import { levelOfToken } from './head-level.ts';
import { readName, readTrailingLogger } from './head-name.ts';
import { HeadState, LOGGER, PID, THREAD, THREAD_ID } from './head-state.ts';
import { readPhp, readRuntime, readSyslogTag } from './head-words.ts';
import type { Line } from './line.ts';
import {
  BAR, CLOSING, COLON, DASH, ESCAPE, OPENING, SPACE, find, integerOf, isDigit, isLetter, pastBlanks,
} from './scan.ts'; // prettier-ignore

const HEAD_BYTES_MAX = 512;
const TOKENS_MAX = 12;
const HASH = 0x23;
const COMMA = 0x2c;
const RSYSLOG_TIME_BYTES = 32;

export class HeadReader {
  #head: HeadState;
  #line: Line;

  constructor(line: Line) {
    this.#line = line;
    this.#head = new HeadState(line);
  }

  /** Whether bytes[start, end) has such a head. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const line = this.#line;
    const head = this.#head;
    const limit = Math.min(end, start + HEAD_BYTES_MAX);
    head.start(bytes, limit, end);
    let at = start;
    for (let tokens = 0; tokens < TOKENS_MAX && at >= 0; tokens += 1) {
      at = pastBlanks(bytes, at, limit);
      if (at >= limit) break;
      at = this.#token(at);
    }
    if (line.level === 0 && !head.isTagged) line.clearFields();
    if (head.certain < head.threadEnd) line.fields[THREAD] = 0;
    if (head.certain < 0) return false;
    line.messageStart = pastBlanks(bytes, head.certain, end);
    line.messageEnd = end;
    if (line.messageStart >= end) {
      line.messageStart = line.messageEnd = -1;
      return head.isEvent;
    }
    if (head.isNginx) readNginxRequest(bytes, line.messageStart, end, line);
    if (bytes[start] === OPENING && line.level !== 0 && line.fields[LOGGER] === 0)
      readTrailingLogger(bytes, line.messageStart, end, line);
    // A colour of the text itself is the text's.
    return true;
  }

  /** Reads the time, host and tag of syslog in bytes[start, end), and nothing else. */
  readTagged(bytes: Uint8Array, start: number, end: number): void {
    const line = this.#line;
    const head = this.#head;
    const limit = Math.min(end, start + HEAD_BYTES_MAX);
    head.start(bytes, limit, end);
    const timeEnd = line.time.read(bytes, start, limit);
    if (
      timeEnd >= 0 &&
      bytes[timeEnd] === SPACE &&
      readSyslogTag(head, timeEnd + 1, isSyslogTime(bytes, start, timeEnd))
    ) {
      const textAt = pastBlanks(bytes, head.certain, end);
      if (textAt < end) line.messageStart = textAt;
    } else line.time.clear();
  }

  /** Reads the token at `at`; where it ends, or -1 where the text begins. */
  #token(at: number): number {
    const head = this.#head;
    const byte = head.bytes[at]!;
    if (byte === OPENING) return readBracket(head, at);
    if (!head.hasTime && (isDigit(byte) || isLetter(byte))) {
      const next = this.#time(at);
      if (next >= 0) return next;
    }
    if (byte === DASH || byte === BAR || byte === COLON) return this.#separator(at);
    if (isDigit(byte)) return this.#number(at);
    if (isLetter(byte) || byte === 0x5f) return this.#word(at);
    return this.#line.level === 0 ? -1 : readRuntime(head, at);
  }

  #time(at: number): number {
    const head = this.#head;
    const { bytes } = head;
    const { time } = this.#line;
    const next = time.read(bytes, at, head.limit);
    if (next < 0) return -1;
    head.hasTime = true;
    if (time.isKnown) head.certain = next;
    const isEnded = bytes[next] === COLON || bytes[next] === COMMA;
    if (isEnded || bytes[next] !== SPACE) return isEnded ? next + 1 : next;
    return readSyslogTag(head, next + 1, isSyslogTime(bytes, at, next)) ? -1 : next;
  }

  /** Dashes, a bar, a colon: between tokens, never before the first. */
  #separator(at: number): number {
    const head = this.#head;
    const { bytes } = head;
    if (!head.hasTime && this.#line.level === 0) return -1;
    let next = at;
    while (next < head.limit && next - at < 3 && bytes[next] === bytes[at]) next += 1;
    const isAlone = bytes[at] === BAR || bytes[next]! <= SPACE;
    if (!isAlone) return -1;
    if (head.certain >= 0) head.certain = next;
    return next;
  }

  /**
   * A process's number: before the level, or before the three dashes of Spring Boot; nginx has 7#8: behind it. Before
   * a level in brackets it is MySQL's thread.
   */
  #number(at: number): number {
    const head = this.#head;
    const { bytes } = head;
    const line = this.#line;
    let next = at;
    while (next < head.limit && isDigit(bytes[next]!)) next += 1;
    if (!head.hasTime) return -1;
    if (bytes[next] === HASH && line.level !== 0) {
      const colon = find(bytes, next, Math.min(head.limit, next + 16), COLON);
      const thread = integerOf(bytes, next + 1, colon);
      if (thread < 0) return -1;
      line.setInteger(PID, Math.max(0, integerOf(bytes, at, next)));
      line.setInteger(THREAD_ID, thread);
      head.certain = colon + 1;
      head.isNginx = true;
      return -1;
    }
    const after = pastBlanks(bytes, next, head.limit);
    const isSpring = bytes[after] === DASH && bytes[after + 1] === DASH && bytes[after + 2] === DASH;
    const number = integerOf(bytes, at, next);
    if (next === after || number < 0 || (line.level !== 0 && !isSpring)) return -1;
    line.setInteger(bytes[after] === OPENING ? THREAD_ID : PID, number);
    return next;
  }

  #word(at: number): number {
    const head = this.#head;
    const { bytes } = head;
    let end = at;
    while (end < head.limit && bytes[end]! > SPACE && bytes[end] !== BAR && bytes[end] !== CLOSING) end += 1;
    if (this.#line.level === 0) {
      const next = this.#level(at, end);
      if (next >= 0) return next;
      if (readPhp(head, at, end)) return -1;
    }
    return readName(head, at, end);
  }

  /** A level, in capitals or with a colon behind it; in Python's own form a logger follows at once. */
  #level(at: number, wordEnd: number): number {
    const head = this.#head;
    const { bytes } = head;
    const line = this.#line;
    const colon = find(bytes, at, wordEnd, COLON);
    const end = colon < 0 ? wordEnd : colon;
    // A colour may end before the colon.
    const colourEnd = colon < 0 && bytes[wordEnd] === ESCAPE ? pastBlanks(bytes, wordEnd, head.limit) : wordEnd;
    const hasColon = colon >= 0 || (colourEnd > wordEnd && bytes[colourEnd] === COLON);
    const level = levelOfToken(bytes, at, end, hasColon, head.hasTime);
    if (level === 0) return -1;
    if (colon < 0 || colon + 1 === wordEnd) {
      const tokenEnd = hasColon ? (colon < 0 ? colourEnd : colon) + 1 : end;
      setLevel(head, at, end, tokenEnd, level);
      return tokenEnd;
    }
    const second = find(bytes, colon + 1, wordEnd, COLON);
    if (head.hasTime || second < 0 || second === colon + 1) return -1;
    setLevel(head, at, end, second + 1, level);
    line.setText(LOGGER, bytes, colon + 1, second);
    // Behind it is text: nothing that follows is a token.
    return head.limit;
  }
}

/** `Jan  2 03:04:05`; or, as rsyslog writes it to files, 2026-01-02T03:04:05.678901+00:00: six digits and an offset. */
function isSyslogTime(bytes: Uint8Array, start: number, end: number): boolean {
  return !isDigit(bytes[start]!) || (end - start === RSYSLOG_TIME_BYTES && bytes[end - 3] === COLON);
}
