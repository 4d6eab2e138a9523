// Puts the lines of stack traces together, those of one source in one partition: what is printed line by line becomes
// one entry, with the first line's time and fields and all lines' text.
//
//   the queue   A1 A2 x B1 A3 B2 y A4 B3 | A′ …      one partition; x and y are other sources' lines
//   documents   x, y at once; A1–A4 and B1–B3 when their source says something else, or nothing for a while
//
// Where a trace begins and ends is a function of the entries, of when they were received, and of when the queue took
// them: a gap of more than `waitMs` in either ends a trace. The clock only decides when that is passed on: when the
// source has been silent for so long, and all is read that the queue is known to have. However far behind the reader
// is, a trace waits for what is unread. Whoever reads the same again, a drain job or a reindex, so makes the same
// documents, under the same names.
//
// For that, reading must begin where no trace is open. A run of records through which some trace was open all the time
// (a stretch) holds the commit at its beginning; after STRETCH_RECORDS or STRETCH_MS its traces are cut, and marked.
//
// Guarantees: bounded by lines and bytes of a trace, bytes of all (the one that is silent for longest is passed on
// first, marked) and time. Every reference that came in goes out once, those of a source in their order.

import assert from 'node:assert/strict';
import type { Batch } from '#shared/record/record.ts';
import { NONE } from '../parse/trace/line.ts';
import type { JoinedLine } from './joiner.ts';
import { OpenTrace, type TraceLine, bytesOf, documentOf, openingOfLine } from './open-trace.ts';
import { PassedLines } from './passed-lines.ts';
import { type RecordPlace, Stretch } from './stretch.ts';

export interface TraceLimits {
  /** After its source's last line. */
  readonly waitMs: number;
  /** Text of one trace. */
  readonly lineBytesMax: number;
  /** Of all unfinished traces together, with an allowance for each line's bookkeeping. */
  readonly bytesMax: number;
  readonly linesMax?: number;
}

const LINES_MAX = 4096;
/** Beyond the wait, for what the queue has taken by then and is on its way to us. */
const SLACK = 0.25;
/** A queue that is asked and does not give what it is known to have is not waited for any longer. */
const STUCK_MS = 60_000;
const LOOK_AGAIN_MS = 100;

/**
 * How far the partition is read that an event lies in. `read`: all that the queue is known to have. `asked`: more is
 * there, and on its way. `busy`: what was read is in work, or nothing is asked for until it is. `full`: nothing is read
 * because of what waits here.
 */
export type Reading = 'read' | 'asked' | 'busy' | 'full';

export class TraceJoiner<Ref> {
  readonly #limits: TraceLimits;
  /** By partition. */
  readonly #stretches = new Map<number, Stretch<Ref>>();
  readonly #passed = new PassedLines();
  #bytes = 0;
  #events = 0;

  constructor(limits: TraceLimits) {
    this.#limits = limits;
  }

  /** Events that wait here. */
  get events(): number {
    return this.#events;
  }

