// Entries on their way to the joiner of traces: which are wanted there, and what a line is to it.

import type { Clock } from '#shared/clock.ts';
import type { Batch } from '#shared/record/record.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import type { JoinedLine } from '../join/joiner.ts';
import { batchOfPart } from '../join/line-names.ts';
import type { TraceLine } from '../join/open-trace.ts';
import { TraceGate } from '../parse/document/trace-gate.ts';
import type { EventRef } from '../settle/bulk-batch.ts';
import type { Ledger } from '../settle/ledger.ts';
import type { Joins } from './joins.ts';
import type { ReadEntry } from './part-entries.ts';

export interface TraceEntriesOptions {
  readonly joins: Joins;
  readonly clock: Clock;
  readonly ledger: Ledger;
}

type OwnLine = Pick<TraceLine<EventRef>, 'index' | 'entry' | 'refs' | 'lineAt'>;

export class TraceEntries {
  /** For the writer of documents; absent where no trace is joined. */
  readonly gate: TraceGate | undefined;
  readonly #options: TraceEntriesOptions;

  constructor(options: TraceEntriesOptions) {
    this.#options = options;
    this.gate = options.joins.traces ? new TraceGate() : undefined;
  }

  /** Entries of the batch follow: whether one of its sources has a trace open, or some come again. */
  watch(record: RecordInHand, batch: Batch): void {
    const { traces } = this.#options.joins;
    if (!this.gate || !traces) return;
    this.gate.hasOpen = traces.watchedOf(record.partition, () => batchKeyOf(batch));
    this.gate.isPassed = traces.passedOf(batch);
  }

  /**
   * Takes the entry that was read, which the gate wanted last; `own`: as it came, a copy. Returns what can be passed on
   * by now.
   */
  take(ref: EventRef, own: Uint8Array, { bytes, start, end, isUnwrapped }: ReadEntry): JoinedLine<EventRef>[] {
    const batch = batchOfPart(ref.batch, ref.index);
    // Copies, so that the record's bytes need not wait too.
    const entry = isUnwrapped ? new Uint8Array(bytes.subarray(start, end)) : own;
    ref.record.apart++;
    const refs = [{ ...ref, batch, bytes: own }];
    return this.#add(ref.record, batch, { index: ref.index, entry, lineAt: this.#lineAt - start, refs });
  }

  /** The same for a line that was put together of parts. */
  takeLine(record: RecordInHand, line: JoinedLine<EventRef>): JoinedLine<EventRef>[] {
    return this.#add(record, line.batch, { ...line, lineAt: this.#lineAt });
  }

  get #lineAt(): number {
    return this.gate?.lineAt ?? 0;
  }

  #add(record: RecordInHand, batch: Batch, { index, entry, refs, lineAt }: OwnLine): JoinedLine<EventRef>[] {
    const { joins, clock, ledger } = this.#options;
    const source = this.gate?.source ?? '';
    const line = { source, batch, index, entry, refs, lineAt, appendedMs: record.appendedMs };
    const passed = joins.traces?.add(record, batchKeyOf(batch) + source, line, clock.monotonicMs()) ?? null;
    if (passed) return passed;
    // A repeat: what it repeats came before it under the same assignment, so that no commit passes the one without the
    // other.
    for (const ref of refs) ledger.settleEvent(ref, 'deduplicated');
    return [];
  }
}

function batchKeyOf({ tenant, sender, tag }: Batch): string {
  return `${tenant ?? '\0'}\0${sender}\0${tag}\0`;
}
