// The workers of a primary: each seat has one that runs, as long as the crew does. One that ends is started again,
// after a while that grows with its failures.
//
// Guarantees: a worker is replaced only when its successor is up, so that somebody listens all the time; where a
// successor does not get up (a configuration that is wrong now), those that run go on. What ended workers have counted
// stays counted.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import type { HeldFamily } from '#shared/exposition.ts';
import { countsOf, merge, totalOf } from './merge.ts';
import type { WorkersTelemetry } from './telemetry.ts';
import type { Ended, WorkerProcess } from './worker-process.ts';

export interface CrewOptions {
  readonly workers: number;
  readonly fork: (seat: number) => WorkerProcess;
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: WorkersTelemetry;
  /** How long a worker may take to stop before it is killed. */
  readonly stopMs: number;
}

interface Seat {
  readonly number: number;
  worker: WorkerProcess | null;
  /** Ends in a row, each soon after the start. */
  failures: number;
}

const RESTART: BackoffLimits = { baseMs: 200, capMs: 30_000 };
/** Who has run for so long failed for a new reason. */
const STEADY_MS = 60_000;
const ANSWER_MS = 2000;
/** A successor may need a while to reach the queue; after this the next one is replaced all the same. */
const READY_WAIT_MS = 10_000;
const READY_LOOK_MS = 100;

export class Crew {
  readonly #options: CrewOptions;
  readonly #seats: readonly Seat[];
  /** All that have not ended, those that are about to be replaced too. */
  readonly #running = new Set<WorkerProcess>();
  readonly #stopping = new AbortController();
  #ofEnded: HeldFamily[] = [];
  #replacing: Promise<void> | null = null;
  #replaceAgain = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#seats = Array.from({ length: options.workers }, (_, i) => ({ number: i + 1, worker: null, failures: 0 }));
    options.telemetry.watch({
      up: () => this.#seats.filter(({ worker }) => worker?.isUp).length,
      events: () => this.#seats.map(({ number, worker }) => [eventsOf(worker), String(number)] as const),
    });
  }

  /**
   * Starts the first, and when that is up the others: what is wrong for one is wrong for all, and a unix socket is
   * bound by one. Resolves to null when they are started, or to how the first one ended.
   */
  async start(): Promise<Ended | null> {
    const [first, ...others] = this.#seats;
    if (!first) return null;
    const worker = this.#fork(first);
    first.worker = worker;
    if (!(await worker.up)) return worker.ended;
    void this.#watch(first, worker);
    if (!this.#stopping.signal.aborted) for (const seat of others) this.#fill(seat);
    return null;
  }

  /** Puts a new worker into each seat, one seat after another. Asked again meanwhile, it does it once more. */
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
    return this.#seats.flatMap(({ number, worker }) => {
      if (!worker) return [`worker ${number}: it ended, and is started again`];
      if (!answered.has(worker)) return [`worker ${number}: it does not answer`];
      return worker.snapshot.unready.map((reason) => `worker ${number}: ${reason}`);
    });
  }

  /** The metrics of all workers, those that have ended included, and the primary's own. */
  async families(own: () => Promise<readonly HeldFamily[]>): Promise<HeldFamily[]> {
    await this.#ask();
    const ofPrimary = { worker: 'primary', families: await own() };
    const seated = new Set(this.#seats.map(({ worker }) => worker));
    const told = [...this.#running].map((worker) => ({
      worker: String(worker.seat),
      // Of one that is replaced, or not yet in its place, only what it counts: its seat tells the rest.
      families: seated.has(worker) ? worker.snapshot.families : countsOf(worker.snapshot.families),
    }));
    return merge([ofPrimary, ...told, { worker: '', families: this.#ofEnded }]);
  }

  /** Resolves to those who have answered. */
  async #ask(): Promise<Set<WorkerProcess>> {
    const limit = new AbortController();
    using _timer = this.#options.clock.timer(ANSWER_MS, () => limit.abort());
    const answers = [...this.#running].map(async (worker) => ((await worker.ask(limit.signal)) ? worker : null));
    return new Set((await Promise.all(answers)).filter((worker) => worker !== null));
  }

  #fork({ number }: Seat): WorkerProcess {
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

  #fill(seat: Seat): void {
    seat.worker = this.#fork(seat);
    void this.#watch(seat, seat.worker);
  }

  /** Waits for the end of a worker; if it has its seat still, somebody else gets it. */
  async #watch(seat: Seat, worker: WorkerProcess): Promise<void> {
    const { clock, random, telemetry } = this.#options;
    const { signal } = this.#stopping;
    const sinceMs = clock.monotonicMs();
    const ended = await worker.ended;
    if (seat.worker !== worker || signal.aborted) return;
    seat.worker = null;
    if (clock.monotonicMs() - sinceMs >= STEADY_MS) seat.failures = 0;
    const waitMs = backoffMs(seat.failures++, RESTART, random);
    telemetry.ended(seat.number, { ...ended, pid: worker.pid }, waitMs);
    await clock.sleep(waitMs, signal).catch(() => undefined);
    if (!signal.aborted && seat.worker === null) this.#fill(seat);
  }

  async #replaceEach(): Promise<void> {
    do {
      this.#replaceAgain = false;
      this.#options.telemetry.replacing(this.#seats.length);
      for (const seat of this.#seats) if (!(await this.#replace(seat))) break;
    } while (this.#replaceAgain && !this.#stopping.signal.aborted);
  }

  /** Whether the seat has a new worker, so that the next one's turn has come. */
  async #replace(seat: Seat): Promise<boolean> {
    const { telemetry } = this.#options;
    const { signal } = this.#stopping;
    if (signal.aborted) return false;
    const successor = this.#fork(seat);
    if (await successor.up) await this.#untilReady(successor);
    if (signal.aborted) return false;
    if (successor.hasEnded) {
      telemetry.replacementFailed(seat.number, await successor.ended);
      return false;
    }
    const former = seat.worker;
    seat.worker = successor;
    seat.failures = 0;
    void this.#watch(seat, successor);
    if (former) await this.#stop(former, 'SIGHUP');
    telemetry.replaced(seat.number);
    return true;
  }

  async #untilReady(worker: WorkerProcess): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    const limit = new AbortController();
    using _timer = clock.timer(READY_WAIT_MS, () => limit.abort());
    while (!limit.signal.aborted && !signal.aborted) {
      if (!(await worker.ask(limit.signal)) || worker.snapshot.unready.length === 0) return;
      await clock.sleep(READY_LOOK_MS);
    }
  }

  async #stop(worker: WorkerProcess, reason: string): Promise<Ended> {
    const { clock, stopMs, telemetry } = this.#options;
    using _timer = clock.timer(stopMs, () => {
      telemetry.killed(worker.seat, stopMs);
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
