// Cuts a run of entries that comes in pieces, whatever is wrong with it: whole entries, values in their midst that are
// no entries, and the rest from where no value's end can be found. One bad entry costs its neighbours nothing.
//
//   entry entry value entry en…        →   entries (2), bad (1), entries (1), rest (en…)
//
// Guarantees: never throws; total: every byte is in one cut, in order; entries and bad values are the same however the
// run is cut into pieces; work and memory are linear, and `entryBytesMax` is buffered at most, and little more; a push
// looks at what is pushed and at some hundred KiB before it.

import { freeOwn } from '../memory/free-buffer.ts';
import { entryEnd, INCOMPLETE, MALFORMED, valueEnd } from './extents.ts';
import { type PassedValue, ValuePasser } from './value-passer.ts';

export type Cut = EntriesCut | BadCut;

/** Whole entries, one after another. */
interface EntriesCut {
  readonly kind: 'entries';
  readonly bytes: Buffer;
  readonly count: number;
}

/** Whole values, one after another, that are no entries. */
interface BadCut {
  readonly kind: 'bad';
  readonly bytes: Buffer;
  readonly count: number;
  readonly why: string;
  /** Whether `bytes` are only the beginning of one value, which is larger than what is buffered. */
  readonly cut?: boolean;
}

/** From the first byte where no value ends. */
export interface Rest {
  /** At most `entryBytesMax` of it. */
  readonly bytes: Buffer;
  readonly size: number;
  readonly why: string;
}

/** Beside what extents.ts says of a value: it is whole, but larger than is buffered. */
const TOO_LARGE = -3;
/** Larger values are looked through as they come (value-passer.ts). */
const HELD_BYTES_MAX = 256 * 1024;
/** A slice, and what is left of the one before. */
const SCRATCH_BYTES = 256 * 1024;
const SCRATCH_FROM_BYTES = 4096;
const NO_ENTRY = 'it is no entry [time, record]';

export interface EntrySplitterOptions {
  /** What is cut is valid only until the next piece is pushed, so that hardly anything is copied. */
  readonly lends?: boolean;
  /** Of large values and of the rest only their number and size are asked for: they come without their bytes. */
  readonly counts?: boolean;
  /** Larger values are looked through as they come; at least 22, what an entry has before its first map. */
  readonly heldBytesMax?: number;
}

export class EntrySplitter {
  readonly #entryBytesMax: number;
  readonly #heldBytesMax: number;
  readonly #keepBytesMax: number;
  readonly #lends: boolean;
  /** Where pieces are joined that are only looked at. */
  #scratch: Buffer | null = null;
  /** Of an unfinished value, in pieces. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** A value that is looked at again only when twice as much of it has come costs no more than twice its bytes. */
  #wantedBytes = 1;
  readonly #passer: ValuePasser;
  /** Lent, and joined for that. */
  #lent: Buffer | null = null;
  #rest: RestDraft | null = null;

  constructor(entryBytesMax: number, { lends = false, counts = false, heldBytesMax }: EntrySplitterOptions = {}) {
    this.#entryBytesMax = entryBytesMax;
    this.#heldBytesMax = Math.min(entryBytesMax, heldBytesMax ?? HELD_BYTES_MAX);
    this.#keepBytesMax = counts ? 0 : entryBytesMax;
    this.#lends = lends;
    this.#passer = new ValuePasser(this.#keepBytesMax);
  }

  /** Of a value whose end has not come. */
  get heldBytes(): number {
    return this.#heldBytes + this.#passer.heldBytes + (this.#rest?.bytes ?? 0);
  }

