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

/** What a line costs beside its entry. */
const LINE_OVERHEAD_BYTES = 2048;

export class OpenTrace<Ref> {
  readonly key: string;
  /** When it is passed on, by the monotonic clock. */
  dueMs: number;
  bytes = 0;
  textBytes = 0;
  readonly #lines: TraceLine<Ref>[] = [];
  #state: number;
  /** Lines up to the last that belongs to the trace for certain. */
  #firm = 0;
  readonly #isRest: boolean;

  /** `state`: of `openingOf` its first line, which is then added. */
  constructor(key: string, state: number, dueMs: number) {
    this.key = key;
    this.dueMs = dueMs;
    this.#state = state;
    this.#isRest = (state & REST) !== 0;
  }

  get lines(): readonly TraceLine<Ref>[] {
    return this.#lines;
  }

  get last(): TraceLine<Ref> {
    const last = this.#lines.at(-1);
    assert(last, 'a trace has a line');
    return last;
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

  add(line: TraceLine<Ref>, state: number): void {
    this.#lines.push(line);
    this.#state = state;
    if ((state & TENTATIVE) === 0) this.#firm = this.#lines.length;
    this.bytes += bytesOf(line);
    this.textBytes += textEnd(line.entry, line.lineAt) - textStart(line.entry, line.lineAt) + 1;
  }

  /** Its document, and the lines after it that are not of it after all. `isCut`: more lines may have followed. */
  finish(isCut: boolean): { readonly document: JoinedLine<Ref>; readonly rest: readonly TraceLine<Ref>[] } {
    const count = Math.max(1, this.#firm);
    const isTrace = this.#firm > 0;
    const isPartial = isTrace && ((isCut && !this.isOver) || this.#isRest);
    return { document: documentOf(this.#lines.slice(0, count), isPartial), rest: this.#lines.slice(count) };
  }
}

export function openingOfLine({ entry, lineAt }: TraceLine<unknown>): number {
  return openingOf(entry, textStart(entry, lineAt), textEnd(entry, lineAt));
}

export function bytesOf({ entry, refs }: TraceLine<unknown>): number {
  return entry.length + LINE_OVERHEAD_BYTES * refs.length;
}

/** Whether the next line of the source came so late after this one that it begins anew. A function of the two alone. */
export function isGap(last: TraceLine<unknown>, next: TraceLine<unknown>, waitMs: number): boolean {
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
