// Documents as what a block takes, and how many there are of each origin. Pure.

import type { ReadBatch } from './batch-reader.ts';
import type { BlockReader } from './blocks/decode-block.ts';
import { type DocumentName, idOf, namesIn } from './blocks/document-ids.ts';
import { type Chosen, lengthOf } from './blocks/encode-batch.ts';
import { withNamesAsAttributes } from './names-as-attributes.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS } from './tables/block-merge.ts';

/** Nearer to each other than what has blocks of its own (time-groups.ts). */
const GAP_SECONDS = 3600;
const NOBODY: DocumentName = { key: '', index: 0 };

/** Documents of each origin that are gone with the block. */
export function countsOf({ known }: BlockReader): Map<number, number> {
  const counts = new Map<number, number>();
  for (const origin of known.origin) counts.set(origin, (counts.get(origin) ?? 0) - 1);
  return counts;
}

/** Whether they may be one block, with the text that they have in the body. */
export function isOneBlock(chosen: Chosen, { texts }: ReadBatch, nameless: ReadonlySet<number>): boolean {
  const { documents } = chosen;
  const { seconds } = chosen.batch;
  if (documents.length === 0 || documents.length > BLOCK_DOCUMENTS || texts.size > 0 || nameless.size > 0) return false;
  let [least, greatest] = [Infinity, -Infinity];
  for (const item of documents) {
    least = Math.min(least, seconds[item] ?? 0);
    greatest = Math.max(greatest, seconds[item] ?? 0);
  }
  return lengthOf(chosen) <= BLOCK_BYTES && greatest - least < GAP_SECONDS;
}

/** One by one. `nameless`: items that have their names among their attributes. */
export function documentsOf(
  { batch, documents, rows, origins, runs }: Chosen,
  { texts }: ReadBatch,
  nameless: ReadonlySet<number>,
): BlockDocument[] {
  const names = namesIn(runs);
  return Array.from(documents, (item, i) => {
    const text = texts.get(item) ?? batch.textOf(item);
    return {
      id: idOf(names.next().value ?? NOBODY),
      row: rows[i] ?? 0,
      origin: origins[i] ?? 0,
      text: nameless.has(item) ? withNamesAsAttributes(text) : text,
      ...batch.knownOf(item),
    };
  });
}

/** Of as many documents, and bytes, as a block takes. */
export function* piecesOf(documents: readonly BlockDocument[]): Generator<BlockDocument[], void, void> {
  let piece: BlockDocument[] = [];
  let bytes = 0;
  for (const document of documents) {
    if (piece.length > 0 && (piece.length >= BLOCK_DOCUMENTS || bytes + document.text.length > BLOCK_BYTES)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(document);
    bytes += document.text.length;
  }
  if (piece.length > 0) yield piece;
}

export function changes(documents: readonly BlockDocument[], each: 1 | -1): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { origin } of documents) counts.set(origin, (counts.get(origin) ?? 0) + each);
  return counts;
}
