// The way of a record through the indexer, in one pass:
//
//   push ─┬──────────►─ open (pool) ─► entries ─┬─► document ─► body ─► writer ─► ledger ─► offsets
//         └► suspects ─┘                        └─► parts ─► lines ─┘
//
// Records of a partition are taken in order; the next ones are opened while this one is written and while requests are
// in flight. The loop over entries makes no promise and no closure for an event. Nothing here knows whether a consumer,
// a drain job or a function call feeds it.
//
// Guarantees: every event that was opened gets one outcome, by the ledger; parts that wait for the rest of their line
// have none yet, so the offset stays before them. What is stopped or lost on the way is abandoned and read again.

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { freeDecompressed } from '#shared/record/compression.ts';
import type { Batch } from '#shared/record/record.ts';
import { PendingDeadLetters } from '../settle/pending-dead-letters.ts';
import { BulkBody } from '../bulk/body.ts';
import { type EventRef, type ItemRange, eventsOf } from '../settle/bulk-batch.ts';
import type { BulkWriter } from '../bulk/writer.ts';
import { DEAD_LETTER_IN_HAND_BYTES, recordBytes, rowsBytes } from '../unpack/bytes-in-hand.ts';
import { type Assignment, type HoldReason, RecordInHand } from '../commit/in-hand.ts';
import type { EndingReason, Ledger } from '../settle/ledger.ts';
import { OpenAhead } from './open-ahead.ts';
import { DocumentWriter } from '../parse/document.ts';
import type { JoinedLine, LineJoiner } from '../parse/joiner.ts';
import { batchOfPart } from '../parse/line-names.ts';
import type { RecordOpener } from '../poison/opener.ts';
import { SuspectQueue } from './suspect-queue.ts';
import type { RecordRefusals } from './refusals.ts';
import type { IndexerTelemetry } from '../settle/telemetry.ts';
import type { Unpacked, UnpackOptions, Unreadable } from '../unpack/unpack.ts';

export interface PipelineOptions {
  readonly ledger: Ledger;
  readonly writer: BulkWriter;
  readonly refusals: RecordRefusals;
  readonly lines: LineJoiner<EventRef>;
  /** Of what is held of records until all of their events have outcomes; see bytes-in-hand.ts. */
  readonly budget: ByteBudget;
  /** Of what waits to be tried out, so that it takes nothing from the others. */
  readonly suspectBudget: ByteBudget;
  readonly clock: Clock;
  readonly lingerMs: number;
  readonly unpacking: UnpackOptions;
  /** What becomes of a record that a later program wrote. */
  readonly unknownVersion: 'hold' | 'dead-letter';
  readonly telemetry: Pick<IndexerTelemetry, 'partitionHeld' | 'recordPoisonous'>;
  /** Tries out records that may have ended an indexer. */
  readonly opener: RecordOpener;
  /** Tenants whose records may name their own tenant and service. */
  readonly trustedTenants?: ReadonlySet<string>;
  /** Of an entry, and of its document; larger ones go to the dead letters. */
  readonly documentBytesMax: number;
}

