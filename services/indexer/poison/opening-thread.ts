// The thread of a child process in which records are opened. Started by opening-child.ts through
// sqlite/worker-thread.ts; nothing else may import it.

import { type Served, serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { eventsOf, type OpeningOptions, openWholly } from './record-trial.ts';

export interface OpeningThread {
  /** Events that its table speaks of; null where that cannot be read. */
  events(record: Pick<FetchedRecord, 'headers'>): number | null;
  open(record: FetchedRecord): Promise<void>;
}

serveWorker<OpeningOptions, OpeningThread>((options, notify): Served<OpeningThread> => ({
  methods: { events: eventsOf, open: (record) => openWholly(record, options, notify) },
  close: () => undefined,
}));
