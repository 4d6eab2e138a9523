// The names of lines that were put together of parts, and of the parts by themselves. Pure.
//
// A line has the name of the LAST part in hand. Were it the first one's, this could happen: parts 1–2 time out and are
// stored, the process dies before it commits, all three parts are read again, and the whole line meets its own
// beginning under its name: 409, and part 3 is lost without a word. So a name must always mean the same text:
//   · a part's own name: all of the line up to that part;
//   · a hash of its parts' names: what lacks its beginning (it was passed on before, or another forwarder has it, or it
//     is gone), and what has a gap.
// Of parts that tell no place in their line, the last one is a document by itself wherever its beginning is not known.
// There a part's own name means that part alone, and a hash of their names any two or more.
// Text may thus be stored twice after a crash between timeout and commit. It is never swallowed.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { chainAtEntry } from '#shared/record/chain.ts';
import { IDENTITY_BYTES, POSITION_NAME_BYTES, documentId, hashedIdentity } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';

/** A part, as far as it gives its line a name. */
export interface NamedPiece {
  readonly ordinal: number;
  readonly batch: Batch;
  readonly index: number;
  readonly timeMs: number;
}

/**
 * Of longer lines only the beginnings are named, and the first of them where they have names of their own: those of all
 * cost the square of their number.
 */
const NAMED_ENDS_MAX = 64;

export function hasNoGap(pieces: readonly NamedPiece[]): boolean {
  const first = pieces[0]?.ordinal ?? 0;
  return (pieces.at(-1)?.ordinal ?? 0) - first === pieces.length - 1;
}

/** The batch that gives a line of these parts its name, at the last part's index. */
export function namedBatch(pieces: readonly NamedPiece[], tellsPlaces: boolean): Batch {
  const first = pieces[0];
  const last = pieces.at(-1);
  assert(first !== undefined && last !== undefined, 'a line has a part');
  const hasOwn = tellsPlaces ? first.ordinal === 1 && hasNoGap(pieces) : pieces.length === 1;
  const named = hasOwn ? batchOfLast(last) : batchOfAll(pieces, last);
  return { ...named, first: last.index, count: 1 };
}

/** The names of all beginnings and ends of a line. */
export function idsOfUnfinished(pieces: readonly NamedPiece[], tellsPlaces: boolean): string[] {
  const isLong = pieces.length > NAMED_ENDS_MAX;
  // Without gaps the name of a beginning is that of its last part.
  if (isLong && tellsPlaces) return pieces.slice(0, -1).map(({ batch, index }) => documentId(batch, index));
  const cuts = Array.from({ length: isLong ? NAMED_ENDS_MAX : pieces.length - 1 }, (_, i) => i + 1);
  return cuts
    .flatMap((at) => (isLong ? [pieces.slice(0, at)] : [pieces.slice(0, at), pieces.slice(at)]))
    .map((some) => {
      const batch = namedBatch(some, tellsPlaces);
      return documentId(batch, batch.first);
    });
}

/** The last part's batch, in which the line has that part's own name. */
function batchOfLast({ batch, index }: NamedPiece): Batch {
  const { names, first } = batch;
  if (names === undefined) return batch;
  const at = (index - first) * POSITION_NAME_BYTES;
  return { ...batch, names: { ...names, bytes: names.bytes.subarray(at, at + POSITION_NAME_BYTES) } };
}

/** The batch of one entry by itself, in memory of its own: what it was read from may go. */
export function batchOfPart(batch: Batch, index: number): Batch {
  const { id, chain, names, first } = batch;
  const own = { ...batch, id: new Uint8Array(id), chain: chain && new Uint8Array(chain) };
  if (chain === null || names === undefined) return own;
  const at = (index - first) * POSITION_NAME_BYTES;
  return {
    ...own,
    first: index,
    count: 1,
    chain: new Uint8Array(chainAtEntry(chain, names, index - first)),
    names: { ...names, bytes: names.bytes.slice(at, at + POSITION_NAME_BYTES) },
  };
}

/** A batch whose identity names these parts together, other than that of any of them. */
export function batchOfAll(
  pieces: readonly Pick<NamedPiece, 'batch' | 'index'>[],
  { batch, timeMs }: Pick<NamedPiece, 'batch' | 'timeMs'>,
): Batch {
  const { names: _, ...unnamed } = batch;
  const text = pieces.map((piece) => documentId(piece.batch, piece.index)).join(' ');
  const id =
    batch.version === 1 ? hash('sha256', text, 'buffer').subarray(0, IDENTITY_BYTES) : hashedIdentity(timeMs, text);
  return { ...unnamed, id, chain: null };
}
