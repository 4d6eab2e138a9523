// A stream of syslog messages cut into messages (RFC 6587). Senders choose between two ways, and some change within a
// connection, so each message tells by its first byte:
//
//   64 <134>1 2026-…             octet counting: digits, a space, and as many bytes, first a "<"; line breaks are text
//   <134>1 2026-… LF             up to the line break; on unix sockets also up to a NUL, which syslog(3) sends
//
// A message longer than `pieceBytesMax` comes in pieces, so that no peer makes us hold more. Empty lines are nothing.
// Guarantees: total; holds no more than a piece and what was pushed last; a message that arrives in a thousand pushes
// costs no more than one that arrives whole. What `next` gives is valid until the next call of `push`.

import { StreamFrames } from '../stream-frames.ts';

/** `first`, `middle` and `last` are pieces of one message. `more`: there is nothing to give until the next push. */
export type FrameKind = 'more' | 'whole' | 'first' | 'middle' | 'last';

export interface SyslogFramesOptions {
  /** At least 1024. */
  readonly pieceBytesMax: number;
  readonly nulEnds: boolean;
}

const LINE_FEED = 0x0a;
const NUL = 0;
const SPACE = 0x20;
const LESS = 0x3c;
const ZERO = 0x30;
const NINE = 0x39;
const COUNT_DIGITS_MAX = 10;

export class SyslogFrames extends StreamFrames {
  readonly #pieceBytesMax: number;
  readonly #nulEnds: boolean;
  /** Bytes left of a message that was counted; 0 for lines. */
  #left = 0;
  #isInside = false;
  #start = 0;
  #end = 0;

  constructor({ pieceBytesMax, nulEnds }: SyslogFramesOptions) {
    super();
    this.#pieceBytesMax = pieceBytesMax;
    this.#nulEnds = nulEnds;
  }

  get bytes(): Buffer {
    return this.stream.bytes;
  }

  /** Where what `next` gave lies in `bytes`, with the line break or NUL that ended it. */
  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** @param pieceBytesMax less than else where memory is short */
  next(pieceBytesMax = this.#pieceBytesMax): FrameKind {
    if (!this.#isInside) {
      this.#skipEmpty();
      if (this.stream.length === 0) return this.pause();
      const isKnown = this.#readCount();
      if (!isKnown && !this.hasEnded) return this.pause();
    }
    return this.#left > 0 ? this.#counted(pieceBytesMax) : this.#line(pieceBytesMax);
  }

  #skipEmpty(): void {
    const { bytes, to } = this.stream;
    let at = this.stream.from;
    for (; at < to; at += 1) {
      const byte = bytes[at];
      if (byte !== LINE_FEED && !(byte === NUL && this.#nulEnds)) break;
    }
    this.stream.from = at;
    this.searched = Math.max(this.searched, at);
  }

  /** Moves over a count if there is one. False where more bytes have to tell. */
  #readCount(): boolean {
    const { bytes, from, to } = this.stream;
    let at = from;
    let count = 0;
    for (const limit = Math.min(to, from + COUNT_DIGITS_MAX); at < limit; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      count = count * 10 + byte - ZERO;
    }
    if (at === from || bytes[from] === ZERO) return true;
    if (at === to) return false;
    if (bytes[at] !== SPACE) return true;
    if (at + 1 === to) return false;
    if (bytes[at + 1] !== LESS) return true;
    this.stream.from = at + 1;
    this.#left = count;
    return true;
  }

  #counted(pieceBytesMax: number): FrameKind {
    const { from, to, length } = this.stream;
    const size = Math.min(this.#left, pieceBytesMax);
    if (length >= size) return this.#give(from + size, this.#left === size);
    if (this.hasEnded && length > 0) return this.#give(to, true);
    return this.pause();
  }

  #line(pieceBytesMax: number): FrameKind {
    const { from, to } = this.stream;
    const at = this.#lineEnd(Math.min(to, from + pieceBytesMax + 1));
    if (at >= 0) return this.#give(at + 1, true);
    if (to - from > pieceBytesMax) return this.#give(from + pieceBytesMax, false);
    if (this.hasEnded && from < to) return this.#give(to, true);
    this.searched = to;
    return this.pause();
  }

  /** Where the line ends before `limit`, or -1. */
  #lineEnd(limit: number): number {
    if (!this.#nulEnds) return this.stream.indexOf(LINE_FEED, this.searched, limit);
    const { bytes } = this.stream;
    for (let at = this.searched; at < limit; at += 1) if (bytes[at] === LINE_FEED || bytes[at] === NUL) return at;
    return -1;
  }

  #give(end: number, isLast: boolean): FrameKind {
    const isFirst = !this.#isInside;
    this.#start = this.stream.from;
    this.#end = end;
    this.stream.from = end;
    this.searched = end;
    this.#isInside = !isLast;
    this.#left = isLast ? 0 : Math.max(0, this.#left - (end - this.#start));
    if (isFirst) return isLast ? 'whole' : 'first';
    return isLast ? 'last' : 'middle';
  }
}
