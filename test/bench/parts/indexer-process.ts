// The indexer in a process of its own, so that its processor time and memory are its own: `sluice indexer` without the
// command line. Runs until it has settled as many events as SLUICE_TEST_EVENTS says, then tells what that took, and
// stops. What it takes is counted from the first event on, or once SLUICE_TEST_WARM_UP events are settled.

import { startIndexer } from '#indexer/shells/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { openStore } from '#shared/open/open-store.ts';
import { withStream } from '#test/indexer/own-stream.ts';

export interface IndexerReport {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssPeakBytes: number;
  readonly imbalance: number;
}

const eventsMax = Number(process.env['SLUICE_TEST_EVENTS']);
const warmUp = Number(process.env['SLUICE_TEST_WARM_UP'] ?? 0);
const config = loadConfig({ env: process.env, readFile: () => '' });
const clock = systemClock;
const log = createLog('warn', clock);
const metrics = new Metrics({ version: 'bench', command: 'indexer' });
await using queue = await openQueue(config, { observer: silentQueueObserver });
const opened = await openStore(config);
const stream = process.env['SLUICE_TEST_STREAM'];
await using store = stream ? withStream(opened, stream) : opened;
await using indexer = await startIndexer({ config, queue, store, metrics, log, clock, random: Math.random });

const { counts } = indexer.ledger;
const settled = (): number => counts.indexed + counts.deduplicated;
while (counts.consumed === 0 || settled() < warmUp) await clock.sleep(2);
const settledBefore = warmUp === 0 ? 0 : settled();
const startMs = clock.monotonicMs();
const startCpu = process.cpuUsage();
while (settled() < eventsMax) await clock.sleep(5);
const { user, system } = process.cpuUsage(startCpu);
const report: IndexerReport = {
  events: eventsMax - settledBefore,
  seconds: (clock.monotonicMs() - startMs) / 1000,
  cpuSeconds: (user + system) / 1e6,
  rssPeakBytes: process.resourceUsage().maxRSS * 1024,
  imbalance: indexer.ledger.imbalance,
};
process.send?.(report);
await indexer.stop();
process.disconnect?.();
