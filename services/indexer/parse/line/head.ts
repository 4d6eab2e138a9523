// The usual beginnings of lines of text, token by token: a time, a level, who says it, and then the human part.
//
//   2026-01-02 03:04:05,678 INFO  [main] com.shop.Cart - text       Java (log4j, logback), Scala
//   2026-01-02T03:04:05.678Z  INFO 1 --- [app] [main] c.s.Cart : text     Spring Boot
//   2026-01-02 03:04:05,678 - shop.cart - INFO - text               Python; also WARNING:shop.cart:text
//   [2026-01-02 03:04:05 +0000] [7] [INFO] text                     gunicorn; also Kafka
//   [2026-01-02T03:04:05,678][INFO ][o.e.n.Node] [node] text        Elasticsearch
//   2026-01-02T03:04:05.678901Z  INFO shop::cart: text              Rust (tracing); env_logger: [time INFO shop] text
//   2026-01-02 03:04:05.678 UTC [7] LOG:  text                      PostgreSQL
//   2026/01/02 03:04:05 [error] 7#7: *1 text                        nginx
//   [Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] text    Apache
//   info: Shop.Cart[14] text, [03:04:05 INF] text, time|INFO|Logger|text   .NET, Serilog, NLog
//
// A line has such a head if it has a level in one of these places, or begins with a time that has a zone. The human
// part begins behind the last token that is certain: what may be text is text. Bounded: only the first HEAD_BYTES_MAX
// are looked at, each a constant number of times.

import { isLevelInBrackets, isLevelToken } from './head-level.ts';
import { levelOfWord } from './level-words.ts';
import { type Line, fieldNumber } from './line.ts';
import {
  BAR, CLOSING, COLON, DASH, OPENING, SPACE, find, integerOf, isDigit, isLetter, pastBlanks, pastWord,
} from './scan.ts'; // prettier-ignore

const HEAD_BYTES_MAX = 512;
const TOKENS_MAX = 12;
const BRACKET_BYTES_MAX = 200;
const LOGGER = fieldNumber('log.logger');
const PID = fieldNumber('process.pid');
const THREAD_ID = fieldNumber('process.thread.id');
const THREAD = fieldNumber('process.thread.name');
const HASH = 0x23;

