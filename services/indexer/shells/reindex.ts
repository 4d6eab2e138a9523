// Indexes a range of the queue once more, through the same pipeline, beside the indexers and without their offsets.
// Events keep their names and the store is asked for each of them first, so what is there is not added again.
//
//   queue    ──lead──|from ═══════════ range ═══════════ to|── late ──►
//            read for the beginnings of lines               read for batches that came late, and ends of lines
//
// An event is in the range by when the edge took its batch; a split line by its first part. What the queue took within
// `leadMs` before and `lateMs` after the range is read too, for lines that lie across its ends and for batches that a
// spool has held.
//
// Guarantees: below a saved position everything of the range has its outcome, so a reading that was killed goes on
// there. What is refused is reported: it has its dead letter already. Unfinished lines of the last moments are left to
// the indexers, which have the rest of them to come.

import { whenAborted } from '#shared/abort.ts';
import { backoffMs } from '#shared/backoff.ts';
import { isRetryable, SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import type { DeadLetter, FetchedRecord } from '#shared/queue/queue.ts';
import type { OffsetSpan, RewindPosition, RewindSource } from '#shared/queue/rewind-source.ts';
import { Assignment } from '../commit/in-hand.ts';
import { buildCore, type CoreOptions, type IndexerCore } from '../pipeline/build-pipeline.ts';
import { ChangeSignal } from './change-signal.ts';
import { noteRefusal } from './refusal-reasons.ts';
import { isOutside, type ReindexPlan } from './reindex-plan.ts';

export interface ReindexOptions extends Omit<CoreOptions, 'queue' | 'replay' | 'metrics' | 'rewind'> {
  readonly source: RewindSource;
  readonly plan: ReindexPlan;
  /** Data stream for all of it; absent: where it belongs. */
  readonly into?: string | undefined;
  /** Ends it early: what is done is saved. */
  readonly signal: AbortSignal;
  /** Something that an operator should know. */
  readonly warn: (line: string) => void;
}

/** Of records in hand: their parts may wait for the rest of their line. */
const SAVE_INTERVAL_MS = 1000;
/** How often it is looked whether retention has overtaken the reading. */
const WATCH_INTERVAL_MS = 15_000;
const READ_RETRY = { baseMs: 500, capMs: 15_000 };
const READ_TRIES_MAX = 8;
const STOP_LIMIT_MS = 5000;
/**
 * A line whose rest was lost is passed on after this time. Long, for a store that is away may not make two of one:
 * here all parts are there already.
 */
const JOIN_TIMEOUT_MS = 600_000;
/** Dead letters are reported only; so many bytes at once. */
const REFUSED_BYTES = 1024 * 1024;

export class Reindex {
  /** Records of the queue that are gone, for retention was faster. */
  lost = 0;
  /** Why events were refused, and how many. */
  readonly refused = new Map<string, number>();
  /** Lines whose last parts may be still to come: the indexers have them in hand. */
  unfinishedLines = 0;
  readonly #options: ReindexOptions;
  readonly #core: IndexerCore;
  readonly #assignment: Assignment;
  /** By partition: what is still to be read. */
  readonly #left = new Map<number, OffsetSpan>();
  readonly #startedMs: number;
  readonly #changed = new ChangeSignal();

  constructor(options: ReindexOptions) {
    const { plan, config, clock, into } = options;
    this.#options = options;
    this.#startedMs = clock.epochMs();
    const metrics = new Metrics({ version: '', command: 'reindex' }, { ofProcess: false });
    const queue = {
      appendBytesMax: REFUSED_BYTES,
      appendDeadLetters: async (deadLetters: readonly DeadLetter[]) =>
        deadLetters.forEach(({ reason, error }) => noteRefusal(this.refused, { reason, error })),
    };
    const rewind = { wants: (ms: number, partial: boolean) => this.#wants(ms, partial), dataStream: into };
    const joining = { ...config, 'join.timeout_ms': Math.max(config['join.timeout_ms'], JOIN_TIMEOUT_MS) };
    this.#core = buildCore({ ...options, config: joining, queue, metrics, rewind }, () => []);
    this.#assignment = new Assignment(
      1,
      plan.spans.map(({ partition, next }) => ({ partition, next })),
    );
    for (const { partition, next, end, tries } of plan.spans) {
      if (next < end) this.#left.set(partition, { next, end });
      this.#assignment.suspicion.assigned(partition, tries + 1);
    }
    this.#core.pipeline.onTried(() => this.#changed.notify());
    this.#core.pipeline.onHold(() => this.#changed.notify());
  }

  get counts(): IndexerCore['ledger']['counts'] {
    return this.#core.ledger.counts;
  }

  /** Records of the plan that were read, or passed over as they are gone. */
  get recordsRead(): number {
    let left = 0;
    for (const { next, end } of this.#left.values()) left += end - next;
    return this.#options.plan.records - left;
  }

  /** Why the store takes nothing now; null while it does. */
  get unhealthyReason(): string | null {
    return this.#core.writer.unhealthyReason ?? this.#core.writer.commitUnhealthyReason;
  }

  /** Rejects where the queue cannot be read, or when it was stopped; what was done by then is saved, if it can be. */
  async run(): Promise<void> {
    const { signal, clock, source, plan } = this.#options;
    const { pipeline } = this.#core;
    const over = new AbortController();
    const stop = (): void => {
      over.abort();
      this.#changed.notify();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    // Counted before anything is opened: a record may end this process.
    await this.#saveTries();
    const saving = this.#every(SAVE_INTERVAL_MS, over.signal, () => this.#saveMoved());
    try {
      await this.#readAll(over.signal);
      const isWhole = (appendedMs: number): boolean => appendedMs + plan.leadMs < this.#startedMs;
      await Promise.race([pipeline.finish({ isWhole }), whenAborted(over.signal)]);
      // What a request without an answer may have written is looked for first.
      while (!over.signal.aborted && this.#assignment.isWaiting)
        await clock.sleep(SAVE_INTERVAL_MS, over.signal).catch(() => undefined);
      if (signal.aborted) throw stopped();
      const { heldReason } = this.#assignment;
      if (heldReason !== null) throw new SluiceError('record_version_unknown', `Cannot reindex all: ${heldReason}`);
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
      await saving;
      await pipeline.stop(STOP_LIMIT_MS);
      await this.#saveMoved().catch(() => undefined);
    }
    await source.forget(plan.name).catch(() => undefined);
  }

  #wants(receivedMs: number, partial: boolean): boolean {
    const { fromMs, toMs, leadMs } = this.#options.plan;
    if (receivedMs < fromMs || receivedMs >= toMs) return false;
    const isUnfinished = partial && receivedMs + leadMs > this.#startedMs;
    if (isUnfinished) this.unfinishedLines++;
    return !isUnfinished;
  }

  /** Reads what is left, as often as it takes. */
  async #readAll(signal: AbortSignal): Promise<void> {
    const { clock, random, warn } = this.#options;
    for (let attempt = 0; this.#left.size > 0 && !signal.aborted;) {
      const before = this.recordsRead;
      try {
        if (await this.#read(signal)) await this.#noteGone(true);
      } catch (error) {
        if (signal.aborted) return;
        attempt = this.recordsRead > before ? 0 : attempt + 1;
        if (!isRetryable(error) || attempt >= READ_TRIES_MAX) throw error;
        warn(`${error instanceof Error ? error.message : String(error)}; still trying`);
        await clock.sleep(backoffMs(attempt, READ_RETRY, random), signal).catch(() => undefined);
      }
    }
  }

  /**
   * One reading of all that is left. Ends early, and resolves to false, where retention has removed all that one
   * partition had left.
   */
  async #read(signal: AbortSignal): Promise<boolean> {
    const overtaken = new AbortController();
    const reading = AbortSignal.any([signal, overtaken.signal]);
    let fault: { readonly error: unknown } | null = null;
    const watching = this.#every(WATCH_INTERVAL_MS, reading, async () => {
      const isOver = await this.#noteGone(false).catch((error: unknown) => {
        if (!isRetryable(error)) fault = { error };
        return fault !== null;
      });
      if (isOver) overtaken.abort();
    });
    try {
      for await (const record of this.#options.source.read(new Map(this.#left), reading)) {
        await this.#take(record, signal);
        if (reading.aborted) break;
      }
      if (!reading.aborted) return true;
    } catch (error) {
      if (!overtaken.signal.aborted || signal.aborted) throw error;
    } finally {
      overtaken.abort();
      await watching;
    }
    rethrow(fault);
    return false;
  }

  async #take(record: FetchedRecord, signal: AbortSignal): Promise<void> {
    const { partition, offset } = record;
    const span = this.#left.get(partition);
    if (!span || offset < span.next || offset >= span.end) return;
    if (offset > span.next) await this.#noteGone(false, offset);
    this.#pass(partition, offset + 1);
    const { pipeline, budget } = this.#core;
    if (isOutside(record, this.#options.plan)) {
      this.#assignment.passTo(partition, offset + 1);
      return;
    }
    // What is to be tried out finds no room at times.
    while (pipeline.push(this.#assignment, [record]) !== null && !signal.aborted) await this.#changed.next();
    while (!budget.hasRoom && !signal.aborted) {
      this.#changed.notifyOfRoom(budget);
      await this.#changed.next();
    }
  }

  /** The partition is read up to `next`. */
  #pass(partition: number, next: number): void {
    const span = this.#left.get(partition);
    if (!span) return;
    if (next < span.end) this.#left.set(partition, { ...span, next });
    else this.#left.delete(partition);
  }

  /**
   * Counts what retention has removed of what is left, up to `to`. `isRead`: the reading has ended, and no more comes.
   * Returns whether a partition has nothing left by that.
   */
  async #noteGone(isRead: boolean, to = Infinity): Promise<boolean> {
    const lows = await this.#options.source.lows();
    let isOver = false;
    for (const [partition, { next, end }] of this.#left) {
      const gone = Math.min(lows.get(partition) ?? 0, end, to);
      if (gone > next) {
        this.lost += gone - next;
        this.#pass(partition, gone);
        this.#assignment.passTo(partition, gone);
        isOver ||= gone === end;
      }
      // Offsets without a record, such as a transaction's marks.
      if (isRead) {
        this.#pass(partition, end);
        this.#assignment.passTo(partition, end);
      }
    }
    return isOver;
  }

  async #saveMoved(): Promise<void> {
    const moved = this.#assignment.committable();
    if (moved.size === 0) return;
    const positions = new Map(Array.from(moved, ([partition, next]) => [partition, { next, tries: 0 }]));
    await this.#options.source.save(this.#options.plan.name, positions);
    for (const [partition, next] of moved) this.#assignment.noteCommitted(partition, next);
  }

  async #saveTries(): Promise<void> {
    const { source, plan } = this.#options;
    const positionOf = ({ next, tries }: RewindPosition): RewindPosition => ({ next, tries: tries + 1 });
    await source.save(plan.name, new Map(plan.spans.map((span) => [span.partition, positionOf(span)])));
  }

  /** Does something again and again; what fails is tried again with the next. */
  async #every(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(ms, signal).catch(() => undefined);
      if (!signal.aborted) await work().catch(() => undefined);
    }
  }
}

function rethrow(fault: { readonly error: unknown } | null): void {
  if (fault !== null) throw fault.error;
}

function stopped(): SluiceError {
  return new SluiceError(
    'shutting_down',
    'Cannot reindex all: it was stopped; start it again with the same times to go on',
  );
}
