// The thread in which the embedded store's database lives. Started by store.ts through sqlite/worker-thread.ts.

import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { StoreQuery } from '../store.ts';
import { type DatabaseOptions, DocumentDatabase, type Documents, type Row, type WriteResult } from './database.ts';

export interface StoreWorker {
  write(documents: Documents): WriteResult;
  search(query: StoreQuery): Row[];
  expire(before: { ingestedMs: number; limit: number }): number;
  ping(argument: null): null;
}

serveWorker<DatabaseOptions, StoreWorker>((options) => {
  const database = new DocumentDatabase(options);
  return {
    methods: {
      write: (documents) => database.write(documents),
      search: (query) => database.search(query),
      expire: (before) => database.expire(before),
      ping: () => null,
    },
    close: () => database.close(),
  };
});
