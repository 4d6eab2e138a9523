// What is done to whole blocks, as it was read before the transaction that does it.

import type { BlockDocument } from './blocks/encode-block.ts';
import type { Block } from './tables/block-file.ts';

export interface Merge {
  readonly blocks: readonly Block[];
  readonly documents: readonly BlockDocument[];
}

export interface Erasure {
  readonly block: Block;
  readonly erased: readonly BlockDocument[];
  readonly left: readonly BlockDocument[];
}
