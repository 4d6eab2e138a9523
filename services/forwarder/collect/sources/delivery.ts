// Gives what is collected to intake. Files and the journal wait: what intake refuses is given to it again, for as long
// as we run, and no more is read until then.

import type { Clock } from '#shared/clock.ts';
import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import { abortError } from '#shared/abort.ts';
import { freeOwn } from '#shared/memory/free-buffer.ts';
import type { Chunk, Intake, Undecodable } from '../../intake/chunk.ts';

const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };

export interface LineRun {
  readonly tag: string;
  /** In memory of their own: they are gone once the queue holds them. */
  readonly entries: Uint8Array;
  readonly count: number;
  /** Before the first of them. */
  readonly chain: Uint8Array;
}

type NamedRun = Pick<Chunk, 'tag' | 'input' | 'chunkId' | 'content' | 'entries' | 'count' | 'chain' | 'freeBytes'>;

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
  give({ tag, entries, count, chain }: LineRun): Promise<void> {
    const freeBytes = (): void => freeOwn(entries);
    return this.giveNamed({ tag, input: 'files', chunkId: null, entries, count, chain, freeBytes });
  }

  /** The same for entries that have a name. */
  giveNamed(named: NamedRun): Promise<void> {
    const chunk: Chunk = { ...named, ...this.#origin, encoding: 'identity', bytes: named.entries };
    return this.#untilHeld(() => this.#intake.accept(chunk));
  }

  /** The same for what can be no event. */
  deadLetter(undecodable: Omit<Undecodable, 'tenant' | 'sender'>): Promise<void> {
    return this.#untilHeld(() => this.#intake.deadLetter({ ...undecodable, ...this.#origin }));
  }

  get #origin(): { readonly tenant: null; readonly sender: string } {
    return { tenant: null, sender: this.#host };
  }

  async #untilHeld(give: () => Promise<void>): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await give();
      } catch {
        // Intake has counted it, and said why.
        if (this.#signal.aborted) throw abortError(this.#signal);
        await this.#clock.sleep(steadyBackoffMs(failures, PAUSES), this.#signal);
      }
    }
  }
}
