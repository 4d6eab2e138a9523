// The way of a record through the indexer, in one pass:
//
//   push ─┬──────────►─ open (pool) ─► entries ─┬─► document ─► body ─► writer ─► ledger ─► offsets
//         └► suspects ─┘                        └─► parts ─► lines ─┘
//
// Records of a partition are taken in order; the next ones are opened while this one is written and while requests are
// in flight. Nothing here knows whether a consumer, a drain job or a function call feeds it.
//
// Guarantees: every event that was opened gets one outcome, by the ledger; parts that wait for the rest of their line
// have none yet, so the offset stays before them. What is stopped or lost on the way is abandoned and read again.

import { setImmediate as turn } from 'node:timers/promises';
import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import { PendingDeadLetters } from '../settle/pending-dead-letters.ts';
import type { EventRef } from '../settle/bulk-batch.ts';
import type { BulkWriter } from '../bulk/writer.ts';
import { recordBytes, rowsBytes } from '../unpack/bytes-in-hand.ts';
import { type Assignment, type HoldReason, RecordInHand } from '../commit/in-hand.ts';
import type { Ledger } from '../settle/ledger.ts';
import { EntryWriter, type WritingOptions } from './entry-writer.ts';
import { OpenAhead } from './open-ahead.ts';
import type { JoinedLine } from '../join/joiner.ts';
import { inWork } from './in-work.ts';
import type { FinishOptions, Joins } from './joins.ts';
import type { RecordOpener } from '../poison/opener.ts';
import { SuspectQueue } from './suspect-queue.ts';
import { Timers } from './timers.ts';
import type { RecordRefusals } from './refusals.ts';
import type { RewindDifferences } from './rewind-differences.ts';
import type { ReadingTelemetry } from '../settle/reading-telemetry.ts';
import type { Unpacked, UnpackOptions, Unreadable } from '../unpack/unpack.ts';

export interface PipelineOptions extends WritingOptions {
  readonly ledger: Ledger;
  readonly writer: BulkWriter;
  readonly refusals: RecordRefusals;
  readonly joins: Joins;
  /** Of what records take in memory until all of their events have outcomes; see bytes-in-hand.ts. */
  readonly budget: ByteBudget;
  /** Of what waits to be tried out, so that it takes nothing from the others. */
  readonly suspectBudget: ByteBudget;
  readonly clock: Clock;
  readonly lingerMs: number;
  readonly unpacking: UnpackOptions;
  /** What becomes of a record that a later program wrote. */
  readonly unknownVersion: 'hold' | 'dead-letter';
  readonly telemetry: Pick<ReadingTelemetry, 'partitionHeld' | 'recordPoisonous'>;
  /** Tries out records that may have ended an indexer. */
  readonly opener: RecordOpener;
  /** Of an entry, and of its document; larger ones go to the dead letters. */
  readonly documentBytesMax: number;
  readonly rewind?: RewindDifferences | undefined;
}

