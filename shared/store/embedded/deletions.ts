// What the store deletes by itself, in small steps: documents that are older than the retention, and the oldest ones
// where it is larger than its bound. Oldest by arrival: a time that a sender writes makes nothing older or younger.
//
// Guarantees: a step is done or undone as a whole; the block that was written last is never deleted for its size, nor
// is any for what cannot be deleted itself; a store of an earlier version is converted first, for its documents take a
// small part of the room then.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { AgeMarks } from '#shared/sqlite/age-marks.ts';
import { isDamaged, isFull } from '#shared/sqlite/database.ts';
import type { Moment, PassedTime } from '#shared/sqlite/passed-time.ts';
import type { DocumentWrites } from './document-writes.ts';
import type { EndedBlock, Kept } from './ended-blocks.ts';
import type { StoreSpace } from './space/store-space.ts';
import { StuckSpace } from './space/stuck-space.ts';
import { guarded } from './tables/document-file.ts';

export interface DeletionParts {
  readonly documents: DocumentWrites;
  readonly time: PassedTime;
  readonly marks: AgeMarks;
  readonly space: StoreSpace;
  transaction<T>(work: () => T): T;
  /** Whether documents of an earlier version are to become blocks. */
  isConverting(): boolean;
  /** Nothing is done with rows of an earlier version that are damaged. */
  ofOldRows(work: () => number): number;
  /** Whether deleted pages are overwritten. */
  overwrite(on: boolean): void;
  tell(message: string): void;
}

export interface Deleted {
  readonly documents: number;
  /** Of pages that they took. */
  readonly bytes: number;
}

export interface Shed extends Deleted {
  /** When the last of them was indexed, ms since the epoch; null where none tells. */
  readonly untilMs: number | null;
  /** Whether there is more to delete, or to give back. */
  readonly isMore: boolean;
}

const GIVEN_BACK_PAGES = 2000;
/** By age: no write is done meanwhile. */
const AGE_STEP_BYTES = 16 * 1024 * 1024;
/** By size, at once. Larger, for it has to keep up with what comes. */
const SIZE_STEP = { documents: 20_000, bytes: 16 * 1024 * 1024 };
const NOTHING: Shed = { documents: 0, bytes: 0, untilMs: null, isMore: false };

export class Deletions {
  readonly #parts: DeletionParts;
  readonly #stuck: StuckSpace;
  #isShedding = false;
  #toldOfBound = false;

  constructor(parts: DeletionParts) {
    this.#parts = parts;
    this.#stuck = new StuckSpace(parts.space, parts.documents.ended, parts.tell);
  }

  /**
   * Deletes blocks whose documents were all written longer ago than the retention, by the time that has passed since
   * (see passed-time.ts): about `limit` documents, fewer where they are large. Gives some of the space back.
   */
  expire({ now, limit }: { readonly now: Moment; readonly limit: number }): Deleted {
    const { documents, time, marks, space } = this.#parts;
    const passedMs = time.at(now);
    const last = documents.lastRow();
    const isDue = marks.isDue(last, passedMs);
    return this.#measured(
      () => {
        const { transaction, ofOldRows } = this.#parts;
        transaction(() => {
          if (isDue) marks.note(last, passedMs);
          if (time.isToBeKept) time.keep();
        });
        const expired = marks.expired(passedMs);
        const rows = !documents.hasOldRows
          ? 0
          : ofOldRows(() => transaction(() => documents.expireOldRows(expired, limit)));
        const ended = { rowMax: marks.expired(passedMs), documents: limit - rows, bytes: AGE_STEP_BYTES };
        return { documents: rows + this.#remove(guarded(() => documents.ended.next(ended))) };
      },
      ({ documents: deleted }) => {
        if (deleted > 0 || space.hasMuchFree()) space.giveBack(GIVEN_BACK_PAGES);
      },
    );
  }

  /** A step on the way back below the bound, once it was passed. */
  shed(): Shed {
    const { documents, space } = this.#parts;
    if (this.#parts.isConverting()) return NOTHING;
    // Documents of an earlier version that are left now are damaged.
    if (documents.hasOldRows && space.overBytes() > 0 && !guarded(() => this.#stuck.find()))
      return { ...NOTHING, isMore: true };
    const overBytes = space.overLowBytes();
    this.#isShedding = this.#isShedding ? overBytes > 0 : space.overBytes() > 0;
    if (!this.#isShedding) return { ...NOTHING, isMore: space.giveBackBeyond(GIVEN_BACK_PAGES) };
    const rowMax = guarded(() => documents.ended.lastRow()) - 1;
    // Their names and rows go with them: half of it at once is never too many.
    const bytes = Math.min(SIZE_STEP.bytes, overBytes / 2);
    const ended = guarded(() => documents.ended.next({ rowMax, documents: SIZE_STEP.documents, bytes }));
    if (ended.length === 0) {
      this.#isShedding = false;
      this.#tellOfBound();
      return NOTHING;
    }
    const shed = this.#measured(() => this.#removeWithinDisk(ended));
    return { ...shed, isMore: true };
  }

  /** A full disk may have room for one of them, where the WAL is used anew. */
  #removeWithinDisk(ended: readonly EndedBlock[]): { documents: number; untilMs: number | null } {
    const removed = (blocks: readonly EndedBlock[]) => ({
      documents: this.#remove(blocks),
      untilMs: blocks.reduce<number | null>((last, { lastMs }) => greater(last, lastMs), null),
    });
    try {
      return removed(ended);
    } catch (error) {
      if (!(error instanceof SluiceError) || !isFull(error.cause)) throw error;
      this.#parts.space.checkpoint('RESTART');
      return removed(ended.slice(0, 1));
    }
  }

  /** Returns how many documents they had. What cannot be deleted for a damaged page costs itself only. */
  #remove(ended: readonly EndedBlock[]): number {
    const { documents, transaction } = this.#parts;
    if (ended.length === 0) return 0;
    try {
      return transaction(() => ended.reduce((sum, block) => sum + documents.ended.remove(block, 'nothing'), 0));
    } catch (error) {
      if (!isDamaged(error)) throw error;
      const [only] = ended;
      if (ended.length > 1 || only === undefined) return ended.reduce((sum, block) => sum + this.#remove([block]), 0);
      return this.#removeDamaged(only, error);
    }
  }

  #removeDamaged(block: EndedBlock, damage: unknown): number {
    const { documents, transaction, tell } = this.#parts;
    const removed = (kept: Kept): number => {
      const count = transaction(() => documents.ended.remove(block, kept));
      tell(`Cannot give back the space of block ${block.id} of the embedded store: ${reasonOf(damage)}`);
      return count;
    };
    try {
      return removed('parts');
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return removed('parts and names');
    }
  }

  #measured<T extends object>(work: () => T, after?: (done: T) => void): T & { readonly bytes: number } {
    const { space, overwrite } = this.#parts;
    const before = space.usedBytes();
    // What ends by age or size was not erased: nothing has to be overwritten.
    overwrite(false);
    try {
      const done = work();
      const bytes = Math.max(0, before - space.usedBytes());
      after?.(done);
      return { ...done, bytes };
    } finally {
      overwrite(true);
    }
  }

  #tellOfBound(): void {
    if (!this.#toldOfBound)
      this.#parts.tell(
        'The embedded store is larger than store.max_bytes even with nothing but what was written last; raise it',
      );
    this.#toldOfBound = true;
  }
}

function greater(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
