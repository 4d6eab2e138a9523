// Puts lines that Docker split together again. The parts of one line (same partition, tenant, sender, tag, container,
// partial_id) arrive in order, between other sources' events, and perhaps again after a crash. A line that is whole
// becomes one entry: the first part's time and fields without the partial_* keys, all parts' text. What is not whole
// after `timeoutMs`, or is too large, is passed on as it is, marked `partial`.
//
// Parts whose sender tells no place in a line (CRI's, json-file's) are numbered as they come, those of a source and
// stream by themselves. One that was written more than `timeoutMs` after the one before, or before it, begins anew.
//
// line-names.ts explains which `_id` a line has, passed-parts.ts how repeats are known. While a line waits, a part of
// the same ordinal, text and time is a repeat. One of the same ordinal that says something else is of another line,
// whatever its partial_id: the line that waits is passed on, and another starts.
//
// Guarantees: bounded by bytes a line and in all (the oldest is passed on first), parts and time. Every reference that
// came in goes out once. Nothing is copied, for callers give copies. The caller gives the time.

import assert from 'node:assert/strict';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { type Part, partOf } from '../parse/part.ts';
import { joinedEntry } from './joined-entry.ts';
import { hasNoGap, idsOfUnfinished, namedBatch } from './line-names.ts';
import { PassedParts } from './passed-parts.ts';
import { type PartContext, PendingLine } from './pending-line.ts';

export interface JoinerLimits {
  /** From the first part's arrival on, by a monotonic clock. */
  readonly timeoutMs: number;
  /** Text of one line. */
  readonly lineBytesMax: number;
  /** Of all unfinished lines together, with an allowance for each part's bookkeeping. */
  readonly bytesMax: number;
  readonly partsMax?: number;
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
  /** Of a stack trace: nanoseconds from the first line's time to that of each; absent where all have the same. */
  readonly lineOffsets?: readonly number[] | undefined;
  /** Of all events that the line settles, in order of arrival; at least one. */
  readonly refs: readonly Ref[];
  /**
   * `_id`s under which another indexer may have passed on its beginnings and ends; empty where no part is inherited.
   */
  readonly unfinishedIds: readonly string[];
  /** What a container runtime put around its text is taken off. */
  readonly isUnwrapped?: boolean;
}

const PARTS_MAX = 4096;
export class LineJoiner<Ref> {
  readonly #limits: JoinerLimits;
  /** By key, the oldest first. */
  readonly #pending = new Map<string, PendingLine<Ref>>();
  readonly #passed = new PassedParts();
  #bytes = 0;
  #events = 0;
  /** Of those whose parts tell no place in them. */
  #untold = 0;
  #nowMs = 0;

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

  /** Whether some source has a line that is begun and whose parts tell no place in it; or may have. */
  get hasBegun(): boolean {
    return this.#untold > 0 || this.#passed.hasSources;
  }

  /** Whether a source of the batch has such a line, by the source's name; null where none has. */
  begunOf(partition: number, batch: Batch, nowMs: number): ((source: string) => boolean) | null {
    this.#passed.forgetOld(nowMs);
    if (!this.hasBegun) return null;
    const prefix = batchKeyOf(partition, batch);
    return (source) => {
      const key = prefix + sourceKey(source);
      return this.#pending.has(key) || this.#passed.hasBeginning(key);
    };
  }

  /**
   * Of the entries of a batch: whether one, by its index, ended a line of such parts under this assignment, and was
   * passed on with it; null where none may have been. Nothing in such an entry says that it is a part.
   */
  passedOf(batch: Batch, assignmentNumber: number): ((index: number) => boolean) | null {
    return this.#passed.hasEndOf(batch) ? (index) => this.#passed.isRepeat(batch, index, assignmentNumber) : null;
  }

