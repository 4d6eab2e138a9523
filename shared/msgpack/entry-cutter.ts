// Cuts a run of entries that comes in pieces, whatever is wrong with it: whole entries, values in their midst that are no entries,
// and the rest from where no value's end can be found. One bad entry costs its neighbours nothing.
//
//   entry entry value entry en…        →   entries (2), bad (1), entries (1), rest (en…)
//
// Guarantees: never throws; total: every byte is in one cut, in order; entries and bad values are the same however the run is cut
// into pieces; work and memory are linear, and at most about twice `entryBytesMax` is held.

import { entryEnd, INCOMPLETE, MALFORMED, valueEnd } from './extents.ts';
import { FRAME_PASSED, FrameScanner, NEED_MORE } from './frame-scanner.ts';

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
  /** Whether `bytes` are only the beginning of one value, which is larger than what is held. */
  readonly cut?: boolean;
}

/** From the first byte where no value ends. */
export interface Rest {
  /** At most `entryBytesMax` of it. */
  readonly bytes: Buffer;
  readonly size: number;
  readonly why: string;
}

/** Beside what extents.ts says of a value: it is whole, but larger than is held. */
const TOO_LARGE = -3;
/** Deeper than entries may be, so that one which is too deep has an end nevertheless. */
const PASSED_DEPTH_MAX = 4096;
/** A slice, and what is left of the one before. */
const SCRATCH_BYTES = 256 * 1024;
const SCRATCH_FROM_BYTES = 4096;
const NO_ENTRY = 'it is no entry [time, record]';

export class EntryCutter {
  readonly #entryBytesMax: number;
  readonly #lends: boolean;
  /** Where pieces are joined that are only looked at. */
  #scratch: Buffer | null = null;
  /** Of an unfinished value, in pieces. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** A value that is looked at again only when twice as much of it has come costs no more than twice its bytes. */
  #wantedBytes = 1;
  #passer: ValuePasser | null = null;
  #rest: RestDraft | null = null;

  /** `lends`: what is cut is valid only until the next piece is pushed, so that hardly anything is copied. */
  constructor(entryBytesMax: number, { lends = false } = {}) {
    this.#entryBytesMax = entryBytesMax;
    this.#lends = lends;
  }

  /** Of a value whose end has not come. */
  get heldBytes(): number {
    return this.#heldBytes + (this.#passer?.heldBytes ?? 0) + (this.#rest?.bytes ?? 0);
  }

