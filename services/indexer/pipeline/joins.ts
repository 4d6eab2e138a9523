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

type Passed = Generator<JoinedLine<EventRef>, void, undefined>;

export class Joins {
  readonly lines: LineJoiner<EventRef>;
  readonly traces: TraceJoiner<EventRef> | null;
  /** How long a trace waits; 0 where none is joined. */
  readonly traceWaitMs: number;

  constructor({ traceWaitMs, ...limits }: JoiningOptions) {
    const { lineBytesMax, bytesMax } = limits;
    this.lines = new LineJoiner(limits);
    this.traces = traceWaitMs === null ? null : new TraceJoiner({ waitMs: traceWaitMs, lineBytesMax, bytesMax });
    this.traceWaitMs = traceWaitMs ?? 0;
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

  /** What has waited long enough. `isCaughtUp`: nothing that is in the queue can be of the trace. */
  *expire(nowMs: number, isCaughtUp: (ref: EventRef) => boolean): Passed {
    yield* this.lines.expire(nowMs);
    if (this.traces) yield* this.traces.expire(nowMs, isCaughtUp);
  }

  /** What is of these events: nothing more will come. Traces that are not whole are marked. */
  *flush(isWanted: (ref: EventRef) => boolean, isWhole: (ref: EventRef, appendedMs: number) => boolean): Passed {
    yield* this.lines.flush(isWanted);
    if (this.traces) yield* this.traces.flush(isWanted, isWhole);
  }

  /** Forgets what is read again; returns the events that waited. */
  drop(isLost?: (ref: EventRef) => boolean): EventRef[] {
    return [...this.lines.drop(isLost), ...(this.traces?.drop(isLost) ?? [])];
  }
}
