// Started and killed by spool-killed.test.ts: spools numbered records, a partition each, while the queue behind the
// spool is away, and says on stdout up to which number each is held: "0 5 4 4". Arguments: the data folder, and the
// number to begin with.

import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { openSpool } from '#shared/queue/spooled/open-spool.ts';
import { silentObserver } from '#shared/queue/spooled/local/spool-observer.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { recordOf } from './records.ts';
import { refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

const PARTITIONS = 4;
const [dataDir = '', first = '0'] = process.argv.slice(2);
const upstream = new UnsteadyQueue(new VirtualClock(), PARTITIONS);
upstream.fate = () => refusedWith('queue_unavailable');
const spool = await openSpool({
  config: loadConfig({ env: { SLUICE_DATA_DIR: dataDir, SLUICE_KAFKA_BROKERS: 'none:1' }, readFile: () => '' }),
  upstream: upstream.connect(),
  clock: systemClock,
  random: Math.random,
  observe: () => silentObserver,
  warn: () => undefined,
});
const next = new Array<number>(PARTITIONS).fill(Number(first));
async function appendFor(partition: number): Promise<never> {
  for (;;) {
    const n = next[partition] ?? 0;
    await spool.queue.append(partition, [recordOf(`source ${partition}`, n, 1 + ((n * 7919) % 3000))]);
    next[partition] = n + 1;
    process.stdout.write(`${next.join(' ')}\n`);
  }
}
await Promise.all(next.map((_, partition) => appendFor(partition)));
