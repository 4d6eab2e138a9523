// The thread in which the embedded store's database lives. Started by store.ts through sqlite/worker-thread.ts.

import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import type { StoreQuery, StoreSpace } from '../store.ts';
import { type DatabaseOptions, DocumentDatabase } from './database.ts';
import type { ErasedRows, EraseStart } from './erase-steps.ts';
import type { Deleted, Shed } from './deletions.ts';
