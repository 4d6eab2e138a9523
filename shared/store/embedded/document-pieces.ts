// Documents as what a block takes, and how many there are of each origin. Pure.

import type { BlockReader } from './blocks/decode-block.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import { BLOCK_BYTES, BLOCK_DOCUMENTS } from './tables/block-merge.ts';

/** Documents of each origin that are gone with the block. */
export function countsOf({ known }: BlockReader): Map<number, number> {
  const counts = new Map<number, number>();
  for (const origin of known.origin) counts.set(origin, (counts.get(origin) ?? 0) - 1);
  return counts;
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
