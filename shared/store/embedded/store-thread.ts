// The thread in which the embedded store's database lives. Started by store.ts through sqlite/worker-thread.ts.

import { freeOwn } from '#shared/memory/free-buffer.ts';
import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery, StoreSpace } from '../store.ts';
import { type DatabaseOptions, DocumentDatabase } from './database.ts';
import type { ErasedRows, EraseStart } from './erase-steps.ts';
import type { Deleted, Shed } from './deletions.ts';
import type { Documents, WriteResult } from './document-writes.ts';
import type { InspectionThread } from './inspect/store-files.ts';
import type { Counted, CountStart, RowPage } from './search/row-page.ts';

export interface StoreThread extends InspectionThread {
  /** `overBytes`: by how much the store is larger than its bound now; below zero: smaller. */
  write(documents: Documents): WriteResult & { readonly overBytes: number };
  page(step: { query: StoreQuery; bytesMax: number }): RowPage;
  expire(step: { now: Moment; limit: number }): Deleted;
  shed(argument: null): Shed & { readonly overBytes: number };
  measure(argument: null): StoreSpace;
  count(start: CountStart): Counted;
  erase(start: EraseStart): ErasedRows;
  convert(argument: null): boolean;
  merge(argument: null): boolean;
  mergeAll(now: Moment): boolean;
  checkpoint(argument: null): void;
  ping(argument: null): null;
}

serveWorker<DatabaseOptions, StoreThread>((options, notify) => {
  const database = new DocumentDatabase({ ...options, tell: notify });
  return {
    methods: {
      write(documents) {
        try {
          return { ...database.write(documents), overBytes: database.overBytes() };
        } finally {
          // Nothing of it is kept, and it would stay until all is collected, with those of many requests after it.
          for (const bytes of [documents.body, documents.bounds, documents.streams]) freeOwn(bytes);
        }
      },
      page: ({ query, bytesMax }) => database.page(query, bytesMax),
      expire: (step) => database.expire(step),
      shed: () => ({ ...database.shed(), overBytes: database.overBytes() }),
      measure: () => database.measure(),
      count: (start) => database.count(start),
      erase: (start) => database.erase(start),
      convert: () => database.convert(),
      merge: () => database.merge(),
      mergeAll: (now) => database.mergeAll(now),
      checkpoint: () => database.checkpoint(),
      compact: (step) => database.compact(step),
      inOrder: (start) => database.inOrder(start),
      summary: () => database.inspection.summary(),
      origins: () => database.inspection.origins(),
      sizes: (step) => database.inspection.sizes(step),
      verify: (step) => database.inspection.verify(step),
      counts: () => database.inspection.counts(),
      overBytes: () => database.overBytes(),
      ping: () => null,
    },
    close: () => database.close(),
  };
});
