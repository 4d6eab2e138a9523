// Records of Docker's `local` log driver to a run of entries; how they look is in container-texts.ts, and what a record
// is, in local-record.ts.
//
//   whole record                     its line
//   what is no record                as it is, up to the next whole one, in pieces of 64 KiB: it costs no other record
//   the beginning of a record        waits for the rest, or for who says that it does not come (`passesTorn`)
//
// Guarantees: pure; linear; the same bytes give the same entries, however they are cut into calls. NULs before a record
// are no damage: a power failure leaves them.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { PART_BYTES } from '../files/file-entries.ts';
import { ContainerTexts, textAsItIs } from './container-texts.ts';
import { LENGTH_BYTES, lineOfRecord, MORE, nextRecord, NONE, recordEnd } from './local-record.ts';

/** In so many, it is seen whether a record begins in a piece or just behind it. */
const DECIDED_BYTES = PART_BYTES + 16;

export class LocalEntries extends ContainerTexts {
  /** The rest is never a line by itself. */
  readonly isAtLine = false;
  override readonly headBytes = LENGTH_BYTES;
  protected readonly isInLine = false;
  /** Before this offset, what is not whole will never be. */
  #tornEnd = 0;

  override passesTorn(bytes: Buffer, start: number, end: number): boolean {
    const held = bytes.subarray(0, end);
    const next = nextRecord(held, start, Math.min(end, start + PART_BYTES), true);
    if (next < 0 && end - start <= PART_BYTES) return false;
    this.#tornEnd = this.offset + Math.max(1, next - start);
    return true;
  }

  protected override textStart(held: Buffer, at: number): number {
    if (recordEnd(held, at) !== NONE) return at;
    let nulsEnd = at;
    while (nulsEnd < held.length && held[nulsEnd] === 0) nulsEnd += 1;
    if (nulsEnd === held.length) return nulsEnd;
    // The first bytes of a length are NULs too.
    for (let start = Math.max(at + 1, nulsEnd - LENGTH_BYTES + 1); start <= nulsEnd; start += 1) {
      const end = recordEnd(held, start);
      if (end >= 0) return start;
      if (end === MORE && !this.#isTorn) return held.length;
    }
    return at;
  }

  protected override writeNext(writer: MsgpackWriter, held: Buffer, start: number): number {
    const end = recordEnd(held, start);
    if (end === MORE && !this.#isTorn) return -1;
    if (end < 0) return this.#pass(writer, held, start);
    const line = lineOfRecord(held, start, end);
    if (line === null) return this.#giveAsItIs(writer, held, start, end);
    return this.give(writer, line, { bytes: held, start, end });
  }

  asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.asEnd(writer, bytes, start, end);
  }

  asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.knowNow();
    this.#giveAsItIs(writer, bytes, start, end);
  }

  get #isTorn(): boolean {
    return this.offset < this.#tornEnd;
  }

  /** What is no record. */
  #pass(writer: MsgpackWriter, held: Buffer, start: number): number {
    const pieceEnd = start + PART_BYTES;
    const next = nextRecord(held, start + 1, pieceEnd + 1, this.#isTorn);
    if (next >= 0) return this.#giveAsItIs(writer, held, start, next);
    const isDecided = next === NONE && held.length - start >= DECIDED_BYTES;
    if (!isDecided && !this.#isTorn) return -1;
    return this.#giveAsItIs(writer, held, start, Math.min(pieceEnd, held.length));
  }

  #giveAsItIs(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): number {
    this.malformed += 1;
    return this.give(writer, textAsItIs(bytes, start, end), { bytes, start, end });
  }
}
