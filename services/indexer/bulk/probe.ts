// Whose fault is a 400? A missing ingest pipeline, a refused parameter, a rule of somebody between: they refuse every document, and none of
// them is to blame. A probe tells: a document of ours, in which nothing can be wrong, sent the same way to the same data stream.
//
//   refused ─► probe ─┬─ taken: the documents are suspect, and at fault if they are refused again and another probe is taken
//                     ├─ refused too: the index, or the store, takes nothing until somebody mends it
//                     └─ no clear answer: nothing is known
//
// One refusal proves nothing: what refused the documents may have been mended just before the probe.
//
// Guarantees: `ask` tells of a probe that began after the call, so what changed a moment ago is seen. One probe at a time for a data
// stream, and PROBE_INTERVAL_MS between two of them, however many ask.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Store } from '#shared/store/store.ts';
import { itemVerdict, requestVerdict, saidOf } from './outcomes.ts';

/** Short beside the time that an operator takes, long enough that steady refusals cost next to nothing. */
const PROBE_INTERVAL_MS = 2000;

export interface ProbeOptions {
  readonly store: Pick<Store, 'probe'>;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends waits and probes. */
  readonly signal: AbortSignal;
}

/** What it met, and what the store said of it. */
export interface ProbeVerdict {
  readonly kind: 'taken' | 'index refuses' | 'store refuses' | 'unknown';
  readonly says: string;
}

interface State {
  beganMs: number;
  /** One that has not begun yet. */
  next: Promise<ProbeVerdict> | null;
  last: ProbeVerdict | null;
}

export class Probe {
  readonly #options: ProbeOptions;
  readonly #states = new Map<string, State>();

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** Whether the last probe of the data stream was refused. */
  isRefused(stream: string): boolean {
    return this.#states.get(stream)?.last?.kind === 'index refuses';
  }

  ask(stream: string): Promise<ProbeVerdict> {
    let state = this.#states.get(stream);
    if (!state) this.#states.set(stream, (state = { beganMs: -Infinity, next: null, last: null }));
    state.next ??= this.#run(stream, state);
    return state.next;
  }

  async #run(stream: string, state: State): Promise<ProbeVerdict> {
    const { clock, signal } = this.#options;
    const waitMs = state.beganMs + PROBE_INTERVAL_MS - clock.monotonicMs();
    // Without a wait too, `next` is set before it is taken back.
    await (waitMs > 0 ? clock.sleep(waitMs, signal).catch(() => undefined) : null);
    state.next = null;
    state.beganMs = clock.monotonicMs();
    state.last = await this.#send(stream);
    return state.last;
  }

  async #send(stream: string): Promise<ProbeVerdict> {
    const { store, clock, timeoutMs, signal } = this.#options;
    const over = new AbortController();
    using _timeout = clock.timer(timeoutMs, () => over.abort());
    try {
      const outcome = await store.probe(stream, AbortSignal.any([over.signal, signal]));
      const verdict = itemVerdict(outcome);
      if (verdict === 'indexed' || verdict === 'deduplicated') return { kind: 'taken', says: '' };
      return { kind: verdict === 'retry' ? 'unknown' : 'index refuses', says: saidOf(outcome) };
    } catch (error) {
      const isAnswer = !signal.aborted && !over.signal.aborted && requestVerdict(error) !== 'again';
      return { kind: isAnswer ? 'store refuses' : 'unknown', says: reasonOf(error) };
    }
  }
}
