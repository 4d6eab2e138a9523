// A thread that converts bodies, one after another.
//
// Guarantees: the bytes of a body are moved, not copied, so the body is empty afterwards. A body that costs more
// processor time or memory than its size allows is refused, and its thread ends; another thread converts the bodies
// behind it. If a thread did not start, or died of anything else, no body is to blame: the next one gets a new thread.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { Exclusive } from '#shared/exclusive.ts';
import { type WorkerThread, startWorker } from '#shared/sqlite/worker-thread.ts';
import type { ConversionWorker } from '../../dialects/conversion-worker.ts';
import { type ConversionName, type ConversionOptions, type Converted, isOwn } from '../../dialects/conversions.ts';

/** What a body may cost of the processor's time. The worst that is known costs a tenth of this. */
const BUDGET_MS = 1000;
const BUDGET_MS_PER_BYTE = 0.002;
/** Of the thread's heap; entries are outside it. No body of 60 MiB that is known, whatever its dialect, takes 48. */
const HEAP_MB_MAX = 64;

export interface ConversionThreadOptions {
  readonly clock: Clock;
  /** What a body of so many bytes may cost. */
  readonly budgetMs?: (bytes: number) => number;
}

export class ConversionThread implements AsyncDisposable {
  readonly #options: ConversionThreadOptions;
  #thread: Promise<WorkerThread<ConversionWorker>> | null = null;
  readonly #inOrder = new Exclusive();
  #isClosed = false;

  constructor(options: ConversionThreadOptions) {
    this.#options = options;
  }

  /** Rejects with body_too_costly, conversion_unavailable. */
  convert<N extends ConversionName>(name: N, body: Buffer, options: ConversionOptions<N>): Promise<Converted<N>> {
    return this.#inOrder.run(() => this.#inThread(name, body, options));
  }

  async #inThread<N extends ConversionName>(
    name: N,
    body: Buffer,
    options: ConversionOptions<N>,
  ): Promise<Converted<N>> {
    const bytes = body.length;
    const thread = await this.#running();
    using watch = await this.#watch(thread, bytes);
    if (thread.isEnded) throw this.#isClosed ? shuttingDown() : unavailable('it ended');
    try {
      // A body in a buffer that others share is copied.
      const transfer = isOwn(body.buffer) ? [body.buffer] : [];
      const request = { name, body, options: options as never };
      return (await thread.call('convert', request, transfer)) as Converted<N>;
    } catch (error) {
      if (!thread.isEnded) throw error;
      this.#thread = null;
      if (this.#isClosed) throw shuttingDown();
      if (!watch.isOver && !isOutOfMemory(error)) throw unavailable(`it died: ${reasonOf(error)}`, error);
      const why = watch.isOver ? 'processor time' : 'memory';
      throw new SluiceError(
        'body_too_costly',
        `Cannot convert the body: it takes more ${why} than a body of ${bytes} bytes may; send fewer events at once`,
        { cause: error },
      );
    }
  }

  /** A thread that is alive, as far as is known. */
  async #running(): Promise<WorkerThread<ConversionWorker>> {
    const before = await this.#thread;
    if (this.#isClosed) throw shuttingDown();
    if (before && !before.isEnded) return before;
    this.#thread = startWorker<ConversionWorker>('conversion-worker', WORKER_MODULE, null, { heapMbMax: HEAP_MB_MAX });
    try {
      return await this.#thread;
    } catch (error) {
      this.#thread = null;
      throw unavailable(`it did not start: ${reasonOf(error)}`, error);
    }
  }

  /** Ends the thread when it has used up its time: the processor's, so that a busy machine is not the body's fault. */
  async #watch(
    thread: WorkerThread<ConversionWorker>,
    bytes: number,
  ): Promise<Disposable & { readonly isOver: boolean }> {
    const { clock, budgetMs = defaultBudgetMs } = this.#options;
    const limitMs = budgetMs(bytes);
    const beganMs = await thread.cpuMs();
    let isOver = false;
    let isDone = false;
    const look = async (): Promise<void> => {
      const spentMs = (await thread.cpuMs()) - beganMs;
      if (isDone) return;
      isOver = spentMs >= limitMs;
      if (isOver) await thread.kill();
      else timer = clock.timer(Math.max(10, limitMs - spentMs), () => void look());
    };
    let timer = clock.timer(limitMs, () => void look());
    return {
      get isOver() {
        return isOver;
      },
      [Symbol.dispose]: () => {
        isDone = true;
        timer[Symbol.dispose]();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever sent what is still in work is gone by now, and a stop has no time for it.
    this.#isClosed = true;
    const thread = await this.#thread?.catch(() => null);
    await thread?.kill();
  }
}

/** Beside which the worker's module lies. */
const WORKER_MODULE = new URL('../../dialects/conversions.ts', import.meta.url).href;

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function shuttingDown(): SluiceError {
  return new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down');
}

function unavailable(why: string, cause?: unknown): SluiceError {
  const message = `Cannot convert the body: there is no thread for it, ${why}; send it again later`;
  return new SluiceError('conversion_unavailable', message, { cause });
}

function defaultBudgetMs(bytes: number): number {
  return BUDGET_MS + bytes * BUDGET_MS_PER_BYTE;
}
