// A line of which parts are missing, and the parts of it that are here. Pure.

import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { Part } from '../parse/part.ts';
import type { PassedPiece } from './passed-parts.ts';

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
  /** Of a part that came as a line that was split itself: of its other events. */
  readonly otherRefs?: readonly Ref[];
  /** What the references keep in memory beside the entry. */
  readonly keptBytes?: number;
}

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
export interface Arrival extends Part {
  readonly entry: Uint8Array;
  readonly timeMs: number;
}

export class PendingLine<Ref> {
  readonly key: string;
  readonly dueMs: number;
  /** Of the part that came first; and where its text is. */
  readonly entry: Uint8Array;
  readonly textAt: number;
  /** By ordinal. */
  readonly pieces: Piece[] = [];
  readonly refs: Ref[] = [];
  textBytes = 0;
  bufferedBytes = 0;
  isInherited = false;
  /** Where its parts tell no place in it: their places, by their names. */
  readonly #ordinals: Map<string, number> | null;

  /** `part`: the one that came first, which is then added. */
  constructor(key: string, { entry, textAt }: Arrival, tellsPlaces: boolean, dueMs: number) {
    this.key = key;
    this.entry = entry;
    this.textAt = textAt;
    this.dueMs = dueMs;
    this.#ordinals = tellsPlaces ? null : new Map();
  }

  get tellsPlaces(): boolean {
    return this.#ordinals === null;
  }

  /** The place of a part of this name; undefined where it is not here, or parts tell their places. */
  ordinalOf(name: string): number | undefined {
    return this.#ordinals?.get(name);
  }

  /** The bytes that it keeps in memory from here on. */
  add(context: PartContext<Ref>, part: Arrival): number {
    const { batch, index, ref, otherRefs = [], assignmentNumber, isInherited = false, keptBytes = 0 } = context;
    const { ordinal, last, timeMs, entry } = part;
    let at = this.pieces.length;
    while (at > 0 && (this.pieces[at - 1]?.ordinal ?? 0) > ordinal) at -= 1;
    // A part that comes again has nothing new to say; it is settled with the line.
    const same = this.pieces[at - 1];
    if (same?.ordinal === ordinal) {
      same.assignmentNumber = assignmentNumber;
    } else {
      const text = entry.subarray(part.textStart, part.textEnd);
      this.pieces.splice(at, 0, { ordinal, last, batch, index, text, timeMs, assignmentNumber });
      this.textBytes += text.length;
      this.#ordinals?.set(documentId(batch, index), ordinal);
    }
    this.refs.push(ref, ...otherRefs);
    this.isInherited ||= isInherited;
    const bytes = PART_OVERHEAD_BYTES * (1 + otherRefs.length) + entry.length + keptBytes;
    this.bufferedBytes += bytes;
    return bytes;
  }

  /** Whether it has a part of this ordinal that says something else: then a partial_id came twice. */
  isOther(part: Arrival): boolean {
    // From the end on, where it nearly always belongs.
    let at = this.pieces.length - 1;
    while (at >= 0 && this.pieces[at]!.ordinal > part.ordinal) at -= 1;
    const same = this.pieces[at];
    if (same?.ordinal !== part.ordinal) return false;
    const text = part.entry.subarray(part.textStart, part.textEnd);
    return same.timeMs !== part.timeMs || Buffer.compare(same.text, text) !== 0;
  }
}
