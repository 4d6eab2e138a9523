// A trace that is not finished, and the document that its lines make. Pure.

import assert from 'node:assert/strict';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import type { Batch } from '#shared/record/record.ts';
import { LAST, REST, TENTATIVE } from '../parse/trace/line.ts';
import { nextState, openingOf } from '../parse/trace/trace-lines.ts';
import { textEnd, textStart } from '../parse/fields.ts';
import type { JoinedLine } from './joiner.ts';
import { batchOfAll } from './line-names.ts';
import { lineOffsets } from './line-offsets.ts';
import { traceEntry } from './trace-entry.ts';

/** A line that goes to the joiner of traces. */
export interface TraceLine<Ref> {
  /** What tells its output from others of the same partition, tenant, sender and tag. */
  readonly source: string;
  /** Names the line by itself at `index`, in memory of its own. */
  readonly batch: Batch;
  readonly index: number;
  /** [time, record], in memory of its own. */
  readonly entry: Uint8Array;
  /** Where the value with the line begins in the entry. */
  readonly lineAt: number;
  /** When the queue took its record, ms since the epoch. */
  readonly appendedMs: number;
  /** Of the events that it settles: of a split line, its parts. */
  readonly refs: readonly Ref[];
}

/** What a line costs beside its entry, and the names of its batch, which are in its key too. */
const LINE_OVERHEAD_BYTES = 2048;
const NAME_COPIES = 4;

/** The state after a line, and when the line has waited long enough, by the monotonic clock. */
interface Added {
  readonly state: number;
  readonly dueMs: number;
}

interface RestLine<Ref> {
  readonly line: TraceLine<Ref>;
  readonly dueMs: number;
}

export class OpenTrace<Ref> {
  readonly key: string;
  /** When it is passed on, by the monotonic clock. */
  dueMs: number;
  bytes = 0;
  textBytes = 0;
  readonly #lines: TraceLine<Ref>[] = [];
  /** Of each line, when it has waited long enough, by the monotonic clock. */
  readonly #duesMs: number[] = [];
  #state: number;
  /** Lines up to the last that belongs to the trace for certain. */
  #firm = 0;
  readonly #isRest: boolean;

  /** `state`: of `openingOf` its first line. */
  constructor(key: string, line: TraceLine<Ref>, { state, dueMs }: Added) {
    this.key = key;
    this.dueMs = dueMs;
    this.#state = state;
    this.#isRest = (state & REST) !== 0;
    this.add(line, { state, dueMs });
  }

  get lines(): readonly TraceLine<Ref>[] {
    return this.#lines;
  }

  get last(): TraceLine<Ref> {
    const last = this.#lines.at(-1);
    assert(last, 'a trace has a line');
    return last;
  }

  /** Its last line that belongs to it for certain; its first where none does. */
  get settled(): TraceLine<Ref> {
    return this.#lines[Math.max(0, this.#firm - 1)] ?? this.last;
  }

  /** Whether its last line is the last that it can have. */
  get isOver(): boolean {
    return (this.#state & LAST) !== 0;
  }

  /** The state after this line; NONE where it is not of the trace. */
  after(line: TraceLine<Ref>): number {
    const { entry, lineAt } = line;
    return nextState(this.#state, entry, textStart(entry, lineAt), textEnd(entry, lineAt));
  }

  /** Returns whether the line belongs to the trace for certain. */
  add(line: TraceLine<Ref>, { state, dueMs }: Added): boolean {
    this.#lines.push(line);
    this.#duesMs.push(dueMs);
    this.#state = state;
    const isFirm = (state & TENTATIVE) === 0;
    if (isFirm) this.#firm = this.#lines.length;
    this.bytes += bytesOf(line);
    this.textBytes += textEnd(line.entry, line.lineAt) - textStart(line.entry, line.lineAt) + 1;
    return isFirm;
  }

  /**
   * Whether the next line came so late that it begins anew: after the last one, or after the last that is of the trace
   * for certain. So what may not be of it never waits for longer than what is.
   */
  isApart(line: TraceLine<Ref>, waitMs: number): boolean {
    return isGap(this.last, line, waitMs) || isGap(this.settled, line, waitMs);
  }

  /** Its document, and the lines after it that are not of it after all. `isCut`: more lines may have followed. */
  finish(isCut: boolean): { readonly document: JoinedLine<Ref>; readonly rest: readonly RestLine<Ref>[] } {
    const count = Math.max(1, this.#firm);
    const isTrace = this.#firm > 0;
    const isPartial = isTrace && ((isCut && !this.isOver) || this.#isRest);
    const rest = this.#lines.slice(count).map((line, i) => ({ line, dueMs: this.#duesMs[count + i]! }));
    return { document: documentOf(this.#lines.slice(0, count), isPartial), rest };
  }
}

export function openingOfLine({ entry, lineAt }: TraceLine<unknown>): number {
  return openingOf(entry, textStart(entry, lineAt), textEnd(entry, lineAt));
}

export function bytesOf({ entry, refs, batch }: TraceLine<unknown>): number {
  const names = batch.tag.length + batch.sender.length + (batch.tenant?.length ?? 0);
  return entry.length + NAME_COPIES * names + LINE_OVERHEAD_BYTES * refs.length;
}

/** Whether the next line of the source came so late after this one that it begins anew. A function of the two alone. */
function isGap(last: TraceLine<unknown>, next: TraceLine<unknown>, waitMs: number): boolean {
  const receivedMs = next.batch.receivedMs - last.batch.receivedMs;
  return receivedMs < 0 || receivedMs > waitMs || next.appendedMs - last.appendedMs > waitMs;
}

/**
 * The lines as one document, under a name that is a function of the names of all of them. With that of one line, what
 * begins elsewhere because a line came twice would be taken for stored, and its other lines be lost. Of one line, as it
 * is.
 */
export function documentOf<Ref>(lines: readonly TraceLine<Ref>[], partial: boolean): JoinedLine<Ref> {
  const [first] = lines;
  const last = lines.at(-1);
  assert(first !== undefined && last !== undefined, 'a trace has a line');
  const refs = lines.length === 1 ? first.refs : lines.flatMap((line) => line.refs);
  const common = { index: last.index, partial, refs, unfinishedIds: [], lines: lines.length };
  if (lines.length === 1) return { ...common, batch: first.batch, entry: first.entry };
  // The sequence of a document is seq + index: this way it is the first line's.
  const seq = first.batch.seq + first.index - last.index;
  const timeMs = entryTimeMs(last.entry, 0, last.entry.length);
  const named = batchOfAll(lines, { batch: last.batch, timeMs });
  const batch = { ...named, first: last.index, count: 1, receivedMs: first.batch.receivedMs, seq };
  const all = [first, ...lines.slice(1)] as const;
  return { ...common, batch, entry: traceEntry(all), lineOffsets: lineOffsets(all) };
}
