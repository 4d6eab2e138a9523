// An indexer in which records that say so do real harm, in itself and in its child processes: what stands between them
// and a defect of ours is only a name. `drain` as the first argument: a drain job. It tells its counts as lines of
// JSON.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { ChildOpener } from '#indexer/poison/child-opener.ts';
import { systemClock as clock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { openStore } from '#shared/open/open-store.ts';
import { plantedDecompress } from '#test/indexer/poison/planted.ts';

const config = loadConfig({ env: process.env, readFile: () => '' });
const log = createLog('info', clock);
const random = Math.random;
const lines = { timeoutMs: 1000, lineBytesMax: 1e6, bytesMax: 1e7 };
let children = 0;

const opener = new ChildOpener({
  opening: {
    bytesMax: 1e7,
    documentBytesMax: 1e6,
    bodyBytesMax: 1e6,
    trustedTenants: [],
    lines,
    lettersBytesMax: 1e7,
  },
  limits: () => ({ turnMs: 1000, runMs: 20_000, heapMb: 64, growthBytes: 256 * 1024 * 1024 }),
  clock,
  random,
  telemetry: { openingChildFailed: (error) => console.error(error) },
  start() {
    children++;
    return fork(fileURLToPath(new URL('../../indexer/poison/planted-child.ts', import.meta.url)), [], {
      serialization: 'advanced',
    });
  },
});

const queue = await openQueue(config, { observer: silentQueueObserver });
const store = await openStore(config);
const metrics = new Metrics({ version: 'test', command: 'test' });
const options = { config, log, clock, random, metrics, queue, store, opener, decompress: plantedDecompress };

if (process.argv[2] === 'drain') {
  const { signal } = new AbortController();
  const { drained, counts } = await drainIndexer({ ...options, signal });
  await queue[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  console.log(JSON.stringify({ drained, children, ...counts }));
  process.exit(0);
}
const { ledger } = await startIndexer(options);
setInterval(() => console.log(JSON.stringify({ children, ...ledger.counts })), 100);
