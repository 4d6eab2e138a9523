// What a line is, by its first bytes; and its parts, if it is of a known format. A line of none is a message, byte for
// byte: every reader takes back what it wrote when it gives up. Each looks at a byte a constant number of times.

import type { Timestamp } from '../timestamp.ts';
import { readAccess, readClientRequest, readTimedRequest } from './access.ts';
import { HeadReader } from './head.ts';
import { JsonLines } from './json-line.ts';
import { readKlog } from './klog.ts';
import { Line } from './line.ts';
import { readLogfmt } from './logfmt.ts';
import { readNest, readPriority, readRedis, readRuby } from './other-heads.ts';
import { BRACE, COLON, DASH, ESCAPE, OPENING, TAB, find, isDigit, isLetter, withoutBreak } from './scan.ts';

const COMMA = 0x2c;
const BRACE_END = 0x7d;
const LESS_THAN = 0x3c;

export class LineReader {
  readonly line = new Line();
  readonly #json = new JsonLines(this.line);
  readonly #head = new HeadReader(this.line);

  /** Whether bytes[start, end) is of a known format; then `line` has its parts until the next call. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const { line } = this;
    line.clear();
    const last = withoutBreak(bytes, start, end);
    if (start >= last || !this.#recognise(bytes, start, last)) {
      line.clear();
      return false;
    }
    line.finish();
    return true;
  }

  #recognise(bytes: Uint8Array, start: number, end: number): boolean {
    const { line } = this;
    const first = bytes[start]!;
    if (first === BRACE) return this.#json.read(bytes, start, end);
    if (first === LESS_THAN) return this.#readPriority(bytes, start, end);
    if (isLetter(first)) {
      const second = bytes[start + 1]!;
      if (isDigit(second) && readKlog(bytes, start, end, line)) return true;
      if (second === COMMA && readRuby(bytes, start, end, line)) return true;
      if (readLogfmt(bytes, start, end, line)) return true;
    } else if (!isDigit(first) && first !== OPENING && first !== ESCAPE && first !== COLON) return false;
    if (this.#isAccess(bytes, start, end)) return true;
    if (isDigit(first) && readRedis(bytes, start, end, line)) return true;
    if ((first === OPENING || first === ESCAPE) && this.#isBracketed(bytes, start, end)) return true;
    line.time.clear();
    if (!this.#head.read(bytes, start, end)) return false;
    const text = line.messageStart;
    if (isDigit(bytes[text]!) && line.level !== 0) readClientRequest(bytes, text, end, line);
    else if (!this.#json.read(bytes, text, end)) this.#readLastField(bytes, end);
    return true;
  }

  #isBracketed(bytes: Uint8Array, start: number, end: number): boolean {
    return readNest(bytes, start, end, this.line) || readTimedRequest(bytes, start, end, this.line);
  }

  #readPriority(bytes: Uint8Array, start: number, end: number): boolean {
    const { line } = this;
    if (!readPriority(bytes, start, end, line)) return false;
    this.#head.readTagged(bytes, line.messageStart, end);
    return true;
  }

  /** The JSON object behind the text, where there are tabs between the fields: zap. */
  #readLastField(bytes: Uint8Array, end: number): void {
    const { line } = this;
    if (bytes[end - 1] !== BRACE_END || line.level === 0 || bytes[line.levelEnd] !== TAB) return;
    const tab = find(bytes, line.messageStart, end, TAB);
    if (tab <= line.messageStart || !this.#json.read(bytes, tab + 1, end)) return;
    line.hasText = true;
    line.messageEnd = tab;
  }

  /** Of what begins with an address: a digit, a letter of hex digits, or a colon. */
  #isAccess(bytes: Uint8Array, start: number, end: number): boolean {
    const isDate = bytes[start + 4] === DASH && isDigit(bytes[start + 3]!);
    return !isDate && readAccess(bytes, start, end, this.line);
  }
}

/** Sets the time to that of the line's head; false where it has none. */
export function setHeadTime({ time }: Line, timestamp: Timestamp): boolean {
  return time.isKnown && timestamp.setInstant(time.seconds, time.nanos);
}
