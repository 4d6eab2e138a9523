// What the joiner remembers of lines that it has passed on: how far an unfinished line came, so that its rest gets
// another name; and which parts were in a line, so that a part that is sent again is known as a repeat.
//
// A sender that missed an ack sends the last part again, behind the line that has it. Such a repeat says nothing new,
// but only under the assignment that the part came in: its offsets wait for the outcome of the line. Under a later
// assignment the line may not be stored yet, and its parts are joined again.
//
// Guarantee: bounded; what was remembered first is forgotten first: of the beginnings whose parts tell no place, which
// anybody can make many of, that of the tenant that has the most.

import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { type NamedPiece, hasNoGap } from './line-names.ts';
import { TenantShares } from './tenant-shares.ts';

const LINES_MAX = 4096;
const PARTS_MAX = 4 * LINES_MAX;
/** How long the rest of a line is expected whose parts tell no place in it: what comes later is looked at as new. */
const EXPECTED_MS = 600_000;

export interface PassedPiece extends NamedPiece {
  readonly last: boolean;
  /** Number of the last assignment that it came under. */
  readonly assignmentNumber: number;
}

/** The beginning of a line of a source whose parts tell no place in it. */
interface Beginning {
  readonly firstName: string;
  readonly ordinal: number;
  readonly untilMs: number;
}

export class PassedParts {
  /** By the line's key: the last ordinal that was passed on of a line that is not finished. */
  readonly #ordinals = new Map<string, number>();
  /** The same where the parts tell no place in it, by when they were passed on. */
  readonly #sources = new TenantShares<Beginning>(LINES_MAX);
  /** By a part's name: the number of the assignment that it came under. */
  readonly #names = new Map<string, number>();
  /** Identities of batches with a part that told no place in its line, and ended it. */
  readonly #ends = new Map<string, true>();

  /** Whether the part was passed on, and came under this assignment then. */
  isRepeat(batch: Batch, index: number, assignmentNumber: number): boolean {
    return this.#names.get(documentId(batch, index)) === assignmentNumber;
  }

  /** Whether an entry of the batch may have ended a line whose parts tell no place in it, and was passed on. */
  hasEndOf({ id, chain }: Batch): boolean {
    // Lines that are named by position come again in other batches.
    return this.#ends.size > 0 && (chain !== null || this.#ends.has(keyOf(id)));
  }

  /** Whether the beginning of the line was passed on. */
  hasBeginning(key: string): boolean {
    return this.#ordinals.has(key) || this.#beginningOf(key) !== undefined;
  }

  /** Whether a line was begun, and not finished, whose parts tell no place in it. */
  get hasSources(): boolean {
    return this.#sources.size > 0;
  }

  /** Forgets beginnings of which no rest is expected any more. */
  forgetOld(nowMs: number): void {
    if (this.#sources.size > 0) this.#sources.forget(({ untilMs }) => untilMs <= nowMs);
  }

  /** Whether the line that was begun under this key begins with this part: it is read again from there on. */
  beginsWith(key: string, name: string): boolean {
    return this.#beginningOf(key)?.firstName === name;
  }

  /** Of the line's parts, the first that was not passed on. */
  firstMissing(key: string): number {
    return (this.#ordinals.get(key) ?? this.#beginningOf(key)?.ordinal ?? 0) + 1;
  }

  /** What comes is no rest of the line whose beginning was passed on. */
  forgetBeginning(key: string): void {
    this.#ordinals.delete(key);
    this.#sources.delete(tenantOf(key), key);
  }

  /** Parts that were passed on may be read again, and must be taken then. */
  forgetParts(): void {
    this.#names.clear();
    this.#ends.clear();
  }

  /**
   * The pieces are passed on, in their order; `partial`: not as a whole line. `untoldMs`: now, where they tell no place
   * in their line.
   */
  remember(key: string, pieces: readonly PassedPiece[], partial: boolean, untoldMs: number | null): void {
    if (partial && untoldMs === null) this.#rememberBeginning(key, pieces);
    else if (partial) this.#rememberSource(key, pieces, untoldMs ?? 0);
    for (const piece of pieces) this.#rememberPart(piece);
    const last = pieces.at(-1);
    if (untoldMs !== null && last?.last === true) this.#rememberEnd(last.batch);
  }

  #beginningOf(key: string): Beginning | undefined {
    return this.#sources.size === 0 ? undefined : this.#sources.get(tenantOf(key), key);
  }

  #rememberEnd({ id }: Batch): void {
    const key = keyOf(id);
    this.#ends.delete(key);
    this.#ends.set(key, true);
    if (this.#ends.size > PARTS_MAX) forgetOldest(this.#ends);
  }

  #rememberSource(key: string, pieces: readonly PassedPiece[], nowMs: number): void {
    const before = this.#beginningOf(key);
    this.#sources.delete(tenantOf(key), key);
    const [first] = pieces;
    const last = pieces.at(-1);
    if (!first || !last || last.last) return;
    const firstName = before?.firstName ?? documentId(first.batch, first.index);
    this.#sources.set(tenantOf(key), key, { firstName, ordinal: last.ordinal, untilMs: nowMs + EXPECTED_MS });
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

/** The second word of a line's key (joiner.ts). */
function tenantOf(key: string): string {
  const start = key.indexOf('\0') + 1;
  return key.slice(start, key.indexOf('\0', start));
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}

function forgetOldest(remembered: Map<string, unknown>): void {
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    break;
  }
}
