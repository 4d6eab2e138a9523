// The thread of a child process in which records are opened. Started by opening-child.ts through sqlite/worker-thread.ts; nothing else
// may import it.

import { type Served, serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { type OpeningOptions, openWholly } from './opening.ts';

export interface OpeningWorker {
  open(record: FetchedRecord): Promise<void>;
}

serveWorker<OpeningOptions, OpeningWorker>((options, notify): Served<OpeningWorker> => ({
  methods: { open: (record) => openWholly(record, options, notify) },
  close: () => undefined,
}));
