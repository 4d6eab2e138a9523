// What the embedded store does by itself beside requests: blocks are merged, what is too old or too much is deleted,
// documents of an earlier version are converted. In small steps, so that bulk requests come between.
//
// Guarantees: what fails is told once, and tried again; deletion for size keeps up with what is written, for bulk
// requests wait where it does not.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import type { WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { StoreSpaceWatch, StoreUpkeep } from '../store.ts';
import { BoundedRun } from './space/bounded-run.ts';
import { BoundGate } from './space/bound-gate.ts';
import type { StoreThread } from './store-thread.ts';

export interface UpkeepOptions {
  /** Of the files together; undefined: without a bound. */
  readonly bytesMax?: number | undefined;
  /** Whether it deletes what is too old or too much; true if not given. */
  readonly deletes?: boolean;
  readonly clock: Clock;
  readonly warn?: (message: string) => void;
}

/** How often old documents are looked for, and how many go at once: a step must not keep a bulk request waiting. */
const TIDY_EVERY_MS = 30_000;
const EXPIRE_STEP = 1000;

const WORK: Readonly<Record<StoreUpkeep, string>> = {
  merge: 'merge blocks',
  expire: 'delete old documents',
  bound: 'delete the oldest documents',
  convert: 'convert documents of an earlier version',
};

export class Upkeep implements AsyncDisposable {
  failed: (work: StoreUpkeep) => void = () => undefined;
  watch: StoreSpaceWatch | null = null;
  /** For bulk requests: they wait where documents come faster than the oldest are deleted. */
  readonly gate: BoundGate;
  readonly #worker: WorkerThread<StoreThread>;
  readonly #options: UpkeepOptions;
  #next: Disposable | null = null;
  #tidying: Promise<unknown> = Promise.resolve();
  #merging: Promise<unknown> | null = null;
  #bounding: Promise<unknown> | null = null;
  #closed = false;
  /** What failed the last time. */
  readonly #failing = new Set<StoreUpkeep>();

  constructor(worker: WorkerThread<StoreThread>, options: UpkeepOptions) {
    this.#worker = worker;
    this.#options = options;
    this.gate = new BoundGate(this.#deletes ? options.bytesMax : undefined);
    this.#plan(0);
  }

  /** After each bulk request: how large it was, and by how much the store is larger than its bound now. */
  wrote(bytes: number, overBytes: number): void {
    if (this.#closed) return;
    this.gate.wrote(bytes, overBytes);
    this.#merging ??= this.#merge();
    if (overBytes > 0 && this.#deletes) this.#bounding ??= this.#bound();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.gate.open();
    this.#next?.[Symbol.dispose]();
    await this.#tidying;
    await this.#merging;
    await this.#bounding;
  }

  get #deletes(): boolean {
    return this.#options.deletes !== false;
  }

  #plan(ms: number): void {
    this.#next = this.#options.clock.timer(ms, () => {
      this.#tidying = this.#tidy().then(() => this.#closed || this.#plan(TIDY_EVERY_MS));
    });
  }

  async #tidy(): Promise<void> {
    const { clock } = this.#options;
    const now = () => ({ epochMs: clock.epochMs(), monotonicMs: clock.monotonicMs() });
    await this.#keepUp('merge', () => this.#worker.call('mergeAll', now()));
    if (this.#deletes) await this.#keepUp('expire', () => this.#expire(now()));
    await this.#keepUp('convert', () => this.#worker.call('convert', null));
    if (this.#deletes) await (this.#bounding ??= this.#bound());
    if (!this.#closed) await this.#measure();
  }

  async #merge(): Promise<void> {
    await this.#keepUp('merge', () => this.#worker.call('merge', null));
    this.#merging = null;
  }

  async #expire(now: Moment): Promise<boolean> {
    const { documents, bytes } = await this.#worker.call('expire', { now, limit: EXPIRE_STEP });
    if (documents > 0) this.watch?.deleted('age', documents, bytes);
    return documents > 0;
  }

  async #bound(): Promise<void> {
    const { clock, bytesMax = 0 } = this.#options;
    const run = new BoundedRun(clock, (sums) => this.watch?.bounded({ ...sums, bytesMax }));
    this.gate.deleting(true);
    await this.#keepUp('bound', async () => {
      const shed = await this.#worker.call('shed', null);
      this.gate.gaveBack(shed.bytes, shed.overBytes);
      if (shed.documents > 0) this.watch?.deleted('size', shed.documents, shed.bytes);
      run.add(shed);
      return shed.isMore;
    });
    // Before others have their turn: what they write may begin the next run.
    this.#bounding = null;
    this.gate.deleting(false);
    if (run.end() && !this.#closed) await this.#measure();
  }

  async #measure(): Promise<void> {
    try {
      this.watch?.measured(await this.#worker.call('measure', null));
    } catch {
      // Whoever writes or reads hears of it.
    }
  }

  /** Work that nobody waits for, a step at a time. What fails is tried again. */
  async #keepUp(work: StoreUpkeep, step: () => Promise<boolean>): Promise<void> {
    try {
      while (!this.#closed && (await step()));
      this.#failing.delete(work);
    } catch (error) {
      if (this.#closed) return;
      this.failed(work);
      if (this.#failing.has(work)) return;
      this.#failing.add(work);
      this.#options.warn?.(`Cannot ${WORK[work]} of the embedded store: ${reasonOf(error)}; it is tried again`);
    }
  }
}
