// Looks through one value after another as its bytes come, each byte once: values that are too large to be looked at
// again when more of them has come, or nested too deep to be entries. Of each it keeps the beginning, or nothing, and
// knows in the end whether it was an entry.
//
//   entry   head (two headers and a time) | metadata | record        head: looked at at once, the others by a scanner
//   other   value                                                    by a scanner
//
// Guarantees: never throws; each byte is looked at once, and of what is kept each is copied at most twice; three
// scanners serve all values, for a run may have one every hundred bytes.

import { freeOwn } from '../memory/free-buffer.ts';
import { DEPTH_MAX, entryMaps, INCOMPLETE, isMap, MALFORMED } from './extents.ts';
import { FRAME_PASSED, FrameScanner, NEED_MORE } from './frame-scanner.ts';

/** Deeper than entries may be, so that one which is too deep has an end nevertheless. */
const PASSED_DEPTH_MAX = 4096;

/** A value of which the beginning was kept. */
export interface PassedValue {
  readonly head: Buffer;
  readonly size: number;
  readonly isEntry: boolean;
  readonly isTooDeep: boolean;
}

/** What is looked through by a scanner of its own. */
interface Part {
  readonly scanner: FrameScanner;
  /** Containers around it. */
  readonly depth: number;
  /** Its first byte has not come. */
  isNew: boolean;
}

export class ValuePasser {
  readonly #keepBytesMax: number;
  /** By the containers around them: for values that are no entries, records, and metadata, once there is one. */
  readonly #partsAt: Part[] = [];
  /** Those of the value whose end has not come. */
  #parts: Part[] = [];
  #isEntry = false;
  #isTooDeep = false;
  #pieces: Buffer[] = [];
  #kept = 0;
  #size = 0;

  /** @param keepBytesMax of a value, from its beginning */
  constructor(keepBytesMax: number) {
    this.#keepBytesMax = keepBytesMax;
  }

  /** Whether a value was begun whose end has not come. */
  get isOpen(): boolean {
    return this.#size > 0;
  }

  get heldBytes(): number {
    return this.#kept;
  }

  /**
   * Position behind the value that begins at `from`, or goes on there; INCOMPLETE where its end has not come; MALFORMED
   * where it has none. What is kept of it is a view where it came whole.
   */
  push(bytes: Buffer, from: number): number {
    const cameWhole = !this.isOpen;
    let at = cameWhole ? this.#begin(bytes, from) : from;
    for (let part = this.#parts[0]; part; part = this.#parts[0]) {
      const end = at < bytes.length ? this.#endOf(part, bytes, at) : INCOMPLETE;
      if (end < 0) {
        this.#keep(ownCopy(this.#wanted(bytes, from, bytes.length)), bytes.length - from);
        return end;
      }
      at = end;
      this.#parts.shift();
    }
    const last = this.#wanted(bytes, from, at);
    this.#keep(cameWhole ? last : ownCopy(last), at - from);
    return at;
  }

  take(): PassedValue {
    const value = {
      head: this.#joined(),
      size: this.#size,
      isEntry: this.#isEntry && !this.#isTooDeep,
      isTooDeep: this.#isTooDeep,
    };
    this.#parts = [];
    this.#pieces = [];
    this.#kept = 0;
    this.#size = 0;
    return value;
  }

  /** Where the first part begins. */
  #begin(bytes: Buffer, from: number): number {
    const { at, maps } = entryMaps(bytes, from, bytes.length);
    this.#isEntry = at >= 0;
    this.#isTooDeep = false;
    if (this.#isEntry) this.#parts = maps === 2 ? [this.#partAt(2), this.#partAt(1)] : [this.#partAt(1)];
    else this.#parts = [this.#partAt(0)];
    return Math.max(at, from);
  }

  /** Its scanner is as new: what it passed before came to its end, or nothing comes any more. */
  #partAt(depth: number): Part {
    const part = (this.#partsAt[depth] ??= partAt(depth));
    part.isNew = true;
    return part;
  }

  #endOf(part: Part, bytes: Buffer, at: number): number {
    const { scanner, depth } = part;
    if (part.isNew) this.#isEntry &&= isMap(bytes[at] ?? 0);
    part.isNew = false;
    scanner.push(bytes.subarray(at));
    const result = scanner.next();
    this.#isTooDeep ||= depth + scanner.deepest > DEPTH_MAX;
    if (result !== FRAME_PASSED) return result === NEED_MORE ? INCOMPLETE : MALFORMED;
    const unread = scanner.takeUnread().at(-1)?.length ?? 0;
    return bytes.length - unread;
  }

  /** As much as is still kept. */
  #wanted(bytes: Buffer, from: number, end: number): Buffer {
    return bytes.subarray(from, Math.min(end, from + this.#keepBytesMax - this.#kept));
  }

  #keep(piece: Buffer, ofBytes: number): void {
    this.#size += ofBytes;
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#kept += piece.length;
  }

  /** Each piece is given back as it is copied: the value is there once, not twice. */
  #joined(): Buffer {
    const [only] = this.#pieces;
    if (only && this.#pieces.length === 1) return only;
    const joined = Buffer.allocUnsafeSlow(this.#kept);
    let at = 0;
    for (const piece of this.#pieces) {
      at += piece.copy(joined, at);
      freeOwn(piece);
    }
    return joined;
  }
}

/** In a buffer that it has to itself, whatever its size. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function partAt(depth: number): Part {
  const options = { frameBytesMax: Infinity, keepBytesMax: 0, depthMax: PASSED_DEPTH_MAX - depth };
  return { scanner: new FrameScanner(options), depth, isNew: true };
}
