// What is done to whole blocks, as it was read before the transaction that does it.

import { joinBlocks } from './blocks/join-blocks.ts';
import type { BlockReader } from './blocks/decode-block.ts';
import type { BlockDocument, EncodedBlock } from './blocks/encode-block.ts';
import type { BlockCache } from './tables/block-cache.ts';
import type { Block } from './tables/block-file.ts';

export interface Merge {
  readonly blocks: readonly Block[];
  /** What they become; null: a block of the documents is to be made. */
  readonly joined: EncodedBlock | null;
  readonly documents: readonly BlockDocument[];
}

export interface Erasure {
  readonly block: Block;
  readonly erased: readonly BlockDocument[];
  readonly left: readonly BlockDocument[];
}

/** Null: there is nothing to merge. `damaged` hears of those that cannot be read. */
export function readToMerge(
  blocks: readonly Block[],
  cache: BlockCache,
  damaged: (block: Block) => void,
): Merge | null {
  const merged: Block[] = [];
  const readers: BlockReader[] = [];
  for (const block of blocks) {
    const read = cache.read(block, (reader) => {
      reader.decodeAll();
      return reader;
    });
    if (read === null) damaged(block);
    else {
      merged.push(block);
      readers.push(read);
    }
  }
  if (merged.length < 2) return null;
  const length = merged.reduce((sum, { bytes }) => sum + bytes, 0);
  const joined = joinBlocks(readers, length);
  return { blocks: merged, joined, documents: joined === null ? documentsOf(readers) : [] };
}

function documentsOf(readers: readonly BlockReader[]): BlockDocument[] {
  const documents = readers.flatMap((reader) =>
    Array.from({ length: reader.documents }, (_, at) => reader.document(at)),
  );
  return documents.toSorted((a, b) => a.row - b.row);
}
