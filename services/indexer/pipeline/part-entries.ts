// Entries on their way to the joiner of split lines: parts that say so, and lines that end what was begun before.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { Batch } from '#shared/record/record.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import type { JoinedLine } from '../join/joiner.ts';
import { batchOfPart } from '../join/line-names.ts';
import type { PartContext } from '../join/pending-line.ts';
import type { EntryReader } from '../parse/document/entry-reader.ts';
import { partInCopy } from '../parse/part.ts';
import { PartGate } from '../parse/part-gate.ts';
import type { EventRef } from '../settle/bulk-batch.ts';
import type { Ledger } from '../settle/ledger.ts';
import type { Joins } from './joins.ts';

export interface PartEntriesOptions {
  readonly joins: Joins;
  readonly clock: Clock;
  readonly ledger: Ledger;
}

/** The entry that was read last, and where it lies. */
export type ReadEntry = Pick<EntryReader, 'bytes' | 'start' | 'end' | 'part' | 'isUnwrapped'>;

export class PartEntries {
  /** For the writer of documents. */
  readonly gate = new PartGate();
  readonly #options: PartEntriesOptions;

  constructor(options: PartEntriesOptions) {
    this.#options = options;
  }

  /** Entries of the batch follow: whether one of its sources has a line that is begun, or some come again. */
  watch({ partition, assignment }: RecordInHand, batch: Batch): void {
    const { joins, clock } = this.#options;
    const { lines } = joins;
    this.gate.isBegun = lines.hasBegun ? lines.begunOf(partition, batch, clock.monotonicMs()) : null;
    this.gate.isPassed = lines.passedOf(batch, assignment.number);
  }

  /**
   * The part waits with its line: the offset of its record waits for the outcome of the whole. `own`: the entry as it
   * came, a copy. Returns what can be passed on by now.
   */
  take(ref: EventRef, own: Uint8Array, read: ReadEntry): JoinedLine<EventRef>[] {
    const { record, index } = ref;
    const batch = batchOfPart(ref.batch, index);
    record.apart++;
    const entry = read.isUnwrapped ? copyOf(read) : own;
    const keptBytes = read.isUnwrapped ? own.length : 0;
    const context = { ...contextOf(record), batch, index, ref: { ...ref, batch, bytes: own }, keptBytes };
    return this.#add(context, entry, read);
  }

  /** The same of a line that was split on its way itself. */
  takeLine(record: RecordInHand, line: JoinedLine<EventRef>, read: ReadEntry): JoinedLine<EventRef>[] {
    const { batch, index } = line;
    const [ref, ...otherRefs] = line.refs;
    assert(ref, 'a line has a part');
    const keptBytes = line.refs.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    return this.#add({ ...contextOf(record), batch, index, ref, otherRefs, keptBytes }, copyOf(read), read);
  }

  #add(context: PartContext<EventRef>, entry: Uint8Array, { part, start }: ReadEntry): JoinedLine<EventRef>[] {
    const { joins, clock, ledger } = this.#options;
    assert(part, 'only parts are taken');
    const passed = joins.lines.add(context, entry, clock.monotonicMs(), partInCopy(part, start));
    if (passed) return passed;
    // A repeat: what it repeats came before it under the same assignment, so that no commit passes the one without the
    // other.
    for (const one of [context.ref, ...(context.otherRefs ?? [])]) ledger.settleEvent(one, 'deduplicated');
    return [];
  }
}

function contextOf({ partition, assignment, isInherited }: RecordInHand) {
  return { partition, assignmentNumber: assignment.number, isInherited };
}

/** So that what it was read from need not wait too. */
function copyOf({ bytes, start, end }: ReadEntry): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}
