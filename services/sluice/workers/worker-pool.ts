// The workers of a primary, one in each slot. A worker that ends is started again, after a delay that grows with its
// failures.
//
// Guarantees: a worker is replaced only when its successor is up, so that one of them always listens. Where a successor
// does not come up (the configuration is wrong now), the running workers go on. What ended workers have counted stays
// counted.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import type { HeldFamily } from '#shared/exposition.ts';
import { countsOf, merge, totalOf } from './merge.ts';
import type { WorkersTelemetry } from './telemetry.ts';
import type { Ended, WorkerProcess } from './worker-process.ts';

export interface WorkerPoolOptions {
  readonly workers: number;
  readonly fork: (slot: number) => WorkerProcess;
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: WorkersTelemetry;
  /** How long a worker may take to stop before it is killed. */
  readonly stopMs: number;
}

interface WorkerSlot {
  readonly number: number;
  worker: WorkerProcess | null;
  /** How often in a row it ended soon after its start. */
  failures: number;
}

const RESTART: BackoffLimits = { baseMs: 200, capMs: 30_000 };
/** A worker that has run for so long ended for a new reason. */
const STEADY_MS = 60_000;
const ANSWER_MS = 2000;
/** A successor may need a while to reach the queue; after this the next one is replaced all the same. */
const READY_WAIT_MS = 10_000;
const READY_CHECK_MS = 100;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: readonly WorkerSlot[];
  /** All that have not ended, including those that are about to be replaced. */
  readonly #running = new Set<WorkerProcess>();
  readonly #stopping = new AbortController();
  #ofEnded: HeldFamily[] = [];
  #replacing: Promise<void> | null = null;
  #replaceAgain = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, (_, i) => ({ number: i + 1, worker: null, failures: 0 }));
    options.telemetry.watch({
      up: () => this.#slots.filter(({ worker }) => worker?.isUp).length,
      events: () => this.#slots.map(({ number, worker }) => [eventsOf(worker), String(number)] as const),
    });
  }

  /**
   * Starts the first, and when that is up the others: what is wrong for one is wrong for all, and only one can bind a
   * unix socket. Resolves to null when they are started, or to how the first one ended.
   */
  async start(): Promise<Ended | null> {
    const [first, ...others] = this.#slots;
    if (!first) return null;
    const worker = this.#fork(first);
    first.worker = worker;
    if (!(await worker.up)) return worker.ended;
    void this.#watch(first, worker);
    if (!this.#stopping.signal.aborted) for (const slot of others) this.#fill(slot);
    return null;
  }

  /** Puts a new worker into each slot, one slot after another. A call meanwhile makes it do so once more. */
  async replaceAll(): Promise<void> {
    if (this.#replacing) {
      this.#replaceAgain = true;
      return this.#replacing;
    }
    this.#replacing = this.#replaceEach();
    try {
      await this.#replacing;
    } finally {
      this.#replacing = null;
    }
  }

  /** Stops all; resolves when they have ended, to whether each ended well. */
  async stop(reason: string): Promise<boolean> {
    this.#stopping.abort();
    const ends = [...this.#running].map((worker) => this.#stop(worker, reason));
    return (await Promise.all(ends)).every(({ code }) => code === 0);
  }

  /** Why not every worker is ready, each reason with the worker's number. */
  async unreadyReasons(): Promise<string[]> {
    const answered = await this.#ask();
    return this.#slots.flatMap(({ number, worker }) => {
      if (!worker) return [`worker ${number}: it ended, and is started again`];
      if (!answered.has(worker)) return [`worker ${number}: it does not answer`];
      return worker.snapshot.unready.map((reason) => `worker ${number}: ${reason}`);
    });
  }

  /** The metrics of all workers, those that have ended included, and the primary's own. */
  async families(own: () => Promise<readonly HeldFamily[]>): Promise<HeldFamily[]> {
    await this.#ask();
    const ofPrimary = { worker: 'primary', families: await own() };
    const current = new Set(this.#slots.map(({ worker }) => worker));
    const ofWorkers = [...this.#running].map((worker) => ({
      worker: String(worker.slot),
      // Of one that is replaced, or not yet in its slot, only its counters: gauges come from the slot's own worker.
      families: current.has(worker) ? worker.snapshot.families : countsOf(worker.snapshot.families),
    }));
    return merge([ofPrimary, ...ofWorkers, { worker: '', families: this.#ofEnded }]);
  }

  /** Resolves to the workers that have answered. */
  async #ask(): Promise<Set<WorkerProcess>> {
    const limit = new AbortController();
    using _timer = this.#options.clock.timer(ANSWER_MS, () => limit.abort());
    const answers = [...this.#running].map(async (worker) => ((await worker.ask(limit.signal)) ? worker : null));
    return new Set((await Promise.all(answers)).filter((worker) => worker !== null));
  }

  #fork({ number }: WorkerSlot): WorkerProcess {
    const { fork, telemetry } = this.#options;
    const worker = fork(number);
    this.#running.add(worker);
    void worker.up.then((up) => up && telemetry.up(number, worker.pid));
    void worker.ended.then(() => {
      this.#running.delete(worker);
      const counts = countsOf(worker.snapshot.families);
      this.#ofEnded = merge([
        { worker: '', families: this.#ofEnded },
        { worker: '', families: counts },
      ]);
    });
    return worker;
  }

  #fill(slot: WorkerSlot): void {
    slot.worker = this.#fork(slot);
    void this.#watch(slot, slot.worker);
  }

  /** Waits for the end of a worker; if it still has its slot then, the slot is filled again. */
  async #watch(slot: WorkerSlot, worker: WorkerProcess): Promise<void> {
    const { clock, random, telemetry } = this.#options;
    const { signal } = this.#stopping;
    const sinceMs = clock.monotonicMs();
    const ended = await worker.ended;
    if (slot.worker !== worker || signal.aborted) return;
    slot.worker = null;
    if (clock.monotonicMs() - sinceMs >= STEADY_MS) slot.failures = 0;
    const waitMs = backoffMs(slot.failures++, RESTART, random);
    telemetry.ended(slot.number, { ...ended, pid: worker.pid }, waitMs);
    await clock.sleep(waitMs, signal).catch(() => undefined);
    if (!signal.aborted && slot.worker === null) this.#fill(slot);
  }

  async #replaceEach(): Promise<void> {
    do {
      this.#replaceAgain = false;
      this.#options.telemetry.replacing(this.#slots.length);
      for (const slot of this.#slots) if (!(await this.#replace(slot))) break;
    } while (this.#replaceAgain && !this.#stopping.signal.aborted);
  }

  /** Resolves to whether the slot has a new worker, so that the next slot follows. */
  async #replace(slot: WorkerSlot): Promise<boolean> {
    const { telemetry } = this.#options;
    const { signal } = this.#stopping;
    if (signal.aborted) return false;
    const successor = this.#fork(slot);
    if (await successor.up) await this.#untilReady(successor);
    if (signal.aborted) return false;
    if (successor.hasEnded) {
      telemetry.replacementFailed(slot.number, await successor.ended);
      return false;
    }
    const former = slot.worker;
    slot.worker = successor;
    slot.failures = 0;
    void this.#watch(slot, successor);
    if (former) await this.#stop(former, 'SIGHUP');
    telemetry.replaced(slot.number);
    return true;
  }

  async #untilReady(worker: WorkerProcess): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    const limit = new AbortController();
    using _timer = clock.timer(READY_WAIT_MS, () => limit.abort());
    while (!limit.signal.aborted && !signal.aborted) {
      if (!(await worker.ask(limit.signal)) || worker.snapshot.unready.length === 0) return;
      await clock.sleep(READY_CHECK_MS);
    }
  }

  async #stop(worker: WorkerProcess, reason: string): Promise<Ended> {
    const { clock, stopMs, telemetry } = this.#options;
    using _timer = clock.timer(stopMs, () => {
      telemetry.killed(worker.slot, stopMs);
      worker.kill();
    });
    worker.stop(reason);
    return worker.ended;
  }
}

function eventsOf(worker: WorkerProcess | null): number {
  const families = worker?.snapshot.families ?? [];
  return totalOf(families, 'sluice_events_received_total') + totalOf(families, 'sluice_events_consumed_total');
}
