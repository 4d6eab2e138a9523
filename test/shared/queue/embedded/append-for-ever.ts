// Started and killed by embedded-queue.test.ts: appends numbered records of all sizes, several at a time, and says on
// stdout how many of the first ones are held. Argument: the data folder.

import { systemClock } from '#shared/clock.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';

const AT_ONCE = 8;
const queue = await openEmbeddedQueue({
  dataDir: process.argv[2] ?? '',
  bytesMax: 1024 ** 3,
  retentionMs: 3_600_000,
  readOnly: false,
  clock: systemClock,
  warn: () => undefined,
});
let next = (await Array.fromAsync(queue.read({ topic: 'logs' }))).length;
for (;;) {
  const appends: Promise<void>[] = [];
  for (let i = 0; i < AT_ONCE; i++, next++) {
    const value = Buffer.from(`${next} ${'x'.repeat((next * 7919) % 40_000)}`);
    appends.push(queue.append(0, [{ encoding: 'identity', batches: Buffer.from('b'), value }]));
  }
  await Promise.all(appends);
  process.stdout.write(`${next}\n`);
}