  /**
   * Takes the part that is `entry`, as `partOf` finds it where nothing is said of it. It and the batch are kept, so
   * they are the caller's to copy. Returns what can be passed on by now: seldom more than one line. Null for a repeat
   * of a part that was passed on: it is not taken, and its caller settles it. The time must not go back from call to
   * call.
   */
  add(
    context: PartContext<Ref>,
    entry: Uint8Array,
    nowMs: number,
    said: Part | null = partOf(entry, 0, entry.length),
  ): JoinedLine<Ref>[] | null {
    assert(said !== null, 'only parts are joined');
    this.#nowMs = nowMs;
    // A line that was split itself has the name of its last part, which was passed on; repeats of its parts are known.
    const { batch, index, assignmentNumber, otherRefs } = context;
    if (!otherRefs && this.#passed.isRepeat(batch, index, assignmentNumber)) return null;
    const out: JoinedLine<Ref>[] = [];
    const key = batchKeyOf(context.partition, batch) + (said.ordinal === 0 ? sourceKey(said.id) : lineKey(said));
    const timeMs = entryTimeMs(entry, 0, entry.length);
    const ordinal = said.ordinal || this.#nextOrdinal(key, context, timeMs, out);
    const part = { ...said, ordinal, entry, timeMs };
    let line = this.#pending.get(key);
    const isOther = line?.isOther(part) === true;
    if (line && (isOther || this.#isFull(line, part))) {
      out.push(this.#passOn(line));
      line = undefined;
      // What follows from the first part on is no rest of the line that was passed on.
      if (isOther && part.ordinal === 1) this.#passed.forgetBeginning(key);
    }
    if (!line) {
      line = new PendingLine(key, part, said.ordinal !== 0, nowMs + this.#limits.timeoutMs);
      this.#pending.set(key, line);
      if (!line.tellsPlaces) this.#untold += 1;
    }
    this.#bytes += line.add(context, part);
    this.#events += 1 + (otherRefs?.length ?? 0);
    if (this.#isWhole(line)) out.push(this.#passOn(line));
    for (const oldest of this.#pending.values()) {
      if (this.#bytes <= this.#limits.bytesMax) break;
      out.push(this.#passOn(oldest));
    }
    return out;
  }

  /** Lines that have waited long enough. Each is passed on when it is asked for: all of them may be much memory. */
  *expire(nowMs: number): Generator<JoinedLine<Ref>, void, undefined> {
    this.#nowMs = nowMs;
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

  /** The place of a part that tells none: after the one that came before it, if it is of the same line. */
  #nextOrdinal(key: string, { batch, index }: PartContext<Ref>, timeMs: number, out: JoinedLine<Ref>[]): number {
    const name = documentId(batch, index);
    const line = this.#pending.get(key);
    const known = line?.ordinalOf(name);
    if (known !== undefined) return known;
    const last = line?.pieces.at(-1);
    const passedMs = timeMs - (last?.timeMs ?? timeMs);
    if (line && (passedMs < 0 || passedMs > this.#limits.timeoutMs)) out.push(this.#passOn(line));
    else if (last) return last.ordinal + 1;
    if (this.#passed.beginsWith(key, name)) this.#passed.forgetBeginning(key);
    return this.#passed.firstMissing(key);
  }

  #isFull(line: PendingLine<Ref>, part: Part): boolean {
    const textBytes = line.textBytes + part.textEnd - part.textStart;
    return textBytes > this.#limits.lineBytesMax || line.refs.length >= (this.#limits.partsMax ?? PARTS_MAX);
  }

  /** Whether nothing is missing up to the last part, but what was passed on before. */
  #isWhole(line: PendingLine<Ref>): boolean {
    const { key, pieces } = line;
    return pieces.at(-1)?.last === true && hasNoGap(pieces) && pieces[0]?.ordinal === this.#passed.firstMissing(key);
  }

  #remove(line: PendingLine<Ref>): void {
    this.#pending.delete(line.key);
    if (!line.tellsPlaces) this.#untold -= 1;
    this.#bytes -= line.bufferedBytes;
    this.#events -= line.refs.length;
  }

  #passOn(line: PendingLine<Ref>): JoinedLine<Ref> {
    this.#remove(line);
    const { pieces, refs } = line;
    const first = pieces[0];
    const last = pieces.at(-1);
    assert(first !== undefined && last !== undefined, 'a line has a part');
    const partial = this.#passed.hasBeginning(line.key) || !this.#isWhole(line);
    this.#passed.remember(line.key, pieces, partial, line.tellsPlaces ? null : this.#nowMs);
    // The sequence of a document is seq + index: this way it is the first part's.
    const seq = first.batch.seq + first.index - last.index;
    const batch = { ...namedBatch(pieces, line.tellsPlaces), receivedMs: first.batch.receivedMs, seq };
    const unfinishedIds = line.isInherited ? idsOfUnfinished(pieces, line.tellsPlaces) : [];
    const texts = pieces.map((piece) => piece.text);
    const entry = joinedEntry(line.entry, line.textAt, texts, partial);
    return { batch, index: last.index, entry, partial, lines: 1, refs, unfinishedIds, isUnwrapped: !line.tellsPlaces };
  }
}

function batchKeyOf(partition: number, { tenant, sender, tag }: Batch): string {
  return `${[partition, tenant, sender, tag].join('\0')}\0`;
}

function lineKey({ containerId, id }: Part): string {
  return `${containerId}\0${id}`;
}

/** Has no NUL, so that it is no key of a line. */
function sourceKey(source: string): string {
  return `\n${source}`;
}
