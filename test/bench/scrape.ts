// What a scrape costs with 1,000 partitions: an indexer that owns them all, and the exporter of the lag.

import { Ledger } from '#indexer/settle/ledger.ts';
import { IndexerTelemetry } from '#indexer/settle/telemetry.ts';
import { TopicSlots } from '#indexer/settle/topic-slots.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { LagTelemetry } from '../../services/sluice/lag/telemetry.ts';

const PARTITIONS = 1000;
const SCRAPES = 200;
const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const numbers = Array.from({ length: PARTITIONS }, (_, partition) => partition);

export async function run(): Promise<void> {
  const indexer = new Metrics({ version: 'bench', command: 'indexer' });
  const telemetry = new IndexerTelemetry({
    metrics: indexer,
    log,
    clock: systemClock,
    slots: new TopicSlots('sluice.logs'),
  });
  const ages = numbers.map((partition) => ({
    partition,
    oldestUncommittedSeconds: partition / 7,
    lagRecords: partition,
    held: null,
    isSuspect: false,
  }));
  const writer = { waiting: { retry: 0, index: 0, store: 0 } };
  const limit = { inUse: 1, limit: 4 };
  telemetry.watch({
    ledger: new Ledger(telemetry.ledger),
    writer,
    limit,
    partitions: () => ages,
  });
  await measure('indexer', indexer);

  const exporter = new Metrics({ version: 'bench', command: 'lag' });
  const nowMs = Date.now();
  const partitions = numbers.map((partition) => ({ partition, low: 0, next: 5, high: 7 + partition, oldestMs: nowMs }));
  const lag = { group: 'sluice-indexer', topic: 'sluice.logs', atMs: nowMs, partitions, members: 3, retentionMs: 1e9 };
  new LagTelemetry(exporter, log, systemClock).watch({ lag, drainSeconds: 3, unreadyReason: null });
  await measure('lag exporter', exporter);
}

async function measure(what: string, metrics: Metrics): Promise<void> {
  const tookMs: number[] = [];
  let bytes = 0;
  for (let i = 0; i < SCRAPES; i++) {
    const sinceMs = performance.now();
    ({ length: bytes } = (await metrics.render()).body);
    tookMs.push(performance.now() - sinceMs);
  }
  const [first = 0] = tookMs;
  tookMs.sort((a, b) => a - b);
  const at = (share: number): string => (tookMs[Math.floor(SCRAPES * share)] ?? 0).toFixed(2);
  console.log(
    `scrape of the ${what}, ${PARTITIONS} partitions: first ${first.toFixed(1)} ms, median ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(bytes / 1024).toFixed(0)} KiB`,
  );
}