  /** What is whole so far, copied, unless it is lent: the piece may be written to again. */
  *push(piece: Buffer): Generator<Cut, void, undefined> {
    this.#freeLent();
    if (this.#rest) {
      this.#keepRest(piece);
    } else if (this.#passer.isOpen) {
      const end = yield* this.#pass(piece, 0);
      const behind = piece.subarray(end);
      if (behind.length > 0) yield* this.#cut(this.#lends ? behind : Buffer.from(behind));
    } else {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
      if (this.#heldBytes >= this.#wantedBytes) yield* this.#cut(this.#takeHeld());
      else this.#held.splice(-1, 1, Buffer.from(piece));
    }
  }

  /** The run has ended: what is left of it, and the rest, if there is one. */
  *end(): Generator<Cut, Rest | null, undefined> {
    this.#freeLent();
    yield* this.#cut(this.#takeHeld());
    if (this.#passer.isOpen) this.#beginRest(this.#passer.take(), 'it ends within an entry');
    else if (this.#heldBytes > 0) {
      const head = this.#takeHeld();
      this.#beginRest({ head, size: head.length }, 'it ends within an entry');
    }
    if (!this.#rest) return null;
    const { pieces, size, why } = this.#rest;
    return { bytes: Buffer.concat(pieces), size, why };
  }

  /** Bytes that are not written to again before the next piece. */
  *#cut(bytes: Buffer): Generator<Cut, void, undefined> {
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      const entries = entriesFrom(bytes, at, this.#entryBytesMax);
      if (entries.count > 0) yield { kind: 'entries', bytes: bytes.subarray(at, entries.end), count: entries.count };
      at = entries.end;
      let { next } = entries;
      if (next === MALFORMED) {
        const bad = badFrom(bytes, at, this.#entryBytesMax);
        if (bad.count > 0) {
          yield { kind: 'bad', bytes: bytes.subarray(at, bad.end), count: bad.count, why: NO_ENTRY };
        }
        at = bad.end;
        next = bad.next;
      }
      if (next === 0) continue;
      if (next === INCOMPLETE && end - at <= this.#heldBytesMax) return this.#hold(bytes.subarray(at), end);
      at = yield* this.#pass(bytes, at);
    }
  }

  /** The beginning of a value. */
  #hold(bytes: Buffer, ofBytes: number): void {
    // A view would keep all of its piece, or is of what is written to again.
    this.#held = [this.#lends || bytes.length * 2 < ofBytes ? Buffer.from(bytes) : bytes];
    this.#heldBytes = bytes.length;
    this.#wantedBytes = Math.min(bytes.length * 2, this.#heldBytesMax + 1);
  }

  /**
   * A value that is large, or too deep to be an entry: only its end is looked for. Returns where to look on: behind the
   * value, or at the end of the bytes where it goes on, or has no end.
   */
  *#pass(bytes: Buffer, from: number): Generator<Cut, number, undefined> {
    const isJoined = this.#passer.isOpen;
    const end = this.#passer.push(bytes, from);
    if (end === INCOMPLETE) return bytes.length;
    const value = this.#passer.take();
    if (end === MALFORMED) {
      this.#beginRest(value, 'what follows is no msgpack');
      return bytes.length;
    }
    if (isJoined && this.#lends) this.#lent = value.head;
    yield this.#cutOf(value);
    return end;
  }

  #cutOf({ head, size, isEntry, isTooDeep }: PassedValue): Cut {
    const isTooLarge = size > this.#entryBytesMax;
    if (isEntry && !isTooLarge) return { kind: 'entries', bytes: head, count: 1 };
    if (isTooLarge) {
      const why = `it is larger than ${this.#entryBytesMax} bytes`;
      return { kind: 'bad', bytes: head, count: 1, why, cut: true };
    }
    return { kind: 'bad', bytes: head, count: 1, why: isTooDeep ? 'it is nested too deep' : NO_ENTRY };
  }

  #freeLent(): void {
    if (this.#lent) freeOwn(this.#lent);
    this.#lent = null;
  }

  #takeHeld(): Buffer {
    const bytes = this.#joined();
    this.#held = [];
    this.#heldBytes = 0;
    this.#wantedBytes = 1;
    return bytes;
  }

  #joined(): Buffer {
    const [only] = this.#held;
    if (this.#lends && only && this.#held.length === 1) return only;
    const isLent = this.#lends && this.#heldBytes > SCRATCH_FROM_BYTES && this.#heldBytes <= SCRATCH_BYTES;
    if (!isLent) return Buffer.concat(this.#held);
    const scratch = (this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES));
    let at = 0;
    for (const piece of this.#held) at += piece.copy(scratch, at);
    return scratch.subarray(0, at);
  }

  #beginRest({ head, size }: Pick<PassedValue, 'head' | 'size'>, why: string): void {
    const kept = head.subarray(0, this.#keepBytesMax);
    this.#rest = { pieces: [kept], bytes: kept.length, size, why };
  }

  #keepRest(piece: Buffer): void {
    const rest = this.#rest;
    if (!rest) return;
    rest.size += piece.length;
    const kept = piece.subarray(0, this.#keepBytesMax - rest.bytes);
    if (kept.length === 0) return;
    rest.pieces.push(Buffer.from(kept));
    rest.bytes += kept.length;
  }
}

interface RestDraft {
  readonly pieces: Buffer[];
  bytes: number;
  size: number;
  readonly why: string;
}

/** Where a row of values ends, how many they are, and why there is no other: 0 where it is done. */
interface Row {
  readonly end: number;
  readonly count: number;
  readonly next: number;
}

function entriesFrom(bytes: Buffer, start: number, bytesMax: number): Row {
  let at = start;
  let count = 0;
  while (at < bytes.length) {
    const next = entryEnd(bytes, at, bytes.length);
    if (next < 0) return { end: at, count, next };
    if (next - at > bytesMax) return { end: at, count, next: TOO_LARGE };
    at = next;
    count += 1;
  }
  return { end: at, count, next: 0 };
}

/** Values from `start` on that are no entries, up to the first that is one, or may become one. */
function badFrom(bytes: Buffer, start: number, bytesMax: number): Row {
  let at = start;
  let count = 0;
  while (at < bytes.length) {
    if (count > 0 && entryEnd(bytes, at, bytes.length) !== MALFORMED) return { end: at, count, next: 0 };
    const next = valueEnd(bytes, at, bytes.length);
    if (next < 0) return { end: at, count, next };
    if (next - at > bytesMax) return { end: at, count, next: TOO_LARGE };
    at = next;
    count += 1;
  }
  return { end: at, count, next: 0 };
}
