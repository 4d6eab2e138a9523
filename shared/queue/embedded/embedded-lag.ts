// The lag of a group on the embedded queue, read beside the process that writes it.

import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { startWorker } from '#shared/sqlite/worker-thread.ts';
import type { LagSource } from '../group-lag.ts';
import type { LogMethods, QueueThreadData } from './queue-thread.ts';

/** Rejects with data_dir_unusable. */
export async function openEmbeddedLag(config: Config, clock: Clock): Promise<LagSource> {
  const group = config['kafka.group'];
  const data: QueueThreadData = {
    folder: join(config['data.dir'], 'queue'),
    readOnly: true,
    setDamagedAside: false,
    bytesMax: config['queue.max_bytes'],
    deadLettersBytesMax: 0,
    retentionMs: config['queue.retention_ms'],
  };
  const thread = await startWorker<LogMethods>('queue-thread', import.meta.url, data);
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
