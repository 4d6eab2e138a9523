// Erasing documents from the store. One implementation for each store: elasticsearch/eraser.ts, embedded/eraser.ts.
//
// Guarantees: what a query does not find stays. Doing it twice is harmless. What is written while it runs may stay, and
// is found by the count that comes after.

import type { StoredDocument, StoreQuery } from './store.ts';

/** Of which documents; all where it names none. Its parts must all apply. */
export type EraseQuery = Pick<StoreQuery, 'tenant' | 'container' | 'text' | 'since' | 'until'>;

/** What became of some documents. */
export interface EraseStep {
  readonly erased: number;
  /** Why some were not, and how many; such as an index that may not be written to. */
  readonly refused: ReadonlyMap<string, number>;
}

export interface StoreEraser extends AsyncDisposable {
  /** A count so long after a write or an erasure knows of it. */
  readonly foundAfterMs: number;
  /** How many documents there are of the query, as far as a search finds them. */
  count(query: EraseQuery, signal?: AbortSignal): Promise<number>;
  /** The newest of them. */
  examples(query: EraseQuery, signal?: AbortSignal): Promise<StoredDocument[]>;
  /** What of the store cannot be written to or searched now, a sentence each. */
  unreachable(signal?: AbortSignal): Promise<string[]>;
  /** Erases what there is by now, a bounded number at a time. */
  erase(query: EraseQuery, signal?: AbortSignal): AsyncGenerator<EraseStep, void, void>;
}
