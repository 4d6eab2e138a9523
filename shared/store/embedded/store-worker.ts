// The thread in which the embedded store's database lives. Started by store.ts through sqlite/worker-thread.ts.

import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery } from '../store.ts';
import { type DatabaseOptions, DocumentDatabase, type Documents, type Row, type WriteResult } from './database.ts';

export interface StoreWorker {
  write(documents: Documents): WriteResult;
  search(query: StoreQuery): Row[];
  expire(step: { now: Moment; limit: number }): number;
  ping(argument: null): null;
}

serveWorker<DatabaseOptions, StoreWorker>((options, notify) => {
  const database = new DocumentDatabase({ ...options, tell: notify });
  return {
    methods: {
      write: (documents) => database.write(documents),
      search: (query) => database.search(query),
      expire: (step) => database.expire(step),
      ping: () => null,
    },
    close: () => database.close(),
  };
});
