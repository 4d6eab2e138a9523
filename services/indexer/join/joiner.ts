// Puts lines that Docker split together again. The parts of one line (same partition, tenant, sender, tag, container,
// partial_id) arrive in order, between other sources' events, and perhaps again after a crash. A line that is whole
// becomes one entry: the first part's time and fields without the partial_* keys, all parts' text. What is not whole
// after `timeoutMs`, or is too large, is passed on as it is, marked `partial`.
//
// line-names.ts explains which `_id` a line has, passed-parts.ts how repeats are known. While a line waits, a part of
// the same ordinal, text and time is a repeat. One of the same ordinal that says something else is of another line,
// whatever its partial_id: the line that waits is passed on, and another starts.
//
// Guarantees: bounded by bytes a line and in all (the oldest is passed on first), parts and time. Every reference that
// came in goes out once. Nothing is copied, for callers give copies. The caller gives the time.

import assert from 'node:assert/strict';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import type { Batch } from '#shared/record/record.ts';
import { type Part, partOf } from '../parse/part.ts';
import { joinedEntry } from './joined-entry.ts';
import { hasNoGap, idsOfUnfinished, namedBatch } from './line-names.ts';
import { type PassedPiece, PassedParts } from './passed-parts.ts';

export interface JoinerLimits {
  /** From the first part's arrival on, by a monotonic clock. */
  readonly timeoutMs: number;
  /** Text of one line. */
  readonly lineBytesMax: number;
  /** Of all unfinished lines together, with an allowance for each part's bookkeeping. */
  readonly bytesMax: number;
  readonly partsMax?: number;
}

/** Where a part comes from. `ref` is whatever the caller needs to settle the event; it comes back with the line. */
export interface PartContext<Ref> {
  readonly partition: number;
  /** Number of the assignment that it was fetched under. */
  readonly assignmentNumber: number;
  readonly batch: Batch;
  /** Index of the entry in its batch, the batch's `first` included. */
  readonly index: number;
  /** Another indexer may have passed it on already, as the beginning or the end of an unfinished line. */
  readonly isInherited?: boolean;
  readonly ref: Ref;
}

/**
 * A line that is passed on: an entry like any other, under `batch` and `index`, which give its `_id`, time of receipt
 * and sequence.
 */
export interface JoinedLine<Ref> {
  readonly batch: Batch;
  readonly index: number;
  /** [time, record] */
  readonly entry: Uint8Array;
  /** Whether parts are missing. */
  readonly partial: boolean;
  /** Lines that it was printed as: more than one for a stack trace. */
  readonly lines: number;
  /** Of all events that the line settles, in order of arrival; at least one. */
  readonly refs: readonly Ref[];
  /**
   * `_id`s under which another indexer may have passed on its beginnings and ends; empty where no part is inherited.
   */
  readonly unfinishedIds: readonly string[];
}

const PARTS_MAX = 4096;
/**
 * What a part costs beside its entry: its piece, its batch, buffers, what its caller keeps, and its record without its
 * bytes.
 */
const PART_OVERHEAD_BYTES = 2048;

interface Piece extends PassedPiece {
  readonly text: Uint8Array;
  assignmentNumber: number;
}

/** A part that came in. */
interface Arrival extends Part {
  readonly entry: Uint8Array;
  readonly timeMs: number;
}

interface Pending<Ref> {
  readonly key: string;
  readonly dueMs: number;
  /** Of the part that came first. */
  readonly entry: Uint8Array;
  /** By ordinal. */
  readonly pieces: Piece[];
  readonly refs: Ref[];
  textBytes: number;
  bufferedBytes: number;
  isInherited: boolean;
}

export class LineJoiner<Ref> {
  readonly #limits: JoinerLimits;
  /** By key, the oldest first. */
  readonly #pending = new Map<string, Pending<Ref>>();
  readonly #passed = new PassedParts();
  #bytes = 0;
  #events = 0;

  constructor(limits: JoinerLimits) {
    this.#limits = limits;
  }

  /** Events that wait here. */
  get events(): number {
    return this.#events;
  }

