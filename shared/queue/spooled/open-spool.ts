// The spool of a forwarder process: a spooled queue on a folder of its own, and feeders for the folders that other
// processes have left, until they are empty and removed. Folders are left at any moment (a restart that overlaps,
// SIGHUP with workers, a kill), so they are looked for as long as the process runs. They are fed beside the folder of
// this process; there is no order between folders.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { EmbeddedQueue } from '../embedded/embedded-queue.ts';
import type { Queue } from '../queue.ts';
import { eventsOf } from './local/spool-entry.ts';
import { SpoolFeeder } from './feed/spool-feeder.ts';
import { type SpoolFolder, SpoolFolders } from './spool-folders.ts';
import type { SpoolObserver } from './local/spool-observer.ts';
import { SPOOL_GROUP } from './feed/spool-reader.ts';
import { SpooledQueue } from './spooled-queue.ts';
import { TopicMemory, UNSEEN_TOPIC } from './topic-memory.ts';

const CHECK_INTERVAL_MS = 1000;
const ADOPT_INTERVAL_MS = 3000;
/** Each has a thread, and what is read ahead of it is in memory. */
const ADOPTED_MAX = 4;
/** Of senders that wait for a forwarder to start; some hundred thousand records can be counted in it. */
const COUNT_MS = 2000;

/** What is in the spools of this process. */
export interface SpoolFigures {
  readonly events: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** When the oldest record was written, ms since the epoch; null where none is known. */
  readonly oldestMs: number | null;
  /** Spools that nobody holds: each waits until a process has a place for it. */
  readonly left: number;
}

export interface SpoolOptions {
  readonly config: Config;
  readonly upstream: Queue;
  readonly clock: Clock;
  readonly random: () => number;
  /** Makes the observer that hears the spool's events. */
  observe(figures: () => SpoolFigures): SpoolObserver;
  warn(message: string): void;
}

