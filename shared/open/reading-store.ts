// The embedded store for a thread that does nothing but search: it reads the file itself, without a thread of its own
// in between. What is committed is found at once, whoever wrote it.
//
// Guarantees: writes nothing; between two pages its thread has a turn for other things.

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { allOf, PAGE_BYTES, pagesOf } from '../store/pages.ts';
import type { Arrived, Arriving, ReadableStore, StoredDocument, StoredPage, StoreQuery } from '../store/store.ts';
import { DocumentDatabase } from '../store/embedded/database.ts';
import { arrivedIn } from '../store/embedded/search/arrived.ts';
import { type Row, RowDocument } from '../store/embedded/search/row-page.ts';
import { WakeUp } from '../store/wake-up.ts';
import { spanCounts } from '../store/embedded/search/span-counts.ts';

export interface ReadingStoreOptions {
  readonly dataDir: string;
  /** Of damage: what is damaged is left out. */
  readonly warn: (message: string) => void;
}

/** Settings that only whoever writes goes by. */
const UNUSED = { retentionMs: 0, namesMax: 0 } as const;

const documentOf = (row: Row): RowDocument => new RowDocument(row);

export class ReadingStore implements ReadableStore {
  /** Whoever writes says when something was committed. */
  readonly arrivals = new WakeUp();
  readonly #database: DocumentDatabase;

  /** Throws data_dir_unusable or store_unavailable. */
  constructor({ dataDir, warn }: ReadingStoreOptions) {
    this.#database = new DocumentDatabase({ folder: join(dataDir, 'store'), readOnly: true, ...UNUSED, tell: warn });
  }

  pages(query: StoreQuery, signal?: AbortSignal): AsyncGenerator<StoredPage, void, void> {
    return pagesOf(query, async (step) => {
      await nextTurn();
      signal?.throwIfAborted();
      const { rows, ...page } = this.#database.page(step, PAGE_BYTES);
      return { ...page, documents: rows.map(documentOf) };
    });
  }

  counts(
    query: Omit<StoreQuery, 'limit'>,
    everyMs: number | null,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, number> | null> {
    return spanCounts(query, everyMs, async (start) => {
      await nextTurn();
      signal?.throwIfAborted();
      return this.#database.count(start);
    });
  }

  async arrived(query: Arriving, after: number | null, signal?: AbortSignal): Promise<Arrived> {
    await nextTurn();
    signal?.throwIfAborted();
    return arrivedIn(query, after, { inOrder: (start) => this.#database.inOrder(start), documentOf });
  }

  nextArrival(): Promise<void> {
    return this.arrivals.next;
  }

  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return allOf(this.pages(query, signal));
  }

  close(): void {
    this.#database.close();
  }
}
