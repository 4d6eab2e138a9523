// Queue, indexer and store of one data folder, as `sluice run` has them in one process; only that time may pass faster
// for the store, so that what it does by itself is done at every moment.

import { type Indexer, type IndexerOptions, startIndexer } from '#indexer/shells/main.ts';
import { drainIndexer, type DrainOutcome } from '#indexer/shells/drain.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Log } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { observeInLog } from '#shared/queue/queue-observer.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { Life } from './numbered-batches.ts';

export class Pipeline implements AsyncDisposable {
  readonly queue: Queue;
  readonly store: EmbeddedStore;
  readonly #options: IndexerOptions;

  private constructor(queue: Queue, store: EmbeddedStore, options: IndexerOptions) {
    this.queue = queue;
    this.store = store;
    this.#options = options;
  }

  static async open(life: Life, told: (message: string) => void): Promise<Pipeline> {
    const tell = (event: string, fields?: object): void => told(`${event} ${JSON.stringify(fields ?? {})}`);
    const log: Log = { debug: () => undefined, info: () => undefined, warn: tell, error: tell };
    const config = loadConfig({ env: { SLUICE_DATA_DIR: life.dataDir }, file: undefined, readFile: () => '' });
    const queue = await openQueue(config, { observer: observeInLog(log) });
    try {
      const store = await openEmbeddedStore({
        dataDir: life.dataDir,
        readOnly: false,
        retentionMs: life.retentionMs,
        bytesMax: life.bytesMax ?? undefined,
        clock: hasty(life),
        warn: told,
      });
      const metrics = new Metrics({ version: 'test', command: 'test' });
      const clock = systemClock;
      return new Pipeline(queue, store, { config, queue, store, metrics, log, clock, random: Math.random });
    } catch (error) {
      await queue[Symbol.asyncDispose]();
      throw error;
    }
  }

  index(): Promise<Indexer> {
    return startIndexer(this.#options);
  }

  drain(): Promise<DrainOutcome> {
    return drainIndexer({ ...this.#options, signal: new AbortController().signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.queue[Symbol.asyncDispose]();
  }
}

/** Its time goes on while no process runs, too. */
function hasty({ haste, startMs }: Life): Clock {
  return {
    epochMs: () => startMs + (systemClock.epochMs() - startMs) * haste,
    monotonicMs: () => systemClock.monotonicMs() * haste,
    sleep: (ms, signal) => systemClock.sleep(ms / haste, signal),
    timer: (ms, action) => systemClock.timer(ms / haste, action),
  };
}
