// What the joiner remembers of lines that it has passed on: how far an unfinished line came, so that its rest gets
// another name; and which parts were in a line, so that a part that is sent again is known as a repeat.
//
// A sender that missed an ack sends the last part again, behind the line that has it. Such a repeat says nothing new,
// but only under the assignment that the part came in: its offsets wait for the outcome of the line. Under a later
// assignment the line may not be stored yet, and its parts are joined again.
//
// Guarantee: bounded; what was remembered first is forgotten first.

import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { type NamedPiece, hasNoGap } from './line-names.ts';

const LINES_MAX = 4096;
const PARTS_MAX = 4 * LINES_MAX;

export interface PassedPiece extends NamedPiece {
  readonly last: boolean;
  /** Number of the last assignment that it came under. */
  readonly assignmentNumber: number;
}

export class PassedParts {
  /** By the line's key: the last ordinal that was passed on of a line that is not finished. */
  readonly #ordinals = new Map<string, number>();
  /** By a part's name: the number of the assignment that it came under. */
  readonly #names = new Map<string, number>();

  /** Whether the part was passed on, and came under this assignment then. */
  isRepeat(batch: Batch, index: number, assignmentNumber: number): boolean {
    return this.#names.get(documentId(batch, index)) === assignmentNumber;
  }

  /** Whether the beginning of the line was passed on. */
  hasBeginning(key: string): boolean {
    return this.#ordinals.has(key);
  }

  /** Of the line's parts, the first that was not passed on. */
  firstMissing(key: string): number {
    return (this.#ordinals.get(key) ?? 0) + 1;
  }

  /** What comes is no rest of the line whose beginning was passed on. */
  forgetBeginning(key: string): void {
    this.#ordinals.delete(key);
  }

  /** Parts that were passed on may be read again, and must be taken then. */
  forgetParts(): void {
    this.#names.clear();
  }

  /** The pieces are passed on, in their order; `partial`: not as a whole line. */
  remember(key: string, pieces: readonly PassedPiece[], partial: boolean): void {
    if (partial) this.#rememberBeginning(key, pieces);
    for (const piece of pieces) this.#rememberPart(piece);
  }

  #rememberBeginning(key: string, pieces: readonly PassedPiece[]): void {
    this.#ordinals.delete(key);
    const last = pieces.at(-1);
    if (!last || (last.last && hasNoGap(pieces))) return;
    this.#ordinals.set(key, last.ordinal);
    if (this.#ordinals.size > LINES_MAX) forgetOldest(this.#ordinals);
  }

  #rememberPart({ batch, index, assignmentNumber }: PassedPiece): void {
    const name = documentId(batch, index);
    this.#names.delete(name);
    this.#names.set(name, assignmentNumber);
    if (this.#names.size > PARTS_MAX) forgetOldest(this.#names);
  }
}

function forgetOldest(remembered: Map<string, number>): void {
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    break;
  }
}