/** Opens the spool; resolves when it takes events. Rejects with data_dir_unusable. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { config, clock, warn } = options;
  const bytesMax = config['spool.max_bytes'];
  const folders = new SpoolFolders({ dataDir: config['data.dir'], bytesMax, clock, warn });
  const own = await folders.claim().catch((error: unknown) => {
    const advice =
      'Give it a folder that can be written (SLUICE_DATA_DIR), or switch the spool off (SLUICE_SPOOL=false)';
    throw new SluiceError('data_dir_unusable', `${reasonOf(error)}. ${advice}`, { cause: error });
  });
  const spool = new Spool(options, folders, own, await eventsIn(own.queue, clock));
  await spool.queue.opened();
  return spool;
}

export class Spool implements AsyncDisposable {
  readonly queue: SpooledQueue;
  readonly #options: SpoolOptions;
  readonly #folders: SpoolFolders;
  readonly #own: SpoolFolder;
  readonly #observer: SpoolObserver;
  readonly #closing = new AbortController();
  readonly #adopting: Promise<void>;
  readonly #adopted = new Map<SpoolFolder, SpoolFeeder>();
  readonly #feeding = new Set<Promise<void>>();
  #bytes = 0;
  #left = 0;
  #nextCheck: Disposable | null = null;

  constructor(options: SpoolOptions, folders: SpoolFolders, own: SpoolFolder, leftoverEvents: number | undefined) {
    const { config, upstream, clock, random } = options;
    const memory = new TopicMemory(config['data.dir'], config['kafka.topic']);
    this.#options = options;
    this.#folders = folders;
    this.#own = own;
    this.#observer = options.observe(() => this.#figures());
    this.queue = new SpooledQueue({
      upstream,
      local: own.queue,
      clock,
      random,
      full: config['spool.full'],
      bytesMax: config['spool.max_bytes'],
      observer: this.#observer,
      remembered: memory.recall() ?? { ...UNSEEN_TOPIC, partitions: config['kafka.partitions'] },
      learned: (figures) => memory.keep(figures),
      leftoverEvents,
    });
    this.#adopting = this.#adopt();
    this.#checkLater(0);
  }

  /** Stops feeding; what is in the spools stays there for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#nextCheck?.[Symbol.dispose]();
    await Promise.all([this.queue[Symbol.asyncDispose](), this.#adopting.then(() => Promise.all(this.#feeding))]);
    await this.#own.queue[Symbol.asyncDispose]();
  }

  #figures(): SpoolFigures {
    const spools = [this.queue, ...this.#adopted.values()];
    const ages = spools.map(({ oldestMs }) => oldestMs).filter((ms) => ms !== null);
    return {
      events: spools.reduce((sum, { events }) => sum + events, 0),
      bytes: this.#bytes,
      bytesMax: this.#options.config['spool.max_bytes'],
      oldestMs: ages.length === 0 ? null : Math.min(...ages),
      left: this.#left,
    };
  }

  async #adopt(): Promise<void> {
    const { signal } = this.#closing;
    const { clock, warn } = this.#options;
    let told = '';
    while (!signal.aborted) {
      try {
        await this.#adoptAll();
        told = '';
      } catch (error) {
        const why = reasonOf(error);
        if (why !== told) warn(`Cannot look for spools that others have left: ${why}; it is tried again`);
        told = why;
      }
      await clock.sleep(ADOPT_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  async #adoptAll(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted && this.#feeding.size < ADOPTED_MAX) {
      const folder = await this.#folders.adopt();
      if (folder === null) break;
      const feeding = this.#feedAway(folder).catch((error: unknown) =>
        this.#folders.giveUp(folder, `it cannot be fed: ${reasonOf(error)}`),
      );
      this.#feeding.add(feeding);
      void feeding.then(() => this.#feeding.delete(feeding));
    }
    this.#left = this.#feeding.size < ADOPTED_MAX ? 0 : this.#folders.left();
  }

  async #feedAway(folder: SpoolFolder): Promise<void> {
    const { upstream, clock, random, warn } = this.#options;
    const { signal } = this.#closing;
    const over = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => over.resolve(), { once: true });
    const leftoverEvents = await eventsIn(folder.queue, clock);
    if (leftoverEvents !== 0) warn(`Takes over the spool ${folder.name}, which its process has left`);
    const feeder = new SpoolFeeder({
      upstream,
      local: folder.queue,
      clock,
      random,
      observer: this.#observer,
      leftoverEvents,
      emptied: () => over.resolve(),
    });
    this.#adopted.set(folder, feeder);
    try {
      if (!signal.aborted) await over.promise;
      await feeder[Symbol.asyncDispose]();
    } finally {
      this.#adopted.delete(folder);
    }
    if (feeder.isEmpty) await this.#folders.remove(folder);
    else await this.#folders.release(folder);
  }

  #checkLater(ms: number): void {
    this.#nextCheck = this.#options.clock.timer(ms, () => {
      const queues = [this.#own, ...this.#adopted.keys()].map(({ queue }) => queue);
      void Promise.all(queues.map((queue) => queue.bytesStored()))
        .then((bytes) => (this.#bytes = bytes.reduce((sum, one) => sum + one, 0)))
        .catch(() => undefined)
        .then(() => {
          if (!this.#closing.signal.aborted) this.#checkLater(CHECK_INTERVAL_MS);
        });
    });
  }
}

/**
 * Counts what the spool holds; undefined where that takes too long, so that it is counted as it is read. A spool that
 * is found damaged by it begins anew, empty.
 */
async function eventsIn(queue: EmbeddedQueue, clock: Clock): Promise<number | undefined> {
  const overdueMs = clock.monotonicMs() + COUNT_MS;
  let events = 0;
  try {
    for await (const headers of queue.backlog(SPOOL_GROUP)) {
      events += eventsOf(headers['batches']);
      if (clock.monotonicMs() > overdueMs) return undefined;
    }
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'queue_damaged') throw error;
    return 0;
  }
  return events;
}
