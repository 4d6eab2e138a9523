// One worker as the primary sees it: a forked process, its last snapshot, and its end.

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Clock } from '#shared/clock.ts';
import { watchHandovers } from './handovers.ts';
import type { Snapshot, ToPrimary, ToWorker } from '../process/worker-messages.ts';
import { MALLOC_ENVIRONMENT } from '../process/malloc.ts';

/** How long the last messages of a process that has exited may take to be read. */
const LAST_MESSAGES_MS = 250;

export interface Ended {
  /** Null after a signal. */
  readonly code: number | null;
  readonly signal: string | null;
}

export class WorkerProcess {
  readonly slot: number;
  /** Resolves when its service runs, or when it has ended before: to whether it is up. */
  readonly up: Promise<boolean>;
  /** Resolves when it has ended and all its messages are read. */
  readonly ended: Promise<Ended>;
  isUp = false;
  /** The last that was received. */
  snapshot: Snapshot = { families: [], unready: ['it is starting'] };
  #hasEnded = false;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #questions = new Map<number, () => void>();
  #lastQuestion = 0;

  /** Forks; the first call is after `cluster.setupPrimary`. */
  constructor(slot: number, clock: Clock) {
    this.slot = slot;
    this.#clock = clock;
    this.#worker = cluster.fork({ ...MALLOC_ENVIRONMENT, ...process.env, SLUICE_WORKER_SEAT: String(slot) });
    const closeHandovers = watchHandovers(this.#worker.process);
    const { promise: up, resolve } = Promise.withResolvers<boolean>();
    this.up = up;
    this.#worker.on('message', (message: ToPrimary) => {
      if (message.kind === 'up') {
        this.isUp = true;
        resolve(true);
        return;
      }
      this.snapshot = message.snapshot;
      this.#questions.get(message.question)?.();
    });
    // 'exit' follows.
    this.#worker.on('error', () => undefined);
    this.ended = this.#end().then((ended) => {
      closeHandovers();
      resolve(false);
      return ended;
    });
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Asks for a new snapshot. Resolves to true when it is there, to false when none will come. */
  ask(signal: AbortSignal): Promise<boolean> {
    const question = ++this.#lastQuestion;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const settle = (answered: boolean): void => {
      this.#questions.delete(question);
      resolve(answered);
    };
    this.#questions.set(question, () => settle(true));
    void this.ended.then(() => settle(false));
    signal.addEventListener('abort', () => settle(false));
    this.#send({ kind: 'ask', question });
    return promise;
  }

  /** Asks for an orderly stop. */
  stop(reason: string): void {
    this.#send({ kind: 'stop', reason });
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /**
   * The last messages of a process are read after its exit is known; the end of the channel shows that these were all.
   * Where a connection was on its way to the worker, Node 26 never reports that end.
   */
  async #end(): Promise<Ended> {
    const disconnected = once(this.#worker.process, 'disconnect');
    const [code, signal]: unknown[] = await once(this.#worker.process, 'exit');
    await Promise.race([disconnected, this.#clock.sleep(LAST_MESSAGES_MS)]);
    this.#hasEnded = true;
    return { code: typeof code === 'number' ? code : null, signal: typeof signal === 'string' ? signal : null };
  }

  /** Does nothing where the process is gone. */
  #send(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, undefined, () => undefined);
  }
}
