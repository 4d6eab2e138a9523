// Gives runs of lines to intake. Files wait: what intake refuses is given to it again, for as long as we run, and the
// file is read no further until then.

import type { Clock } from '#shared/clock.ts';
import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import { abortError } from '#shared/abort.ts';
import type { Intake } from '../../intake/chunk.ts';

const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };

export interface LineRun {
  readonly tag: string;
  readonly entries: Uint8Array;
  readonly count: number;
  /** Before the first of them. */
  readonly chain: Uint8Array;
}

export class Delivery {
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #host: string;

  constructor(options: { intake: Intake; clock: Clock; signal: AbortSignal; host: string }) {
    this.#intake = options.intake;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#host = options.host;
  }

  /** Resolves when the queue holds the lines. Rejects if the signal is aborted first; it may hold them all the same. */
  async give({ tag, entries, count, chain }: LineRun): Promise<void> {
    const origin = { tag, input: 'files', tenant: null, sender: this.#host, chunkId: null } as const;
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#intake.accept({ ...origin, encoding: 'identity', bytes: entries, entries, count, chain });
      } catch {
        // Intake has counted it, and said why.
        if (this.#signal.aborted) throw abortError(this.#signal);
        await this.#clock.sleep(steadyBackoffMs(failures, PAUSES), this.#signal);
      }
    }
  }
}
