// Stack traces in a record that is tried out: its lines go through the joiner of traces, as an indexer's do
// (pipeline/trace-entries.ts), but as if nothing had come before the record.

import type { Batch } from '#shared/record/record.ts';
import type { JoinedLine } from '../join/joiner.ts';
import type { TraceLine } from '../join/open-trace.ts';
import { type TraceLimits, TraceJoiner } from '../join/trace-joiner.ts';
import { TraceGate } from '../parse/document/trace-gate.ts';

/** The record: nothing of it is ever committed. */
const PLACE = {
  partition: 0,
  offset: 0,
  appendedMs: 0,
  holdCommit: () => undefined,
  releaseCommit: () => undefined,
};

export class TrialTraces<Ref> {
  /** For the writer of documents. */
  readonly gate = new TraceGate();
  readonly #joiner: TraceJoiner<Ref>;

  constructor(limits: TraceLimits) {
    this.#joiner = new TraceJoiner(limits);
  }

  /** Entries of the batch follow. */
  startBatch(batch: Batch): void {
    this.gate.hasOpen = this.#joiner.watchedOf(PLACE.partition, () => keyOf(batch));
    this.gate.isPassed = this.#joiner.passedOf(batch);
  }

  /** Takes what the gate wanted last; `entry` is a copy of what lay at `start`. Returns what is passed on by now. */
  take(line: Pick<TraceLine<Ref>, 'batch' | 'index' | 'entry' | 'refs'>, start: number): JoinedLine<Ref>[] {
    const { source, lineAt } = this.gate;
    const key = keyOf(line.batch) + source;
    const { appendedMs } = PLACE;
    return this.#joiner.add(PLACE, key, { ...line, source, lineAt: lineAt - start, appendedMs }, 0) ?? [];
  }

  /** What is left. */
  flush(): Generator<JoinedLine<Ref>, void, undefined> {
    return this.#joiner.flush(
      () => true,
      () => true,
    );
  }
}

function keyOf({ tenant, sender, tag }: Batch): string {
  return `${tenant ?? '\0'}\0${sender}\0${tag}\0`;
}
