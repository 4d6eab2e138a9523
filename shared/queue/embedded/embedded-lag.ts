// The lag of a group on the embedded queue, read beside the process that writes it.

import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { LagSource } from '../group-lag.ts';
import type { LogMethods, QueueThreadData } from './queue-thread.ts';

/** The folder of the queue. */
export function queueFolder(config: Config): string {
  return join(config['data.dir'], 'queue');
}

/** A thread that only reads the log, beside the process that writes it. Rejects with data_dir_unusable. */
export function startReader(config: Config): Promise<WorkerThread<LogMethods>> {
  const data: QueueThreadData = {
    folder: queueFolder(config),
    readOnly: true,
    setDamagedAside: false,
    bytesMax: config['queue.max_bytes'],
    deadLettersBytesMax: 0,
    retentionMs: config['queue.retention_ms'],
  };
  return startWorker<LogMethods>('queue-thread', import.meta.url, data);
}

/** Rejects with data_dir_unusable. */
export async function openEmbeddedLag(config: Config, clock: Clock): Promise<LagSource> {
  const group = config['kafka.group'];
  const thread = await startReader(config);
  return {
    async sample() {
      const stand = await thread.call('standOf', group);
      return {
        group,
        topic: config['kafka.topic'],
        atMs: clock.epochMs(),
        partitions: [{ partition: 0, ...stand }],
        // Nothing that was not read is ever removed, and who reads is not written down.
        members: null,
        retentionMs: null,
      };
    },
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose](),
  };
}