  /** Bytes that wait here, the allowance included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest line has waited long enough; null where none waits. */
  get dueMs(): number | null {
    for (const line of this.#pending.values()) return line.dueMs;
    return null;
  }

  /**
   * Takes the part that is `entry`, as `partOf` finds it. It and the batch are kept, so they are the caller's to
   * copy. Returns what can be passed on by now: seldom more than one line. Null for a repeat of a part that was passed
   * on: it is not taken, and its caller settles it. The time must not go back from call to call.
   */
  add(context: PartContext<Ref>, entry: Uint8Array, nowMs: number): JoinedLine<Ref>[] | null {
    const said = partOf(entry, 0, entry.length);
    assert(said !== null, 'only parts are joined');
    if (this.#passed.isRepeat(context.batch, context.index, context.assignmentNumber)) return null;
    const part = { ...said, entry, timeMs: entryTimeMs(entry, 0, entry.length) };
    const out: JoinedLine<Ref>[] = [];
    const key = keyOf(context, part);
    let line = this.#pending.get(key);
    const isOther = line !== undefined && isOfAnotherLine(line.pieces, part);
    if (line && (isOther || this.#isFull(line, part))) {
      out.push(this.#passOn(line));
      line = undefined;
      // What follows from the first part on is no rest of the line that was passed on.
      if (isOther && part.ordinal === 1) this.#passed.forgetBeginning(key);
    }
    if (!line) line = this.#start(key, entry, nowMs);
    this.#add(line, context, part);
    if (this.#isWhole(line)) out.push(this.#passOn(line));
    for (const oldest of this.#pending.values()) {
      if (this.#bytes <= this.#limits.bytesMax) break;
      out.push(this.#passOn(oldest));
    }
    return out;
  }

  /** Lines that have waited long enough. Each is passed on when it is asked for: all of them may be much memory. */
  *expire(nowMs: number): Generator<JoinedLine<Ref>, void, undefined> {
    for (const line of this.#pending.values()) {
      if (line.dueMs > nowMs) break;
      yield this.#passOn(line);
    }
  }

  /**
   * Lines with a part for which `isWanted` is true, all by default: nothing more will come. Each is passed on when it
   * is asked for.
   */
  *flush(isWanted: (ref: Ref) => boolean = () => true): Generator<JoinedLine<Ref>, void, undefined> {
    for (const line of this.#pending.values()) if (line.refs.some(isWanted)) yield this.#passOn(line);
  }

  /**
   * Forgets lines with a part for which `isLost` is true: somebody reads them again. Returns the references of all of
   * their parts.
   */
  drop(isLost: (ref: Ref) => boolean = () => true): Ref[] {
    const dropped: Ref[] = [];
    // What was on its way to the store may be read again as well, and must then be taken.
    this.#passed.forgetParts();
    for (const line of this.#pending.values()) {
      if (!line.refs.some(isLost)) continue;
      this.#remove(line);
      dropped.push(...line.refs);
    }
    return dropped;
  }

  #isFull(line: Pending<Ref>, part: Part): boolean {
    const textBytes = line.textBytes + part.textEnd - part.textStart;
    return textBytes > this.#limits.lineBytesMax || line.refs.length >= (this.#limits.partsMax ?? PARTS_MAX);
  }

  #start(key: string, entry: Uint8Array, nowMs: number): Pending<Ref> {
    const dueMs = nowMs + this.#limits.timeoutMs;
    const line = {
      key,
      dueMs,
      entry,
      pieces: [],
      refs: [],
      textBytes: 0,
      bufferedBytes: 0,
      isInherited: false,
    };
    this.#pending.set(key, line);
    return line;
  }

  #add(line: Pending<Ref>, context: PartContext<Ref>, part: Arrival): void {
    const { batch, index, ref, assignmentNumber, isInherited = false } = context;
    const { ordinal, last, timeMs, entry } = part;
    const bytes = PART_OVERHEAD_BYTES + entry.length;
    let at = line.pieces.length;
    while (at > 0 && (line.pieces[at - 1]?.ordinal ?? 0) > ordinal) at -= 1;
    // A part that comes again has nothing new to say; it is settled with the line.
    const same = line.pieces[at - 1];
    if (same?.ordinal === ordinal) {
      same.assignmentNumber = assignmentNumber;
    } else {
      const text = entry.subarray(part.textStart, part.textEnd);
      line.pieces.splice(at, 0, { ordinal, last, batch, index, text, timeMs, assignmentNumber });
      line.textBytes += text.length;
    }
    line.refs.push(ref);
    line.isInherited ||= isInherited;
    line.bufferedBytes += bytes;
    this.#bytes += bytes;
    this.#events += 1;
  }

  /** Whether nothing is missing up to the last part, but what was passed on before. */
  #isWhole(line: Pending<Ref>): boolean {
    const { key, pieces } = line;
    return pieces.at(-1)?.last === true && hasNoGap(pieces) && pieces[0]?.ordinal === this.#passed.firstMissing(key);
  }

  #remove(line: Pending<Ref>): void {
    this.#pending.delete(line.key);
    this.#bytes -= line.bufferedBytes;
    this.#events -= line.refs.length;
  }

  #passOn(line: Pending<Ref>): JoinedLine<Ref> {
    this.#remove(line);
    const { pieces, refs } = line;
    const first = pieces[0];
    const last = pieces.at(-1);
    assert(first !== undefined && last !== undefined, 'a line has a part');
    const partial = this.#passed.hasBeginning(line.key) || !this.#isWhole(line);
    this.#passed.remember(line.key, pieces, partial);
    // The sequence of a document is seq + index: this way it is the first part's.
    const seq = first.batch.seq + first.index - last.index;
    const batch = { ...namedBatch(pieces), receivedMs: first.batch.receivedMs, seq };
    const unfinishedIds = line.isInherited ? idsOfUnfinished(pieces) : [];
    const texts = pieces.map((piece) => piece.text);
    const entry = joinedEntry(line.entry, texts, partial);
    return { batch, index: last.index, entry, partial, lines: 1, refs, unfinishedIds };
  }
}

function keyOf({ partition, batch }: PartContext<unknown>, part: Part): string {
  return [partition, batch.tenant, batch.sender, batch.tag, part.containerId, part.id].join('\0');
}

/** Whether the line has a part of this ordinal that says something else: then a partial_id came twice. */
function isOfAnotherLine(pieces: readonly Piece[], part: Arrival): boolean {
  // From the end on, where it nearly always belongs.
  let at = pieces.length - 1;
  while (at >= 0 && pieces[at]!.ordinal > part.ordinal) at -= 1;
  const same = pieces[at];
  if (same?.ordinal !== part.ordinal) return false;
  const text = part.entry.subarray(part.textStart, part.textEnd);
  return same.timeMs !== part.timeMs || Buffer.compare(same.text, text) !== 0;
}
