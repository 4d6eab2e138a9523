// The child's side of opening records; see opening-child.ts, which is nothing but its start.
//
// It asks the kernel to take this process first when memory runs out: the indexer beside it is in the same container.

import { writeFileSync } from 'node:fs';
import { reasonOf } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import { BLAMED_GROWTH_BYTES } from './limits.ts';
import type { OpeningLimits, ToChild, ToParent } from './messages.ts';
import { type OpeningOptions, type Progress, TURN } from './record-trial.ts';
import type { OpeningThread } from './opening-thread.ts';

/** Between two samples of what the thread uses. */
const SAMPLE_MS = 20;
/**
 * More than that between two samples is time in which the process did not run: it was stopped, or the machine slept.
 */
const RAN_MS_MAX = 5 * SAMPLE_MS;
const MIB = 1024 * 1024;

/** `moduleUrl`: beside which module the thread's module `name` lies. */
export function serveOpenings(worker: { readonly name: string; readonly moduleUrl: string }): void {
  // Signals are for the parent, which has us in its process group; when it ends, so do we.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('disconnect', end);
  beTakenFirst();
  let service: Promise<OpeningService> | null = null;
  process.on('message', (message: ToChild) => {
    if (message.kind === 'begin') service = OpeningService.start(worker, message.options, message.limits);
    else void service?.then((started) => started.open(message.record));
  });
}

class OpeningService {
  readonly #limits: OpeningLimits;
  readonly #residentBytes: number;
  #thread: WorkerThread<OpeningThread> | null = null;
  #isOver = false;
  /** What of the processor's time was used up to the thread's last turn. */
  #cpuAtTurn = process.cpuUsage();

  private constructor(limits: OpeningLimits) {
    this.#limits = limits;
    this.#residentBytes = process.memoryUsage.rss();
  }

  static async start(
    { name, moduleUrl }: { readonly name: string; readonly moduleUrl: string },
    options: OpeningOptions,
    limits: OpeningLimits,
  ): Promise<OpeningService> {
    let service: OpeningService | null = null;
    const thread = await startWorker<OpeningThread>(name, moduleUrl, options, {
      heapMbMax: limits.heapMb,
      onNotice: (news) => {
        service?.turned();
        if (news !== TURN) report({ kind: 'progress', progress: news as Progress });
      },
      onDeath: (error) => service?.over(/memory/i.test(error.message) ? 'memory' : 'died', reasonOf(error)),
    });
    service = new OpeningService(limits);
    service.#thread = thread;
    report({ kind: 'ready' });
    return service;
  }

  /** The thread's event loop had a turn. */
  turned(): void {
    this.#cpuAtTurn = process.cpuUsage();
  }

  async open(record: FetchedRecord): Promise<void> {
    this.turned();
    const watch = this.#watch();
    try {
      await said({ doing: 'reading its table of batches', events: null });
      const events = (await this.#thread?.call('events', { headers: record.headers })) ?? null;
      // Before the next step begins: one that ends this process at once would end the news as well.
      await said({ doing: 'decompressing and scanning it', events });
      await this.#thread?.call('open', record);
      if (!this.#isOver) report({ kind: 'well' });
    } catch (error) {
      // Where the thread has died, that was reported.
      this.over('threw', reasonOf(error));
    } finally {
      clearInterval(watch);
    }
  }

  /** The last that is said: the process ends as soon as it is on its way to the parent. */
  over(harm: Extract<ToParent, { kind: 'harmed' }>['harm'], what: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    report({ kind: 'harmed', harm, what }, end);
  }

  #watch(): NodeJS.Timeout {
    const { turnMs, runMs, growthBytes } = this.#limits;
    let ranMs = 0;
    let isGrown = false;
    let lookedMs = performance.now();
    return setInterval(() => {
      const nowMs = performance.now();
      ranMs += Math.min(nowMs - lookedMs, RAN_MS_MAX);
      lookedMs = nowMs;
      const { user, system } = process.cpuUsage(this.#cpuAtTurn);
      const spentMs = (user + system) / 1000;
      const grownBytes = process.memoryUsage.rss() - this.#residentBytes;
      if (!isGrown && grownBytes > BLAMED_GROWTH_BYTES) {
        isGrown = true;
        report({ kind: 'grown' });
      }
      if (spentMs > turnMs)
        this.over('time', `it took more than ${turnMs / 1000} s of the processor's time at a stretch`);
      else if (ranMs > runMs) this.over('time', `it was not done after ${runMs / 1000} s`);
      else if (grownBytes > growthBytes) this.over('memory', `it took more than ${Math.round(growthBytes / MIB)} MiB`);
    }, SAMPLE_MS);
  }
}

function report(message: ToParent, done: () => void = () => undefined): void {
  // Nobody there: 'disconnect' ends us.
  process.send?.(message, undefined, undefined, () => done());
}

/** Resolves when it is on its way, whatever becomes of this process. */
function said(progress: Progress): Promise<void> {
  return new Promise((resolve) => report({ kind: 'progress', progress }, resolve));
}

/** At once, whatever the thread is doing: an orderly exit would wait for what it cannot interrupt. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

function beTakenFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Only Linux has it.
  }
}