  /** What is whole so far, copied, unless it is lent: the piece may be written to again. */
  *push(piece: Buffer): Generator<Cut, void, undefined> {
    if (this.#rest) {
      this.#keepRest(piece);
    } else if (this.#passer) {
      yield* this.#pass(this.#passer, piece);
    } else {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
      if (this.#heldBytes >= this.#wantedBytes) yield* this.#cut(this.#takeHeld());
      else this.#held.splice(-1, 1, Buffer.from(piece));
    }
  }

  /** The run has ended: what is left of it, and the rest, if there is one. */
  *end(): Generator<Cut, Rest | null, undefined> {
    yield* this.#cut(this.#takeHeld());
    if (this.#passer) this.#beginRest(this.#passer.head, this.#passer.bytes, 'it ends within an entry');
    else if (this.#heldBytes > 0) this.#beginRest(this.#takeHeld(), null, 'it ends within an entry');
    if (!this.#rest) return null;
    const { pieces, size, why } = this.#rest;
    return { bytes: Buffer.concat(pieces), size, why };
  }

  *#cut(bytes: Buffer): Generator<Cut, void, undefined> {
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      const entries = entriesFrom(bytes, at, this.#entryBytesMax);
      if (entries.count > 0) yield { kind: 'entries', bytes: bytes.subarray(at, entries.end), count: entries.count };
      at = entries.end;
      if (entries.next === TOO_LARGE)
        return yield* this.#pass(new ValuePasser(this.#entryBytesMax), bytes.subarray(at));
      if (entries.next !== MALFORMED) break;
      const bad = badFrom(bytes, at, this.#entryBytesMax);
      if (bad.count > 0) {
        yield { kind: 'bad', bytes: bytes.subarray(at, bad.end), count: bad.count, why: NO_ENTRY };
      }
      at = bad.end;
      if (bad.next === INCOMPLETE) break;
      if (bad.next < 0) return yield* this.#pass(new ValuePasser(this.#entryBytesMax), bytes.subarray(at));
    }
    if (at < end) yield* this.#hold(bytes.subarray(at), bytes.length);
  }

  /** The beginning of a value. */
  *#hold(bytes: Buffer, ofBytes: number): Generator<Cut, void, undefined> {
    if (bytes.length > this.#entryBytesMax) {
      yield* this.#pass(new ValuePasser(this.#entryBytesMax), bytes);
      return;
    }
    // A view would keep all of its piece, or is of what is written to again.
    this.#held = [this.#lends || bytes.length * 2 < ofBytes ? Buffer.from(bytes) : bytes];
    this.#heldBytes = bytes.length;
    this.#wantedBytes = Math.min(bytes.length * 2, this.#entryBytesMax + 1);
  }

  /** A value that is too deep or too large to be an entry: only its end is looked for. */
  *#pass(passer: ValuePasser, piece: Buffer): Generator<Cut, void, undefined> {
    this.#passer = passer;
    const rest = passer.push(piece);
    if (rest === null) return;
    this.#passer = null;
    if (rest === 'malformed') {
      this.#beginRest(passer.head, passer.bytes, 'what follows is no msgpack');
      return;
    }
    const cut = passer.bytes - rest.length > passer.valueBytesKept;
    const bytes = passer.head.subarray(0, passer.valueBytesKept);
    const why = cut ? `it is larger than ${this.#entryBytesMax} bytes` : 'it is nested too deep';
    yield { kind: 'bad', bytes, count: 1, why, ...(cut && { cut }) };
    yield* this.#cut(rest);
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

  #beginRest(head: Buffer, size: number | null, why: string): void {
    this.#passer = null;
    const kept = head.subarray(0, this.#entryBytesMax);
    this.#rest = { pieces: [kept], bytes: kept.length, size: size ?? head.length, why };
  }

  #keepRest(piece: Buffer): void {
    const rest = this.#rest;
    if (!rest) return;
    rest.size += piece.length;
    const kept = piece.subarray(0, this.#entryBytesMax - rest.bytes);
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

/** Finds the end of one value in one look at its bytes, of which it keeps the beginning. */
class ValuePasser {
  readonly #scanner: FrameScanner;
  readonly #keepBytesMax: number;
  readonly #pieces: Buffer[] = [];
  /** All that came, what lies behind the value included. */
  bytes = 0;
  /** Of the value itself, what is kept. */
  valueBytesKept = 0;
  #kept = 0;

  constructor(keepBytesMax: number) {
    this.#keepBytesMax = keepBytesMax;
    this.#scanner = new FrameScanner({ frameBytesMax: Infinity, keepBytesMax: 0, depthMax: PASSED_DEPTH_MAX });
  }

  get head(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get heldBytes(): number {
    return this.#kept;
  }

  /** What lies behind the value; null where its end has not come; 'malformed' where it has none. */
  push(piece: Buffer): Buffer | null | 'malformed' {
    this.bytes += piece.length;
    const kept = piece.subarray(0, this.#keepBytesMax - this.#kept);
    if (kept.length > 0) this.#pieces.push(Buffer.from(kept));
    this.#kept += kept.length;
    this.#scanner.push(piece);
    const result = this.#scanner.next();
    if (result === NEED_MORE) return null;
    if (result !== FRAME_PASSED) return 'malformed';
    const rest = Buffer.concat(this.#scanner.takeUnread());
    this.valueBytesKept = Math.min(this.#kept, this.bytes - rest.length);
    return rest;
  }
}
