// `sluice run` with its embedded queue and store: what an event costs from the sender's ack until it can be found.
// The queue takes more than the store does, so a fixed load is sent and the store is waited for.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startUnderTest } from './child-process.ts';
import { figureLine } from './figures.ts';
import { load } from './load.ts';

const INDEXED = 'sluice_events_indexed_total';
const SECONDS = 5;
/** What the store takes on a slow machine, so that it is never far behind. */
const RATE = 40_000;

export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    await using sluice = await startUnderTest('run', { SLUICE_DATA_DIR: folder });
    const [startMs, startCpu] = [performance.now(), sluice.cpuSeconds()];
    const plan = { mode: 'packed', acks: true, connections: 4, window: 2, eventsPerFrame: 500 } as const;
    const { latency } = await load(sluice, { ...plan, seconds: SECONDS, rate: RATE });
    const events = await sluice.counter('sluice_events_produced_total');
    while ((await sluice.counter(INDEXED)) < events) await delay(50);
    const seconds = (performance.now() - startMs) / 1000;
    const cpuSeconds = sluice.cpuSeconds() - startCpu;
    console.log(
      figureLine('all in one, packed → indexed', { events, seconds, cpuSeconds, peakMib: sluice.peakMiB(), latency }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await run();
