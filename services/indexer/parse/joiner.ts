// Puts lines that Docker split together again. The parts of one line (same partition, tenant, sender, tag, container,
// partial_id) arrive in order, between other sources' events, and perhaps again after a crash. A line that is whole
// becomes one entry: the first part's time and fields without the partial_* keys, all parts' text. What is not whole
// after `timeoutMs`, or is too large, is passed on as it is, marked `partial`.
//
// Under which `_id`? Of the LAST part in hand. Were it the first one's, this could happen: parts 1–2 time out and are
// stored, the process dies before it commits, all three parts are read again, and the whole line meets its own
// beginning under its name: 409, and part 3 is lost without a word. So a name must always mean the same text:
//   · a part's own name: all of the line up to that part;
//   · a hash of its parts' names: what lacks the beginning, which was passed on before, is on its way by another forwarder, or is gone;
//     and what has a gap.
// Text may thus be stored twice after a crash between timeout and commit, but marked; it is never swallowed.
//
// A sender that missed an ack sends the last part again, behind the line that has it. So parts that were passed on are
// remembered, and say nothing new; but only under the assignment that they came in, whose offsets wait for what became
// of their line. Under a later one the line may not be stored yet, and its parts are joined again. While a line waits,
// a part of the same place, text and time is a repeat; one of the same place that says something else is of another
// line, whatever its partial_id: the line that waits is passed on, and another begins.
//
// Guarantees: bounded by bytes a line and in all (the oldest is passed on first), parts and time; every ref that came
// in goes out once; nothing is copied, for callers give copies. Time is given by the caller.

import assert from 'node:assert/strict';
import { containerChildren, containerHeaderSize } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { isText, pastValue, textEnd, textStart } from './fields.ts';
import { type NamedPiece, hasNoGap, idsOfUnfinished, namedBatch } from './line-names.ts';
import { type Part, partNames, partOf, recordStart } from './part.ts';

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
  readonly assignment: number;
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
  /** Of all events that the line settles, in order of arrival; at least one. */
  readonly refs: readonly Ref[];
  /**
   * `_id`s under which another indexer may have passed on its beginnings and ends; empty where no part is inherited.
   */
  readonly unfinishedIds: readonly string[];
}

const PARTS_MAX = 4096;
/**
 * What a part costs beside its entry: its piece, its batch, buffers, what its caller holds, and its record without its
 * bytes.
 */
const PART_OVERHEAD_BYTES = 2048;
/** Lines whose beginning was passed on and that are remembered, so that the rest gets another name. */
const REMEMBERED_MAX = 4096;
/** Parts that were passed on and are remembered, so that their repeats are known. */
const REMEMBERED_PARTS_MAX = 4 * REMEMBERED_MAX;

interface Piece extends NamedPiece {
  readonly last: boolean;
  readonly text: Uint8Array;
  /** The last assignment that it came under. */
  assignment: number;
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
  heldBytes: number;
  isInherited: boolean;
}

export class LineJoiner<Ref> {
  readonly #limits: JoinerLimits;
  /** By key, the oldest first. */
  readonly #pending = new Map<string, Pending<Ref>>();
  /** By key: the last ordinal that was passed on of a line that is not finished. */
  readonly #passed = new Map<string, number>();
  /** Names of parts that were passed on, and the assignment that they came under. */
  readonly #names = new Map<string, number>();
  #bytes = 0;
  #events = 0;

  constructor(limits: JoinerLimits) {
    this.#limits = limits;
  }

  /** Events that wait here. */
  get events(): number {
    return this.#events;
  }

