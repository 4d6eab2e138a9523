// What is done to whole blocks, as it was read before the transaction that does it.

import type { NameRun } from './blocks/document-ids.ts';
import type { BlockDocument } from './blocks/encode-block.ts';
import type { Block } from './tables/block-file.ts';

export interface Merge {
  readonly blocks: readonly Block[];
  readonly documents: readonly BlockDocument[];
}

export interface EndedBlock {
  readonly id: number;
  readonly documents: number;
  readonly runs: readonly NameRun[];
  readonly counts: ReadonlyMap<number, number>;
}

export interface Erasure {
  readonly block: Block;
  readonly erased: readonly BlockDocument[];
  readonly left: readonly BlockDocument[];
}
