// Dead letters in the embedded queue of a place, as if an indexer had appended them. Nothing else may have the queue
// open for writing.

import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import type { Place } from './sluice-process.ts';

export async function storeDeadLetters(place: Place, deadLetters: readonly DeadLetter[]): Promise<void> {
  await using queue = await openEmbeddedQueue({
    dataDir: place.dataDir,
    bytesMax: 1024 ** 3,
    retentionMs: 3_600_000,
    readOnly: false,
    clock: systemClock,
    warn: () => undefined,
  });
  await queue.appendDeadLetters(deadLetters);
}
