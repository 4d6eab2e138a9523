// Whose fault is a 400? A missing ingest pipeline, an unknown parameter or a proxy refuses every document, and none of
// them is to blame. A probe shows it: a document of ours, in which nothing can be wrong, sent the same way to the same
// data stream.
//
//   refused ─► probe ─┬─ accepted: the documents are suspect; if both happen once more, they are at fault
//                     ├─ refused too: the index, or the store, accepts nothing until somebody repairs it
//                     └─ no clear answer: nothing is known
//
// One refusal proves nothing: what refused the documents may have been repaired just before the probe.
//
// Guarantees: `ask` resolves to a probe that started after the call, so it sees what changed a moment ago. A data
// stream has one probe at a time, and PROBE_INTERVAL_MS between two, however many ask.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Store } from '#shared/store/store.ts';
import { itemVerdict, outcomeReason, requestVerdict } from '../settle/outcomes.ts';

/** Short beside the time that an operator takes, long enough that steady refusals cost next to nothing. */
const PROBE_INTERVAL_MS = 2000;

export interface ProbeOptions {
  readonly store: Pick<Store, 'probe'>;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends waits and probes. */
  readonly signal: AbortSignal;
}

/** What a probe met, and what the store said of it. */
export interface ProbeVerdict {
  readonly kind: 'accepted' | 'index refuses' | 'store refuses' | 'unknown';
  readonly reason: string;
}

interface State {
  startedMs: number;
  /** A probe that has not started yet. */
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
  isRefused(dataStream: string): boolean {
    return this.#states.get(dataStream)?.last?.kind === 'index refuses';
  }

  ask(dataStream: string): Promise<ProbeVerdict> {
    let state = this.#states.get(dataStream);
    if (!state) this.#states.set(dataStream, (state = { startedMs: -Infinity, next: null, last: null }));
    state.next ??= this.#run(dataStream, state);
    return state.next;
  }

  async #run(dataStream: string, state: State): Promise<ProbeVerdict> {
    const { clock, signal } = this.#options;
    const waitMs = state.startedMs + PROBE_INTERVAL_MS - clock.monotonicMs();
    // Awaits in any case, so that the caller sets `next` before it is cleared here.
    await (waitMs > 0 ? clock.sleep(waitMs, signal).catch(() => undefined) : null);
    state.next = null;
    state.startedMs = clock.monotonicMs();
    state.last = await this.#send(dataStream);
    return state.last;
  }

  async #send(dataStream: string): Promise<ProbeVerdict> {
    const { store, clock, timeoutMs, signal } = this.#options;
    const over = new AbortController();
    using _timeout = clock.timer(timeoutMs, () => over.abort());
    try {
      const outcome = await store.probe(dataStream, AbortSignal.any([over.signal, signal]));
      const verdict = itemVerdict(outcome);
      if (verdict === 'indexed' || verdict === 'deduplicated') return { kind: 'accepted', reason: '' };
      return { kind: verdict === 'retry' ? 'unknown' : 'index refuses', reason: outcomeReason(outcome) };
    } catch (error) {
      const isAnswer = !signal.aborted && !over.signal.aborted && requestVerdict(error) !== 'again';
      return { kind: isAnswer ? 'store refuses' : 'unknown', reason: reasonOf(error) };
    }
  }
}
