// The thread of the child process in which planted records do their harm.

import { eventsOf, openWholly, type OpeningOptions } from '#indexer/poison/record-trial.ts';
import type { OpeningThread } from '#indexer/poison/opening-thread.ts';
import { serveWorker } from '#shared/sqlite/worker-thread.ts';
import { plantedDecompress } from './planted.ts';

serveWorker<OpeningOptions, OpeningThread>((options, notify) => ({
  methods: {
    events: eventsOf,
    open: (record) => openWholly(record, { ...options, decompress: plantedDecompress }, notify),
  },
  close: () => undefined,
}));
