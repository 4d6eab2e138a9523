// The traces that are open in one partition, and since which record there was always one: reading must not begin
// between that record and the end of the stretch, for who begins there does not know that a trace is open.

import type { OpenTrace } from './open-trace.ts';

/** Where the lines of a record are. */
export interface RecordPlace {
  readonly partition: number;
  readonly offset: number;
  /** When the queue took it, ms since the epoch. */
  readonly appendedMs: number;
  /** Nothing behind the beginning of this record is committed from now on. */
  holdCommit(): void;
  /** Nothing between that and the end of the record at `lastOffset` is; all behind it may be. */
  releaseCommit(lastOffset: number): void;
}

/** A stretch ends after so many records, or so long after it began: what is read again after a crash is bounded. */
const STRETCH_RECORDS = 2000;
const STRETCH_MS = 10_000;

export class Stretch<Ref> {
  readonly partition: number;
  /** Of the record that was begun last. */
  lastOffset: number;
  /** Since when more is there, is asked for, and does not come, by the monotonic clock; null where it is not so. */
  askedSinceMs: number | null = null;
  /** Nothing is due before, by the monotonic clock. */
  #lookAgainMs = 0;
  #isLate = false;
  readonly #first: RecordPlace;
  #isHeld = false;
  /** By key: the one whose source has been silent for longest comes first. */
  readonly #open = new Map<string, OpenTrace<Ref>>();
  /** By the key of a batch: how many of its sources have a trace open. */
  readonly #watched = new Map<string, number>();

  constructor(first: RecordPlace) {
    this.#first = first;
    this.partition = first.partition;
    this.lastOffset = first.offset;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Whether no trace was ever open in it. */
  get isNew(): boolean {
    return !this.#isHeld;
  }

  /** Those that are opened or go on meanwhile come last. */
  get traces(): IterableIterator<OpenTrace<Ref>> {
    return this.#open.values();
  }

  get oldest(): OpenTrace<Ref> | undefined {
    for (const trace of this.#open.values()) return trace;
    return undefined;
  }

  get dueMs(): number | null {
    const { oldest } = this;
    return oldest ? Math.max(oldest.dueMs, this.#lookAgainMs) : null;
  }

  lookAgain(nowMs: number, afterMs: number): void {
    this.#lookAgainMs = nowMs + afterMs;
  }

  /**
   * Whether this look is the second where the first came late, by more than `slackMs`: a process that stood still has
   * its timers run before it hears what came meanwhile.
   */
  isSure(nowMs: number, slackMs: number): boolean {
    this.#isLate = !this.#isLate && nowMs - (this.dueMs ?? nowMs) > slackMs;
    return !this.#isLate;
  }

  /** Whether it must end before a record at this offset that was appended at this time. */
  isTooLong(offset: number, appendedMs: number): boolean {
    const { offset: first, appendedMs: sinceMs } = this.#first;
    return offset - first >= STRETCH_RECORDS || appendedMs - sinceMs >= STRETCH_MS;
  }

  isWatched(batchKey: string): boolean {
    return this.#watched.has(batchKey);
  }

  get(key: string): OpenTrace<Ref> | undefined {
    return this.#open.get(key);
  }

  open(trace: OpenTrace<Ref>): void {
    this.#open.set(trace.key, trace);
    const watched = batchKeyOf(trace);
    this.#watched.set(watched, (this.#watched.get(watched) ?? 0) + 1);
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#first.holdCommit();
  }

  /** Its source has said something. */
  touch(trace: OpenTrace<Ref>, dueMs: number): void {
    trace.dueMs = dueMs;
    this.#open.delete(trace.key);
    this.#open.set(trace.key, trace);
  }

  delete(trace: OpenTrace<Ref>): void {
    this.#open.delete(trace.key);
    const watched = batchKeyOf(trace);
    const left = (this.#watched.get(watched) ?? 0) - 1;
    if (left > 0) this.#watched.set(watched, left);
    else this.#watched.delete(watched);
  }

  end(): void {
    if (this.#isHeld) this.#first.releaseCommit(this.lastOffset);
  }
}

/** The key of a trace is that of its batch and its source. */
function batchKeyOf({ key, last }: OpenTrace<unknown>): string {
  return key.slice(0, key.length - last.source.length);
}