type Finish = PromiseWithResolvers<void> & FinishOptions;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #entries: EntryWriter;
  readonly #ahead: OpenAhead;
  readonly #suspects: SuspectQueue;
  readonly #pendingDeadLetters: PendingDeadLetters;
  readonly #timers: Timers;
  #stopping = false;
  readonly #abort = new AbortController();
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #finish: Finish | null = null;
  readonly #loop: Promise<void>;
  readonly #held: ((partition: number) => void)[] = [];
  readonly #unblocked: (() => void)[] = [];

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#ahead = new OpenAhead(options);
    const pendingDeadLetters = new PendingDeadLetters(options);
    this.#pendingDeadLetters = pendingDeadLetters;
    this.#entries = new EntryWriter({ ...options, pendingDeadLetters, signal: this.#abort.signal });
    this.#timers = new Timers(options, () => this.#rouse());
    this.#suspects = new SuspectQueue(options, {
      forward: (record, poison) => {
        record.poison = poison;
        record.countIn(options.budget);
        this.#ahead.add(record);
        this.#rouse();
      },
      unblocked: () => this.#unblocked.forEach((unblocked) => unblocked()),
    });
    options.ledger.trackInFlight(() => pendingDeadLetters.events);
    this.#loop = this.#run();
  }

  /**
   * Takes records over that were fetched under `assignment`, but those that came before or are behind a hold. Returns
   * the first offset that is to come again, where not all that are to be tried out find room; else null.
   */
  push(assignment: Assignment, records: readonly FetchedRecord[]): number | null {
    this.#rouse();
    for (const fetched of records) {
      const offsets = assignment.partitions.get(fetched.partition);
      if (assignment.isRevoked || !offsets || fetched.offset < offsets.readTo) continue;
      if (assignment.held.has(fetched.partition)) continue;
      const bytes = recordBytes(fetched);
      const isSuspect = this.#suspects.isFor(assignment, fetched);
      if (isSuspect && !this.#suspects.hasRoomFor(fetched, bytes)) return fetched.offset;
      const { budget, suspectBudget } = this.#options;
      const record = new RecordInHand(assignment, fetched, (isSuspect ? suspectBudget : budget).take(bytes));
      if (isSuspect) this.#suspects.add(record);
      else this.#ahead.add(record);
    }
    return null;
  }

  /** An assignment starts, of which it is known what is suspect. */
  assigned(assignment: Assignment): void {
    this.#suspects.assigned(assignment);
  }

  /** `held` is called for each partition that is held from now on: it need not be fetched any more. */
  onHold(held: (partition: number) => void): void {
    this.#held.push(held);
  }

  /** Whether records of the partition wait to be tried out, or for room to do so: no more of it need be fetched. */
  isTrying(partition: number): boolean {
    return this.#suspects.isWaitedFor(partition);
  }

  /** `unblocked` is called whenever no record of some partition waits to be tried out any more. */
  onTried(unblocked: () => void): void {
    this.#unblocked.push(unblocked);
  }

  /** The assignment was revoked: what is not at the store yet goes no further. */
  lost(assignment: Assignment): void {
    this.#ahead.lost(assignment);
    this.#suspects.lost(assignment);
    const { ledger, joins, writer } = this.#options;
    for (const part of joins.drop(({ record }) => record.assignment === assignment))
      ledger.settleEvent(part, 'abandoned', 'assignment_lost');
    writer.lost();
    this.#rouse();
  }

  /** Resolves when all that was pushed has its outcome, and unfinished lines were passed on. One call at a time. */
  async finish(options: FinishOptions = {}): Promise<void> {
    this.#finish ??= { ...Promise.withResolvers(), ...options };
    this.#rouse();
    await this.#finish.promise;
    await this.#idle();
  }

  /**
   * Takes nothing more, and finishes the record in work and what is on its way to the store. After `limitMs` what is
   * left is abandoned. Unfinished lines are abandoned in any case: their parts are read again.
   */
  async stop(limitMs: number): Promise<void> {
    const { ledger, joins, writer, clock } = this.#options;
    this.#stopping = true;
    await this.#suspects.stop();
    this.#rouse();
    const limit = clock.timer(limitMs, () => {
      this.#abort.abort();
      writer.stop();
    });
    await this.#loop;
    for (const part of joins.drop()) ledger.settleEvent(part, 'abandoned', 'shutdown');
    await this.#idle();
    limit[Symbol.dispose]();
    writer.stop();
    await this.#ahead.stop();
    this.#finish?.resolve();
  }

  async #idle(): Promise<void> {
    await this.#options.writer.idle();
    await this.#pendingDeadLetters.idle();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.#ahead.next((record, opened) => this.#index(record, opened));
      const finished = await this.#passOnLines();
      if (this.#timers.isLingerOver || (this.#finish && !this.#isFed)) await this.#flush();
      if (!this.#ahead.isEmpty || this.#stopping) continue;
      if (!this.#isFed) {
        // Who wants to finish only since then wants the lines that wait now as well.
        if (this.#finish !== finished) continue;
        this.#finish?.resolve();
        this.#finish = null;
      }
      this.#timers.set(this.#entries.count > 0);
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    await this.#flush();
  }

  #isGivenUp(record: RecordInHand): boolean {
    return record.assignment.isRevoked || this.#abort.signal.aborted;
  }

  get #isFed(): boolean {
    return !this.#ahead.isEmpty || !this.#suspects.isEmpty;
  }

  async #index(record: RecordInHand, opened: Unpacked | Unreadable): Promise<void> {
    const { ledger, refusals, joins, clock } = this.#options;
    if (this.#isGivenUp(record) || record.isBehindHold) {
      record.giveUp();
      return;
    }
    await this.#writeLines(joins.startRecord(record));
    if (opened.kind === 'unreadable') {
      const { reason, error, events } = opened;
      if (reason === 'record_version_unknown' && this.#options.unknownVersion === 'hold') {
        this.#hold(record, reason, error);
        return;
      }
      ledger.open(record, events);
      const appended = refusals.deadLetterRecord(record, reason, error, events, this.#abort.signal);
      this.#pendingDeadLetters.addRecord(record, events, reason, appended);
      return;
    }
    record.addBytes(rowsBytes(opened));
    ledger.open(record, opened.ends.length);
    const entries = this.#entries;
    entries.start(opened, clock.epochMs());
    const isDecompressed = opened.bytes.buffer !== record.fetched.value.buffer;
    for (const batch of opened.batches) {
      const first = entries.passed;
      const afterLast = first + batch.count;
      while (entries.passed < afterLast && !this.#isGivenUp(record)) {
        entries.write(record, opened, batch, first, afterLast);
        await this.#afterWrite();
      }
      if (this.#isGivenUp(record)) break;
    }
    const left = entries.end();
    joins.endRecord(record);
    // Parts have their own bytes by now.
    if (isDecompressed) freeBuffer(opened.bytes);
    ledger.settle(record, left, 'abandoned', 'shutdown');
    record.shed();
  }

  /** Sends what is enough for a request, or lets other work have its turn. Waits while dead letters are too many. */
  async #afterWrite(): Promise<void> {
    if (this.#entries.isFull) await this.#flush();
    else if (this.#entries.isTurnOver) await this.#giveTurn();
    await this.#pendingDeadLetters.room();
  }

  /** The partition goes no further than before this record: whoever owns it next reads it again. */
  #hold(record: RecordInHand, reason: HoldReason, error: string): void {
    const { assignment, fetched } = record;
    const { partition, offset } = fetched;
    assignment.held.set(partition, { offset, reason, error });
    record.giveUp();
    this.#options.telemetry.partitionHeld(partition, offset, reason, error);
    for (const held of this.#held) held(partition);
  }

  /** Lines that waited long enough are passed on as they are; all of them for a finish, which it resolves to. */
  async #passOnLines(): Promise<Finish | null> {
    const { joins, clock } = this.#options;
    const finish = this.#isFed ? null : this.#finish;
    const inWorkOf = inWork(this.#options, this.#ahead, this.#suspects);
    await this.#writeLines(finish ? joins.flush(finish) : joins.expire(clock.monotonicMs(), inWorkOf));
    return finish;
  }

  async #writeLines(lines: Iterable<JoinedLine<EventRef>>): Promise<void> {
    for (const line of lines) {
      this.#entries.writeLine(line, this.#options.clock.epochMs());
      await this.#afterWrite();
    }
  }

  async #flush(): Promise<void> {
    this.#timers.stopLinger();
    const batch = this.#entries.takeBatch();
    if (batch === null) return;
    await this.#options.writer.submit(batch);
    await turn();
  }

  async #giveTurn(): Promise<void> {
    this.#entries.startTurn();
    this.#timers.set(this.#entries.count > 0);
    await turn();
    if (this.#timers.isLingerOver) await this.#flush();
  }

  #rouse(): void {
    this.#wake.resolve();
  }
}