  /** Bytes that are held, the allowance included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest line has waited long enough; null where none waits. */
  get dueMs(): number | null {
    for (const line of this.#pending.values()) return line.dueMs;
    return null;
  }

  /**
   * Takes the part that is `entry`, which `partOf` says it is. It and the batch are kept, so they are the caller's to
   * copy. Returns what can be passed on by now: seldom more than one line. Null for a repeat of a part that was passed
   * on: it is not taken, and its caller settles it. The time must not go back from call to call.
   */
  add(context: PartContext<Ref>, entry: Uint8Array, nowMs: number): JoinedLine<Ref>[] | null {
    const said = partOf(entry, 0, entry.length);
    assert(said !== null, 'only parts are joined');
    if (this.#names.get(documentId(context.batch, context.index)) === context.assignment) return null;
    const part = { ...said, entry, timeMs: entryTimeMs(entry, 0, entry.length) };
    const out: JoinedLine<Ref>[] = [];
    const key = keyOf(context, part);
    let line = this.#pending.get(key);
    const isOther = line !== undefined && isOfAnotherLine(line.pieces, part);
    if (line && (isOther || this.#isFull(line, part))) {
      out.push(this.#passOn(line));
      line = undefined;
      // What follows from the first part on is no rest of the line that was passed on.
      if (isOther && part.ordinal === 1) this.#passed.delete(key);
    }
    if (!line) line = this.#start(key, entry, nowMs);
    this.#take(line, context, part);
    if (this.#isWhole(line)) out.push(this.#passOn(line));
    for (const oldest of this.#pending.values()) {
      if (this.#bytes <= this.#limits.bytesMax) break;
      out.push(this.#passOn(oldest));
    }
    return out;
  }

  /** Lines that have waited long enough. Each is passed on when it is asked for: all of them may be much to hold. */
  *expire(nowMs: number): Generator<JoinedLine<Ref>, void, undefined> {
    for (const line of this.#pending.values()) {
      if (line.dueMs > nowMs) break;
      yield this.#passOn(line);
    }
  }

  /**
   * Those that `isWanted` is true of any ref of, all by default: nothing more will come. Each is passed on when it is
   * asked for.
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
    this.#names.clear();
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
      heldBytes: 0,
      isInherited: false,
    };
    this.#pending.set(key, line);
    return line;
  }

  #take(line: Pending<Ref>, context: PartContext<Ref>, part: Arrival): void {
    const { batch, index, ref, assignment, isInherited = false } = context;
    const { ordinal, last, timeMs, entry } = part;
    const held = PART_OVERHEAD_BYTES + entry.length;
    let place = line.pieces.length;
    while (place > 0 && (line.pieces[place - 1]?.ordinal ?? 0) > ordinal) place -= 1;
    // A part that comes again has nothing new to say; it is settled with the line.
    const same = line.pieces[place - 1];
    if (same?.ordinal === ordinal) {
      same.assignment = assignment;
    } else {
      const text = entry.subarray(part.textStart, part.textEnd);
      line.pieces.splice(place, 0, { ordinal, last, batch, index, text, timeMs, assignment });
      line.textBytes += text.length;
    }
    line.refs.push(ref);
    line.isInherited ||= isInherited;
    line.heldBytes += held;
    this.#bytes += held;
    this.#events += 1;
  }

  /** Whether nothing is missing up to the last part, but what was passed on before. */
  #isWhole(line: Pending<Ref>): boolean {
    return (
      line.pieces.at(-1)?.last === true && hasNoGap(line.pieces) && line.pieces[0]?.ordinal === this.#firstMissing(line)
    );
  }

  #firstMissing(line: Pending<Ref>): number {
    return (this.#passed.get(line.key) ?? 0) + 1;
  }

  #remove(line: Pending<Ref>): void {
    this.#pending.delete(line.key);
    this.#bytes -= line.heldBytes;
    this.#events -= line.refs.length;
  }

  #passOn(line: Pending<Ref>): JoinedLine<Ref> {
    this.#remove(line);
    const { pieces, refs } = line;
    const first = pieces[0];
    const last = pieces.at(-1);
    assert(first !== undefined && last !== undefined, 'a line has a part');
    const goesOn = this.#passed.has(line.key);
    const partial = goesOn || !this.#isWhole(line);
    if (partial) this.#remember(line.key, pieces);
    for (const { batch, index, assignment } of pieces) this.#rememberName(documentId(batch, index), assignment);
    // The sequence of a document is seq + index: this way it is the first part's.
    const seq = first.batch.seq + first.index - last.index;
    const batch = { ...namedBatch(pieces), receivedMs: first.batch.receivedMs, seq };
    const unfinishedIds = line.isInherited ? idsOfUnfinished(pieces) : [];
    return { batch, index: last.index, entry: entryOf(line.entry, pieces, partial), partial, refs, unfinishedIds };
  }

  #remember(key: string, pieces: readonly Piece[]): void {
    this.#passed.delete(key);
    const last = pieces.at(-1);
    if (!last || (last.last && hasNoGap(pieces))) return;
    this.#passed.set(key, last.ordinal);
    if (this.#passed.size > REMEMBERED_MAX) forgetOldest(this.#passed);
  }

  #rememberName(name: string, assignment: number): void {
    this.#names.delete(name);
    this.#names.set(name, assignment);
    if (this.#names.size > REMEMBERED_PARTS_MAX) forgetOldest(this.#names);
  }
}

function forgetOldest(remembered: Map<string, number>): void {
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    break;
  }
}

function keyOf({ partition, batch }: PartContext<unknown>, part: Part): string {
  return [partition, batch.tenant, batch.sender, batch.tag, part.containerId, part.id].join('\0');
}

/** Whether the line has a part in this place that says something else: then a partial_id came twice. */
function isOfAnotherLine(pieces: readonly Piece[], part: Arrival): boolean {
  // From the end on, where it nearly always belongs.
  let place = pieces.length - 1;
  while (place >= 0 && pieces[place]!.ordinal > part.ordinal) place -= 1;
  const same = pieces[place];
  if (same?.ordinal !== part.ordinal) return false;
  const text = part.entry.subarray(part.textStart, part.textEnd);
  return same.timeMs !== part.timeMs || Buffer.compare(same.text, text) !== 0;
}

/** The first part's entry with all text in `log`; without the partial_* keys if nothing is missing. */
function entryOf(first: Uint8Array, pieces: readonly Piece[], partial: boolean): Uint8Array {
  const recordAt = recordStart(first, 0, first.length);
  const type = first[recordAt]!;
  const kept: { start: number; end: number }[] = [];
  let at = recordAt + containerHeaderSize(type);
  for (let pairs = containerChildren(first, recordAt, type) / 2; pairs > 0; pairs -= 1) {
    const end = pastValue(first, pastValue(first, at, first.length), first.length);
    const key = keyText(first, at);
    if (key !== 'log' && (partial || !isPartName(key))) kept.push({ start: at, end });
    at = end;
  }
  const text = Buffer.concat(pieces.map((piece) => piece.text));
  const writer = new MsgpackWriter(first.length + text.length + 16);
  writer.raw(first, 0, recordAt);
  writer.mapHeader(kept.length + 1);
  for (const { start, end } of kept) writer.raw(first, start, end);
  writer.string('log');
  writer.stringBytes(text);
  return writer.view();
}

/** Empty where the key is no string. */
function keyText(bytes: Uint8Array, at: number): string {
  if (!isText(bytes[at]!)) return '';
  return Buffer.from(bytes.subarray(textStart(bytes, at), textEnd(bytes, at))).toString('latin1');
}

function isPartName(key: string): boolean {
  return partNames.some((name) => name === key);
}