export class HeadReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #limit = 0;
  #line: Line;
  #hasTime = false;
  /** Behind the last token that is certain. */
  #certain = 0;
  /** Where a thread ends that is one only if something certain follows. */
  #threadEnd = 0;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Whether bytes[start, end) has such a head. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const line = this.#line;
    this.#bytes = bytes;
    this.#limit = Math.min(end, start + HEAD_BYTES_MAX);
    this.#hasTime = false;
    this.#certain = -1;
    this.#threadEnd = 0;
    let at = start;
    for (let tokens = 0; tokens < TOKENS_MAX && at >= 0; tokens += 1) {
      at = pastBlanks(bytes, at, this.#limit);
      if (at >= this.#limit) break;
      at = this.#token(at);
    }
    if (line.level === 0) line.clearFields();
    if (this.#certain < this.#threadEnd) line.fields[THREAD] = 0;
    if (this.#certain < 0) return false;
    line.messageStart = pastBlanks(bytes, this.#certain, end);
    line.messageEnd = end;
    // A colour of the text itself is the text's.
    return line.messageStart < end;
  }

  /** Reads the token at `at`; where it ends, or -1 where the text begins. */
  #token(at: number): number {
    const bytes = this.#bytes;
    const byte = bytes[at]!;
    if (byte === OPENING) return this.#bracket(at);
    if (!this.#hasTime && (isDigit(byte) || isLetter(byte))) {
      const next = this.#time(at, this.#limit);
      if (next >= 0) return next;
    }
    if (byte === DASH || byte === BAR || byte === COLON) return this.#separator(at);
    if (isDigit(byte)) return this.#number(at);
    return isLetter(byte) || byte === 0x5f ? this.#word(at) : -1;
  }

  #time(at: number, end: number): number {
    const { time } = this.#line;
    const next = time.read(this.#bytes, at, end);
    if (next < 0) return -1;
    this.#hasTime = true;
    if (time.isKnown) this.#certain = next;
    const isEnded = this.#bytes[next] === COLON || this.#bytes[next] === 0x2c;
    return isEnded ? next + 1 : next;
  }

  /** Dashes, a bar, a colon: between tokens, never before the first. */
  #separator(at: number): number {
    const bytes = this.#bytes;
    if (!this.#hasTime && this.#line.level === 0) return -1;
    let next = at;
    while (next < this.#limit && next - at < 3 && bytes[next] === bytes[at]) next += 1;
    const isAlone = bytes[at] === BAR || bytes[next]! <= SPACE;
    if (!isAlone) return -1;
    if (this.#certain >= 0) this.#certain = next;
    return next;
  }

  /** A process's number: before the level, or before the three dashes of Spring Boot; nginx has 7#8: behind it. */
  #number(at: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    let next = at;
    while (next < this.#limit && isDigit(bytes[next]!)) next += 1;
    if (!this.#hasTime) return -1;
    if (bytes[next] === HASH && line.level !== 0) {
      const colon = find(bytes, next, Math.min(this.#limit, next + 16), COLON);
      const thread = integerOf(bytes, next + 1, colon);
      if (thread < 0) return -1;
      line.setInteger(PID, Math.max(0, integerOf(bytes, at, next)));
      line.setInteger(THREAD_ID, thread);
      this.#certain = colon + 1;
      return -1;
    }
    const after = pastBlanks(bytes, next, this.#limit);
    const isSpring = bytes[after] === DASH && bytes[after + 1] === DASH && bytes[after + 2] === DASH;
    const pid = integerOf(bytes, at, next);
    if (next === after || pid < 0 || (line.level !== 0 && !isSpring)) return -1;
    line.setInteger(PID, pid);
    return next;
  }

  #word(at: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    let end = at;
    while (end < this.#limit && bytes[end]! > SPACE && bytes[end] !== BAR && bytes[end] !== CLOSING) end += 1;
    if (line.level === 0) {
      const next = this.#level(at, end);
      if (next >= 0) return next;
    }
    return this.#logger(at, end);
  }

  /** A level, in capitals or with a colon behind it; in Python's own form a logger follows at once. */
  #level(at: number, wordEnd: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    const colon = find(bytes, at, wordEnd, COLON);
    const end = colon < 0 ? wordEnd : colon;
    if (!isLevelToken(bytes, at, end, colon >= 0, this.#hasTime)) return -1;
    this.#setLevel(at, end);
    if (colon < 0 || colon + 1 === wordEnd) {
      this.#certain = colon < 0 ? end : colon + 1;
      return this.#certain;
    }
    const second = find(bytes, colon + 1, wordEnd, COLON);
    if (this.#hasTime || second < 0 || second === colon + 1) {
      line.level = 0;
      return -1;
    }
    line.setText(LOGGER, bytes, colon + 1, second);
    this.#certain = second + 1;
    return -1;
  }

  #setLevel(start: number, end: number): void {
    const line = this.#line;
    line.level = levelOfWord(this.#bytes, start, end);
    line.levelStart = start;
    line.levelEnd = end;
    this.#certain = end;
  }

  /** A name before ` - `, ` : `, or `|`; with dots in it, also before a colon, or .NET's number of an event. */
  #logger(at: number, wordEnd: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    const hasColon = wordEnd - at > 1 && bytes[wordEnd - 1] === COLON;
    const eventAt = bytes[wordEnd] === CLOSING ? find(bytes, at, wordEnd, OPENING) : -1;
    const end = eventAt >= 0 ? eventAt : hasColon ? wordEnd - 1 : wordEnd;
    const isDotted = dotsIn(bytes, at, end);
    const isName = isDotted >= 0;
    if (!isName || line.fields[LOGGER] !== 0) return -1;
    const after = pastBlanks(bytes, wordEnd, this.#limit);
    const separated = isSeparator(bytes, after) && after > wordEnd;
    if (line.level === 0) {
      if (!this.#hasTime || !separated) return -1;
      line.setText(LOGGER, bytes, at, end);
      return after + 1;
    }
    if (separated || (isDotted > 0 && (hasColon || (eventAt >= 0 && !this.#hasTime)))) {
      line.setText(LOGGER, bytes, at, end);
      this.#certain = separated ? pastSeparator(bytes, after) : eventAt >= 0 ? wordEnd + 1 : wordEnd;
      return -1;
    }
    return -1;
  }

  #bracket(at: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    const close = find(bytes, at + 1, Math.min(this.#limit, at + BRACKET_BYTES_MAX), CLOSING);
    if (close < 0) return -1;
    let from = at + 1;
    if (!this.#hasTime) {
      const next = this.#time(from, close);
      if (next >= 0) {
        if (this.#certain >= 0) this.#certain = close + 1;
        from = pastBlanks(bytes, next, close);
        if (from === close) return close + 1;
      }
    }
    if (line.level === 0) return this.#beforeLevel(from, close);
    return this.#behindLevel(from, close);
  }

  /** What is in brackets before a level is known: the level, or a process or thread, if a level follows. */
  #beforeLevel(from: number, close: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    const found = isLevelInBrackets(bytes, from, close, this.#hasTime);
    if (found !== null) {
      this.#setLevel(found.start, found.end);
      if (found.loggerStart < found.loggerEnd) line.setText(LOGGER, bytes, found.loggerStart, found.loggerEnd);
      this.#certain = close + 1;
      return close + 1;
    }
    if (!this.#hasTime) return -1;
    const pid = integerOf(bytes, from, close);
    if (pid >= 0) line.setInteger(PID, pid);
    else line.setText(THREAD, bytes, from, close);
    return close + 1;
  }

  /** Behind it: a logger, Apache's process, or a thread if a logger follows. */
  #behindLevel(from: number, close: number): number {
    const bytes = this.#bytes;
    const line = this.#line;
    if (!this.#hasTime) return -1;
    if (bytes[from] === 0x70 && bytes[from + 1] === 0x69 && bytes[from + 2] === 0x64 && bytes[from + 3] === SPACE) {
      const colon = find(bytes, from, close, COLON);
      const pid = integerOf(bytes, from + 4, colon < 0 ? close : colon);
      if (pid < 0) return -1;
      line.setInteger(PID, pid);
      const thread = colon < 0 ? -1 : integerOf(bytes, colon + 5, close);
      if (thread >= 0) line.setInteger(THREAD_ID, thread);
      this.#certain = close + 1;
      return close + 1;
    }
    const end = pastWord(bytes, from, close);
    const isPadded = pastBlanks(bytes, end, close) === close;
    if (isPadded && line.fields[LOGGER] === 0 && dotsIn(bytes, from, end) > 0 && this.#certain === from - 1) {
      line.setText(LOGGER, bytes, from, end);
      this.#certain = close + 1;
      return -1;
    }
    if (line.fields[THREAD] === 0) {
      line.setText(THREAD, bytes, from, close);
      this.#threadEnd = close + 1;
    }
    return close + 1;
  }
}

function isSeparator(bytes: Uint8Array, at: number): boolean {
  const byte = bytes[at]!;
  const next = bytes[at + 1] === byte && byte === DASH ? bytes[at + 2]! : bytes[at + 1]!;
  return byte === BAR || ((byte === DASH || byte === COLON) && next <= SPACE);
}

function pastSeparator(bytes: Uint8Array, at: number): number {
  return bytes[at] === DASH && bytes[at + 1] === DASH ? at + 2 : at + 1;
}

/** How many dots or pairs of colons a name has; -1 for what is no name of a logger. */
function dotsIn(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || !(isLetter(bytes[start]!) || bytes[start] === 0x5f)) return -1;
  let dots = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte === 0x2e && at + 1 < end) dots += 1;
    else if (byte === COLON && bytes[at + 1] === COLON && at + 2 < end) {
      dots += 1;
      at += 1;
    } else if (!isLetter(byte) && !isDigit(byte) && byte !== 0x5f && byte !== 0x24 && byte !== DASH) return -1;
  }
  return dots;
}