/** Bytes of documents, or of entries, after which other work of the process gets its turn: some 2 ms. */
const TURN_BYTES = 512 * 1024;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #body = new BulkBody();
  readonly #documents: DocumentWriter;
  readonly #ahead: OpenAhead;
  readonly #suspects: SuspectQueue;
  /** Origins of what is in the body. */
  #ranges: ItemRange[] = [];
  /** The record in work, and how many of its entries went on. */
  #current: Unpacked | null = null;
  #passed = 0;
  #ingestedMs = 0;
  #turnAt = TURN_BYTES;
  /** Of entries that were looked at since other work had its turn. */
  #entryBytes = 0;
  readonly #pendingDeadLetters: PendingDeadLetters;
  #lingerTimer: Disposable | null = null;
  #lingered = false;
  #linesTimer: Disposable | null = null;
  #stopping = false;
  readonly #abort = new AbortController();
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #finish: (PromiseWithResolvers<void> & { passOn: (partition: number) => boolean }) | null = null;
  readonly #loop: Promise<void>;
  #held: ((partition: number) => void) | null = null;
  #unblocked: (() => void) | null = null;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { trustedTenants: trusted, documentBytesMax: bytesMax } = options;
    this.#documents = new DocumentWriter(this.#body, { ...(trusted && { trusted }), bytesMax });
    this.#ahead = new OpenAhead(options);
    this.#pendingDeadLetters = new PendingDeadLetters(options);
    this.#suspects = new SuspectQueue(options, {
      forward: (record, poison) => {
        record.poison = poison;
        record.countIn(options.budget);
        this.#ahead.add(record);
        this.#rouse();
      },
      unblocked: () => this.#unblocked?.(),
    });
    options.ledger.trackInFlight(() => (this.#current ? this.#current.ends.length - this.#passed : 0));
    options.ledger.trackInFlight(() => eventsOf(this.#ranges));
    options.ledger.trackInFlight(() => this.#pendingDeadLetters.events);
    options.ledger.trackInFlight(() => options.lines.events);
    this.#loop = this.#run();
  }

  /**
   * Takes records of a partition over, which were fetched under `assignment`. Those that came before already, or are
   * behind a hold, are left out. Returns the first offset that is to come again, where not all that are to be tried out
   * find room; else null.
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

  /** An assignment begins, of which it is known what is suspect. */
  assigned(assignment: Assignment): void {
    this.#suspects.assigned(assignment);
  }

  /** Tells of each partition that is held from now on: it need not be fetched any more. */
  onHold(held: (partition: number) => void): void {
    this.#held = held;
  }

  /**
   * Whether records of the partition wait to be tried out, or for room to do so, so that no more of it need be fetched.
   */
  isTrying(partition: number): boolean {
    return this.#suspects.isWaitedFor(partition);
  }

  /** Tells whenever there are partitions of which no record waits to be tried out any more. */
  onTried(unblocked: () => void): void {
    this.#unblocked = unblocked;
  }

  /** The assignment was revoked: what is not at the store yet goes no further. */
  lost(assignment: Assignment): void {
    this.#ahead.lost(assignment);
    this.#suspects.lost(assignment);
    const isLost = ({ record }: EventRef): boolean => record.assignment === assignment;
    for (const part of this.#options.lines.drop(isLost)) this.#abandon(part, 'assignment_lost');
    this.#options.writer.lost();
    this.#rouse();
  }

  /**
   * Resolves when all that was pushed has its outcome; unfinished lines are passed on, marked. Those of partitions that
   * `passOn` is not true of go on waiting, and their records with them. One call at a time.
   */
  async finish(passOn: (partition: number) => boolean = () => true): Promise<void> {
    this.#finish ??= { ...Promise.withResolvers(), passOn };
    this.#rouse();
    await this.#finish.promise;
    await this.#idle();
  }

  /**
   * Takes nothing more, and finishes the record in work and what is on its way to the store. After `limitMs` what is
   * left is abandoned. Unfinished lines are abandoned in any case: their parts are read again.
   */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    await this.#suspects.stop();
    this.#rouse();
    const limit = this.#options.clock.timer(limitMs, () => {
      this.#abort.abort();
      this.#options.writer.stop();
    });
    await this.#loop;
    for (const part of this.#options.lines.drop()) this.#abandon(part, 'shutdown');
    await this.#idle();
    limit[Symbol.dispose]();
    this.#options.writer.stop();
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
      await this.#passOnLines();
      if (this.#lingered || (this.#finish && !this.#isFed)) await this.#flush();
      if (!this.#ahead.isEmpty || this.#stopping) continue;
      if (!this.#isFed) {
        this.#finish?.resolve();
        this.#finish = null;
      }
      this.#setTimers();
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    await this.#flush();
  }

  #isGivenUp(record: RecordInHand): boolean {
    return record.assignment.isRevoked || this.#abort.signal.aborted;
  }

  /** Whether records are to come that were pushed already. */
  get #isFed(): boolean {
    return !this.#ahead.isEmpty || !this.#suspects.isEmpty;
  }

  async #index(record: RecordInHand, opened: Unpacked | Unreadable): Promise<void> {
    const { ledger, refusals } = this.#options;
    if (this.#isGivenUp(record) || record.isBehindHold) {
      record.giveUp();
      return;
    }
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
    this.#current = opened;
    this.#passed = 0;
    this.#ingestedMs = this.#options.clock.epochMs();
    const isDecompressed = opened.bytes.buffer !== record.fetched.value.buffer;
    for (const batch of opened.batches) {
      const first = this.#passed;
      const afterLast = first + batch.count;
      while (this.#passed < afterLast) {
        this.#writeEntries(record, opened, batch, first, afterLast);
        if (this.#body.length >= this.#options.writer.bodyBytesMax) await this.#flush();
        else if (this.#body.length >= this.#turnAt || this.#entryBytes >= TURN_BYTES) await this.#giveTurn();
        await this.#pendingDeadLetters.room();
        if (this.#isGivenUp(record)) break;
      }
      if (this.#isGivenUp(record)) break;
    }
    const left = opened.ends.length - this.#passed;
    this.#current = null;
    // Parts have their own bytes by now.
    if (isDecompressed) freeDecompressed(opened.bytes);
    ledger.settle(record, left, 'abandoned', 'shutdown');
    record.shed();
  }

  /**
   * The partition goes no further than before this record, which waits for somebody. It is not consumed: who owns it
   * next reads it again.
   */
  #hold(record: RecordInHand, reason: HoldReason, error: string): void {
    const { assignment, fetched } = record;
    const { partition, offset } = fetched;
    assignment.held.set(partition, { offset, reason, error });
    record.giveUp();
    this.#options.telemetry.partitionHeld(partition, offset, reason, error);
    this.#held?.(partition);
  }

  /**
   * The hot loop: entries of one batch, from the first that has not gone on to the last, or until the body is large
   * enough.
   */
  #writeEntries(record: RecordInHand, opened: Unpacked, batch: Batch, first: number, afterLast: number): void {
    const { bytes, ends, crowded } = opened;
    const body = this.#body;
    const documents = this.#documents;
    const { documentBytesMax } = this.#options;
    const pauseAt = Math.min(this.#turnAt, this.#options.writer.bodyBytesMax);
    let entry = this.#passed;
    let start = entry === 0 ? 0 : (ends[entry - 1] ?? 0);
    let range: ItemRange | null = null;
    documents.startBatch(batch, this.#ingestedMs);
    while (entry < afterLast && body.length < pauseAt && this.#entryBytes < TURN_BYTES) {
      const end = ends[entry] ?? 0;
      const index = batch.first + entry - first;
      this.#entryBytes += end - start;
      const isTooLarge = end - start > documentBytesMax || (crowded.size > 0 && crowded.has(entry));
      const written = isTooLarge ? 'document_too_large' : documents.write(bytes, start, end, index);
      if (written === 'ok') {
        if (range === null) {
          range = { record, batch, entry, index, count: 0, parts: null, line: null };
          this.#ranges.push(range);
        }
        range.count++;
      } else {
        range = null;
        this.#passed = entry + 1;
        const ref = { record, batch, entry, index };
        if (written === 'part') {
          this.#join(ref, bytes, start, end);
          documents.startBatch(batch, this.#ingestedMs);
        } else {
          // Its own bytes: those of the record are freed, however long it waits.
          const own = new Uint8Array(bytes.subarray(start, end));
          const appended = this.#options.refusals.deadLetterEntry(ref, own, written, this.#abort.signal);
          this.#pendingDeadLetters.add(ref, own.length, written, appended);
          // A dead letter takes more time than its entry: of the smallest there would be a hundred thousand in a turn.
          this.#entryBytes += DEAD_LETTER_IN_HAND_BYTES;
        }
      }
      entry++;
      start = end;
    }
    this.#passed = entry;
  }

  /** The part is held with its line: the offset of its record waits for the outcome of the whole. */
  #join(ref: EventRef, bytes: Uint8Array, start: number, end: number): void {
    const { lines, clock } = this.#options;
    const { record, index } = ref;
    const { fetched, assignment, isInherited } = record;
    // Copies, so that the record's bytes need not wait too.
    const batch = batchOfPart(ref.batch, index);
    const entry = new Uint8Array(bytes.subarray(start, end));
    const own = { ...ref, batch, bytes: entry };
    const context = { partition: fetched.partition, assignment: assignment.number, batch, index, isInherited, ref: own };
    record.apart++;
    const passed = lines.add(context, entry, clock.monotonicMs());
    // A repeat: what it repeats came before it under the same assignment, so that no commit passes the one without the
    // other.
    if (passed === null) this.#options.ledger.settleEvent(own, 'deduplicated');
    else for (const line of passed) this.#writeLine(line);
  }

  #writeLine({ batch, index, entry, partial, refs, unfinishedIds }: JoinedLine<EventRef>): void {
    const last = refs.at(-1);
    assert(last, 'a line has a part');
    this.#documents.startBatch(batch, this.#ingestedMs);
    const written = this.#documents.write(entry, 0, entry.length, index, partial);
    const { record } = last;
    const line = { bytes: entry, partial, unfinishedIds };
    const range = { record, batch, entry: last.entry, index, count: 1, parts: refs, line };
    if (written === 'ok') {
      this.#ranges.push(range);
      return;
    }
    assert(written === 'document_too_large', 'what the joiner makes is an entry');
    const deadLetters = this.#options.refusals.deadLetterParts(refs, written, this.#abort.signal);
    for (const part of refs) this.#pendingDeadLetters.add(part, part.bytes?.length ?? 0, written, deadLetters);
    this.#entryBytes += refs.length * DEAD_LETTER_IN_HAND_BYTES;
  }

  /** Lines that waited long enough are passed on as they are; all of them when everything is to be finished. */
  async #passOnLines(): Promise<void> {
    const { lines, clock } = this.#options;
    const finish = this.#isFed ? null : this.#finish;
    const passed = finish
      ? lines.flush(({ record }) => finish.passOn(record.fetched.partition))
      : lines.expire(clock.monotonicMs());
    for (const line of passed) {
      this.#ingestedMs = clock.epochMs();
      this.#writeLine(line);
      if (this.#body.length >= this.#options.writer.bodyBytesMax) await this.#flush();
      else if (this.#body.length >= this.#turnAt || this.#entryBytes >= TURN_BYTES) await this.#giveTurn();
      await this.#pendingDeadLetters.room();
    }
  }

  async #flush(): Promise<void> {
    this.#lingered = false;
    this.#lingerTimer?.[Symbol.dispose]();
    this.#lingerTimer = null;
    if (this.#body.count === 0) return;
    const body = this.#body;
    const request = body.request();
    const ranges = this.#ranges;
    this.#ranges = [];
    this.#turnAt = TURN_BYTES;
    this.#entryBytes = 0;
    await this.#options.writer.submit({ request, ranges, asText: false, release: () => body.release(request) });
    await turn();
  }

  /** Sockets, timers and heartbeats first. */
  async #giveTurn(): Promise<void> {
    this.#turnAt = this.#body.length + TURN_BYTES;
    this.#entryBytes = 0;
    this.#setTimers();
    await turn();
    if (this.#lingered) await this.#flush();
  }

  #setTimers(): void {
    const { clock, lingerMs, lines } = this.#options;
    if (this.#body.count > 0 && !this.#lingered) {
      this.#lingerTimer ??= clock.timer(lingerMs, () => {
        this.#lingered = true;
        this.#rouse();
      });
    }
    this.#linesTimer?.[Symbol.dispose]();
    const dueMs = lines.dueMs;
    this.#linesTimer =
      dueMs === null ? null : clock.timer(Math.max(1, dueMs - clock.monotonicMs()), () => this.#rouse());
  }

  #abandon(part: EventRef, reason: EndingReason): void {
    this.#options.ledger.settleEvent(part, 'abandoned', reason);
  }

  #rouse(): void {
    this.#wake.resolve();
  }
}
