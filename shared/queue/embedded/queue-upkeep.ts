// Regular upkeep of an embedded queue: it removes what is old, gives space back, and finds out whether an append would
// be stored now. It tries the size of the last append that was refused, or else that of a small event.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { DeadLetterFigures } from './dead-letter-account.ts';
import type { QueueHealth } from './queue-health.ts';
import type { LogMethods } from './queue-thread.ts';

const INTERVAL_MS = 1000;
/** A small event: where this finds no room, none does. */
const PROBE_BYTES = 1024;

export interface QueueUpkeepOptions {
  readonly clock: Clock;
  readonly health: QueueHealth;
  /** The dead letters were counted. */
  counted(figures: DeadLetterFigures): void;
}

export class QueueUpkeep implements Disposable {
  readonly #thread: WorkerThread<LogMethods>;
  readonly #options: QueueUpkeepOptions;
  #timer: Disposable | null = null;
  #isOver = false;
  #warned = '';

  constructor(thread: WorkerThread<LogMethods>, options: QueueUpkeepOptions) {
    this.#thread = thread;
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.timer(INTERVAL_MS, () => {
      void this.#tend().finally(() => {
        if (!this.#isOver && !this.#options.health.isDead) this.start();
      });
    });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
  }

  async #tend(): Promise<void> {
    const { clock, health, counted } = this.#options;
    try {
      const moment = { epochMs: clock.epochMs(), monotonicMs: clock.monotonicMs() };
      while (await this.#thread.call('tend', moment)) if (this.#isOver) return;
      counted(await this.#thread.call('deadLetterFigures', null));
      const bytes = health.refusedBytes ?? PROBE_BYTES;
      const reason = await this.#thread.call('makeRoom', bytes);
      if (reason === null) health.accepts(bytes);
      else if (health.refusedBytes === null) health.refuse(reason, bytes);
      if (!health.hasFailed) return;
      await this.#thread.call('probe', null);
      health.failed(null);
    } catch (error) {
      // What is gone was reported.
      if (this.#isOver || health.isFileGone) return;
      const why = reasonOf(error);
      if (!health.hasFailed) health.failed(`Cannot write to ${health.name}: ${why}`);
      if (why !== this.#warned) health.warn(`Cannot tend ${health.name}: ${why}`);
      this.#warned = why;
    }
  }
}