  /** Bytes that wait here, the allowance included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When to call `expire`, by the monotonic clock; null where nothing waits. */
  get dueMs(): number | null {
    let dueMs: number | null = null;
    for (const stretch of this.#stretches.values())
      if (stretch.dueMs !== null && (dueMs === null || stretch.dueMs < dueMs)) dueMs = stretch.dueMs;
    return dueMs;
  }

  /** Of a batch: whether the line of an index is here or was passed on; null where none of them is, or was. */
  passedOf(batch: Batch): ((index: number) => boolean) | null {
    return this.#passed.hasOf(batch) ? (index) => this.#passed.has(batch, index) : null;
  }

  /** Of a batch in a partition: whether lines of a source are wanted whatever they say; null where none are. */
  watchedOf(partition: number, batchKey: () => string): ((source: string) => boolean) | null {
    const stretch = this.#stretches.get(partition);
    if (!stretch || stretch.isEmpty) return null;
    const key = batchKey();
    return stretch.isWatched(key) ? (source) => stretch.get(key + source) !== undefined : null;
  }

  /**
   * The lines of another record follow. Passes on what is over by then, and what the end of a stretch cuts, one by one.
   */
  *startRecord(place: RecordPlace): Generator<JoinedLine<Ref>, void, undefined> {
    const { partition, offset, appendedMs } = place;
    const stretch = this.#stretches.get(partition);
    if (!stretch) return;
    const { waitMs } = this.#limits;
    // The one that is silent for longest comes first: however many are open, a record costs no look at each.
    for (const trace of stretch.traces) {
      if (appendedMs - trace.settled.appendedMs <= waitMs) break;
      yield* this.#passOn(stretch, trace, false);
    }
    if (!stretch.isEmpty && stretch.isTooLong(offset, appendedMs))
      for (const trace of stretch.traces) yield* this.#passOn(stretch, trace, true);
    this.#close(stretch);
    stretch.lastOffset = offset;
    stretch.askedSinceMs = null;
  }

  /** There are no more lines of the record that was begun last. */
  endRecord(partition: number): void {
    const stretch = this.#stretches.get(partition);
    if (stretch) this.#close(stretch);
  }

  /**
   * Takes the next line. It is kept, so it is the caller's to copy. Returns what can be passed on by now, which may be
   * the line itself. Null for a line that is here or was passed on, under the same assignment: it is not taken, and its
   * caller settles it. The time must not go back from call to call.
   */
  add(place: RecordPlace, key: string, line: TraceLine<Ref>, nowMs: number): JoinedLine<Ref>[] | null {
    if (this.#passed.has(line.batch, line.index)) return null;
    let stretch = this.#stretches.get(place.partition);
    if (!stretch) this.#stretches.set(place.partition, (stretch = new Stretch(place)));
    this.#events += line.refs.length;
    this.#bytes += bytesOf(line);
    const out: JoinedLine<Ref>[] = [];
    this.#take(stretch, key, line, nowMs + this.#limits.waitMs * (1 + SLACK), out);
    while (this.#bytes > this.#limits.bytesMax) {
      const oldest = this.#oldest();
      if (!oldest) break;
      out.push(...this.#passOn(...oldest, true));
      if (oldest[0] !== stretch) this.#close(oldest[0]);
    }
    if (stretch.isEmpty && stretch.isNew) this.#stretches.delete(place.partition);
    return out;
  }

  /**
   * Traces whose sources were silent for long enough, each passed on when it is asked for. Of those for which nothing
   * can be read, the oldest of a partition, marked.
   */
  *expire(nowMs: number, readingOf: (ref: Ref) => Reading): Generator<JoinedLine<Ref>, void, undefined> {
    for (const stretch of this.#stretches.values()) {
      const { oldest, dueMs } = stretch;
      if (!oldest || dueMs === null || dueMs > nowMs) continue;
      const [ref] = oldest.last.refs;
      assert(ref !== undefined, 'a line has an event');
      const reading = readingOf(ref);
      const isRead = reading === 'read' && stretch.isSure(nowMs, LOOK_AGAIN_MS);
      if (reading !== 'asked') stretch.askedSinceMs = null;
      else stretch.askedSinceMs ??= nowMs;
      const { askedSinceMs } = stretch;
      const isStuck = reading === 'full' || (askedSinceMs !== null && nowMs - askedSinceMs >= STUCK_MS);
      if (isRead) {
        for (const trace of stretch.traces) {
          if (trace.dueMs > nowMs) break;
          yield* this.#passOn(stretch, trace, false);
        }
      } else {
        if (isStuck) yield* this.#passOn(stretch, oldest, true);
        stretch.lookAgain(nowMs, LOOK_AGAIN_MS);
      }
      this.#close(stretch);
    }
  }

  /**
   * Traces with a line for which `isWanted` is true: nothing more will come. Those for which `isWhole` is not true of
   * when their last line was appended are marked.
   */
  *flush(
    isWanted: (ref: Ref) => boolean,
    isWhole: (ref: Ref, appendedMs: number) => boolean,
  ): Generator<JoinedLine<Ref>, void, undefined> {
    for (const stretch of this.#stretches.values()) {
      for (const trace of stretch.traces) {
        if (!trace.lines.some(({ refs }) => refs.some(isWanted))) continue;
        const { refs, appendedMs } = trace.last;
        yield* this.#passOn(stretch, trace, !refs.every((ref) => isWhole(ref, appendedMs)));
      }
      this.#close(stretch);
    }
  }

  /**
   * Forgets traces with a line for which `isLost` is true: somebody reads them again. Returns the references of all of
   * their lines.
   */
  drop(isLost: (ref: Ref) => boolean = () => true): Ref[] {
    const dropped: Ref[] = [];
    this.#passed.forget();
    for (const stretch of this.#stretches.values()) {
      for (const trace of stretch.traces) {
        const refs = trace.lines.flatMap((line) => line.refs);
        if (!refs.some(isLost)) continue;
        stretch.delete(trace);
        this.#bytes -= trace.bytes;
        this.#events -= refs.length;
        dropped.push(...refs);
      }
      this.#close(stretch);
    }
    return dropped;
  }

  #take(stretch: Stretch<Ref>, key: string, line: TraceLine<Ref>, dueMs: number, out: JoinedLine<Ref>[]): void {
    // What was there may leave lines that are looked at anew, and one of them may open a trace.
    for (let trace = stretch.get(key); trace; trace = stretch.get(key)) {
      const state = trace.isApart(line, this.#limits.waitMs) ? NONE : trace.after(line);
      const isFull = state !== NONE && this.#isFull(trace, line);
      if (state !== NONE && !isFull) {
        this.#passed.add(line.batch, line.index);
        if (trace.add(line, { state, dueMs })) stretch.touch(trace, dueMs);
        if (trace.isOver) out.push(...this.#passOn(stretch, trace, false));
        return;
      }
      out.push(...this.#passOn(stretch, trace, isFull));
    }
    const opening = openingOfLine(line);
    if (opening === NONE) {
      this.#forget(line);
      out.push(documentOf([line], false));
      return;
    }
    this.#passed.add(line.batch, line.index);
    stretch.open(new OpenTrace<Ref>(key, line, { state: opening, dueMs }));
  }

  #isFull(trace: OpenTrace<Ref>, line: TraceLine<Ref>): boolean {
    const { lineBytesMax, linesMax = LINES_MAX } = this.#limits;
    return trace.lines.length >= linesMax || trace.textBytes + line.entry.length > lineBytesMax;
  }

  /** Its document; and what of its last lines is not of it, looked at anew. */
  #passOn(stretch: Stretch<Ref>, trace: OpenTrace<Ref>, isCut: boolean): JoinedLine<Ref>[] {
    stretch.delete(trace);
    const { document, rest } = trace.finish(isCut);
    const out = [document];
    this.#events -= document.refs.length;
    this.#bytes -= trace.bytes;
    for (const { line, dueMs } of rest) {
      this.#bytes += bytesOf(line);
      this.#take(stretch, trace.key, line, dueMs, out);
    }
    return out;
  }

  #forget(line: TraceLine<Ref>): void {
    this.#events -= line.refs.length;
    this.#bytes -= bytesOf(line);
  }

  #oldest(): [Stretch<Ref>, OpenTrace<Ref>] | null {
    let found: [Stretch<Ref>, OpenTrace<Ref>] | null = null;
    for (const stretch of this.#stretches.values()) {
      const { oldest } = stretch;
      if (oldest && (found === null || oldest.dueMs < found[1].dueMs)) found = [stretch, oldest];
    }
    return found;
  }

  /** No trace is open: reading may begin behind the last record of the stretch. */
  #close(stretch: Stretch<Ref>): void {
    if (!stretch.isEmpty) return;
    stretch.end();
    if (this.#stretches.get(stretch.partition) === stretch) this.#stretches.delete(stretch.partition);
  }
}
