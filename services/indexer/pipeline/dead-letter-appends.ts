// Appends dead letters to the queue, and tries again for as long as it does not take them: nothing else could be done
// with their events. Offsets stand still meanwhile.

import { backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { DeadLetter, Queue } from '#shared/queue/queue.ts';
import { groupsOf } from '../settle/dead-letters.ts';
import type { LedgerTelemetry } from '../settle/ledger-telemetry.ts';

const BACKOFF = { baseMs: 200, capMs: 10_000 };

export interface DeadLetterAppendsOptions {
  readonly queue: Pick<Queue, 'appendDeadLetters' | 'appendBytesMax'>;
  readonly telemetry: Pick<LedgerTelemetry, 'deadLettersFailed'>;
  readonly clock: Clock;
  readonly random: () => number;
}

export class DeadLetterAppends {
  readonly #options: DeadLetterAppendsOptions;
  /** Of groups that wait: each with why the queue did not take it. */
  readonly #waiting = new Map<object, string>();

  constructor(options: DeadLetterAppendsOptions) {
    this.#options = options;
  }

  /** Why dead letters wait; null where none does. */
  get unhealthyReason(): string | null {
    for (const why of this.#waiting.values()) return `events wait that cannot be indexed: ${why}`;
    return null;
  }

  /** Resolves when the queue has stored them durably; rejects only when the signal is aborted. */
  async append(deadLetters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (const group of groupsOf(deadLetters, queue.appendBytesMax)) {
      try {
        await this.#appendGroup(group, signal);
      } finally {
        this.#waiting.delete(group);
      }
    }
  }

  async #appendGroup(group: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const { queue, clock, random, telemetry } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        await queue.appendDeadLetters(group);
        return;
      } catch (error) {
        telemetry.deadLettersFailed(error);
        this.#waiting.set(group, reasonOf(error));
        await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
      }
    }
  }
}
