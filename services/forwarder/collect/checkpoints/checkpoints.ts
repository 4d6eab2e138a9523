// Saves what the generations and the places in journals say, a moment after it has changed, or at once where somebody
// waits for it. A save that fails is tried again: reading goes on with files that have their number, and waits with new
// ones.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { CheckpointRows } from './checkpoint-rows.ts';
import type { CheckpointChanges, CheckpointMethods } from './checkpoint-thread.ts';
import { Generations } from './generations.ts';
import type { JournalPlace } from './journal-places.ts';

const SAVE_MS = 500;
const RETRY_MS = 1000;
/** Until another process of ours that ends has given up the folder. */
const LOCK_RETRY_MS = 500;

const NO_CHANGES: CheckpointChanges = {
  forgotten: [],
  firstNumber: 0,
  sources: [],
  generations: [],
  examined: [],
  removedGenerations: [],
  removedExamined: [],
};

export interface CheckpointsOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly telemetry: {
    checkpointsLost(file: string): void;
    checkpointsWait(reason: string): void;
    forgotten(sources: number): void;
    saveFailed(reason: string): void;
  };
}

export class Checkpoints implements AsyncDisposable {
  readonly generations: Generations;
  readonly #thread: WorkerThread<CheckpointMethods>;
  readonly #options: CheckpointsOptions;
  /** That are not saved. */
  readonly #journals = new Map<string, JournalPlace>();
  #saving: Promise<void> | null = null;
  #timer: Disposable | null = null;

  private constructor(thread: WorkerThread<CheckpointMethods>, generations: Generations, options: CheckpointsOptions) {
    this.#thread = thread;
    this.generations = generations;
    this.#options = options;
  }

  /** Waits for another process that has the folder. Rejects with data_dir_unusable, or when the signal is aborted. */
  static async open(options: CheckpointsOptions): Promise<Checkpoints> {
    const { folder, clock, signal, telemetry } = options;
    for (;;) {
      try {
        const thread = await startWorker<CheckpointMethods>('checkpoint-thread', import.meta.url, { folder });
        const { setAside, firstNumber, forgotten } = await thread.call('begin', { nowMs: clock.epochMs() });
        if (setAside !== null) telemetry.checkpointsLost(setAside);
        telemetry.forgotten(forgotten);
        return new Checkpoints(thread, await loaded(thread, firstNumber, clock), options);
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'data_dir_locked') throw error;
        telemetry.checkpointsWait(error.message);
        await clock.sleep(LOCK_RETRY_MS, signal);
      }
    }
  }

  /** As it was saved; null for one that was never read. */
  journalPlace(journal: string): Promise<JournalPlace | null> {
    return this.#thread.call('journalPlace', { journal });
  }

  /** To be saved soon. */
  moveJournal(place: JournalPlace): void {
    this.#journals.set(place.journal, place);
    this.schedule();
  }

  /** Soon. */
  schedule(): void {
    this.#timer ??= this.#options.clock.timer(SAVE_MS, () => {
      this.#timer = null;
      void this.save();
    });
  }

  /** Resolves when all that has changed so far is saved; false if it could not be. */
  async save(): Promise<boolean> {
    // What is being saved may be older than what has changed.
    while (this.#saving !== null) await this.#saving;
    if (!this.generations.hasChanges && this.#journals.size === 0) return true;
    const journals = [...this.#journals.values()];
    this.#journals.clear();
    const pages = this.generations.takeChanges();
    let page = pages.next();
    const saved = Promise.withResolvers<void>();
    this.#saving = saved.promise;
    try {
      // Others have a turn while the thread writes each page.
      await this.#thread.call('save', { ...(page.value ?? NO_CHANGES), journals });
      for (page = pages.next(); page.value !== undefined; page = pages.next())
        await this.#thread.call('save', { ...page.value, journals: [] });
      return true;
    } catch (error) {
      for (; page.value !== undefined; page = pages.next()) this.generations.putBack(page.value);
      for (const place of journals) if (!this.#journals.has(place.journal)) this.#journals.set(place.journal, place);
      this.#options.telemetry.saveFailed(reasonOf(error));
      if (!this.#options.signal.aborted) this.#timer ??= this.#options.clock.timer(RETRY_MS, () => this.#again());
      return false;
    } finally {
      this.#saving = null;
      saved.resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    await this.save();
    await this.#thread[Symbol.asyncDispose]();
  }

  #again(): void {
    this.#timer = null;
    void this.save();
  }
}

async function loaded(
  thread: WorkerThread<CheckpointMethods>,
  firstNumber: number,
  clock: Clock,
): Promise<Generations> {
  const generations = new Generations(firstNumber);
  for (let after: string | null = null; ;) {
    const { next, ...rows }: CheckpointRows & { next: string | null } = await thread.call('load', { after });
    generations.restore(rows, clock.epochMs());
    if (next === null) return generations;
    after = next;
  }
}
