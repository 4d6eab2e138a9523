// An erasure, step by step: what a step is asked, and what it answers.

import type { StoreQuery } from '../store.ts';

/** Where an erasure goes on: behind this block. */
export interface EraseCursor {
  readonly block: number;
  /** Of the last document that was there when it began: what comes meanwhile is not followed. */
  readonly row: number;
}

export interface EraseStart {
  readonly query: StoreQuery;
  /** Null at the beginning. */
  readonly after: EraseCursor | null;
}

export interface ErasedRows {
  readonly erased: number;
  /** Documents that may be meant and cannot be read: they stay. */
  readonly unreadable: number;
  /** Where the next step goes on; null where nothing is left after this. */
  readonly next: EraseCursor | null;
}
