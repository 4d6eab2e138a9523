// What waits to be joined: the parts of lines that were split, and the lines of stack traces. To the pipeline they are
// one thing that holds events for a while; only where an entry is taken (entry-writer.ts) do they differ.

import type { RecordInHand } from '../commit/in-hand.ts';
import { type JoinedLine, type JoinerLimits, LineJoiner } from '../join/joiner.ts';
import { TraceJoiner } from '../join/trace-joiner.ts';
import type { EventRef } from '../settle/bulk-batch.ts';

export interface JoiningOptions extends JoinerLimits {
  /** How long a stack trace waits after its source's last line; null where none is joined. */
  readonly traceWaitMs: number | null;
}

/** What `flush` does: nothing more will come. */
export interface FinishOptions {
  /** What is of a partition for which this is false stays. */
  readonly passOn?: (partition: number) => boolean;
  /** Whether a trace is whole whose last line the queue took at this time; absent: if the partition was read since. */
  readonly isWhole?: (appendedMs: number) => boolean;
}

type Passed = Generator<JoinedLine<EventRef>, void, undefined>;

export class Joins {
  readonly lines: LineJoiner<EventRef>;
  readonly traces: TraceJoiner<EventRef> | null;
  readonly #traceWaitMs: number;

  constructor({ traceWaitMs, ...limits }: JoiningOptions) {
    const { lineBytesMax, bytesMax } = limits;
    this.lines = new LineJoiner(limits);
    this.traces = traceWaitMs === null ? null : new TraceJoiner({ waitMs: traceWaitMs, lineBytesMax, bytesMax });
    this.#traceWaitMs = traceWaitMs ?? 0;
  }

  /** Events that wait. */
  get events(): number {
    return this.lines.events + (this.traces?.events ?? 0);
  }

  /** When something is to be passed on, by the monotonic clock; null where nothing waits. */
  get dueMs(): number | null {
    const traceMs = this.traces?.dueMs ?? null;
    const lineMs = this.lines.dueMs;
    return traceMs === null || lineMs === null ? (traceMs ?? lineMs) : Math.min(traceMs, lineMs);
  }

  /** Entries of this record follow; what is over by then is passed on. */
  *startRecord(record: RecordInHand): Passed {
    if (this.traces) yield* this.traces.startRecord(record);
  }

  endRecord({ partition }: RecordInHand): void {
    this.traces?.endRecord(partition);
  }

  /** What has waited long enough. `inWorkOf`: see in-work.ts. */
  *expire(nowMs: number, inWorkOf: (partition: number) => 'busy' | 'full' | null): Passed {
    yield* this.lines.expire(nowMs);
    if (!this.traces) return;
    yield* this.traces.expire(nowMs, ({ record: { assignment, partition } }) => {
      const isRead = assignment.isReadToEnd(partition) || assignment.held.has(partition);
      return inWorkOf(partition) ?? (isRead ? 'read' : 'asked');
    });
  }

  /** Nothing more will come: lines that are not whole are marked. */
  *flush({ passOn = () => true, isWhole }: FinishOptions): Passed {
    const isWanted = ({ record }: EventRef): boolean => passOn(record.partition);
    yield* this.lines.flush(isWanted);
    if (!this.traces) return;
    yield* this.traces.flush(
      isWanted,
      ({ record }, appendedMs) => isWhole?.(appendedMs) ?? this.#isOld(record, appendedMs),
    );
  }

  /** Whether nothing came to the partition for long enough after this time. */
  #isOld({ assignment, partition }: RecordInHand, appendedMs: number): boolean {
    const heardMs = assignment.ends.get(partition)?.heardMs ?? 0;
    return assignment.isReadToEnd(partition) && heardMs - appendedMs > this.#traceWaitMs;
  }

  /** Forgets what is read again; returns the events that waited. */
  drop(isLost?: (ref: EventRef) => boolean): EventRef[] {
    return [...this.lines.drop(isLost), ...(this.traces?.drop(isLost) ?? [])];
  }
}
