// Entries of opened records → items of the next bulk request. Parts of split lines go to the joiner, and the lines that
// it passes on become items too; what is no document goes to the dead letters. Nobody waits here: the pipeline asks
// after each call whether the request is full, or other work must have its turn.
//
// Guarantees: an entry goes on once, in order. No promise, no closure and no object is made for an event that becomes a
// document by itself.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { Batch } from '#shared/record/record.ts';
import { BulkBody } from '../bulk/body.ts';
import type { BulkWriter } from '../bulk/writer.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import type { JoinedLine } from '../join/joiner.ts';
import type { FieldOptions } from '../parse/document/document-parts.ts';
import { DocumentWriter } from '../parse/document/document.ts';
import type { NumberFields } from '../parse/number-fields.ts';
import { type BulkBatch, type EventRef, type ItemRange, eventsOf } from '../settle/bulk-batch.ts';
import type { ContentListener } from '../settle/content-telemetry.ts';
import type { Ledger } from '../settle/ledger.ts';
import type { PendingDeadLetters } from '../settle/pending-dead-letters.ts';
import { DEAD_LETTER_IN_HAND_BYTES } from '../unpack/bytes-in-hand.ts';
import type { Unpacked } from '../unpack/unpack.ts';
import type { Joins } from './joins.ts';
import { PartEntries } from './part-entries.ts';
import type { RecordRefusals } from './refusals.ts';
import type { RewindDifferences } from './rewind-differences.ts';
import { TraceEntries } from './trace-entries.ts';

export interface EntryWriterOptions {
  readonly ledger: Ledger;
  readonly writer: Pick<BulkWriter, 'bodyBytesMax'>;
  readonly refusals: RecordRefusals;
  readonly joins: Joins;
  readonly pendingDeadLetters: PendingDeadLetters;
  readonly clock: Clock;
  /** Tenants whose records may name their own tenant and service. */
  readonly trustedTenants?: ReadonlySet<string>;
  /** How lines are read. */
  readonly lineFields?: Partial<FieldOptions>;
  readonly documentBytesMax: number;
  readonly listsNumbers?: boolean;
  readonly numberFields?: NumberFields | undefined;
  /** Ends the tries to append dead letters. */
  readonly signal: AbortSignal;
  readonly rewind?: RewindDifferences | undefined;
  readonly contents: ContentListener;
}

/** What a pipeline is given for it, and nothing else. */
export type WritingOptions = Pick<
  EntryWriterOptions,
  'trustedTenants' | 'lineFields' | 'listsNumbers' | 'numberFields' | 'contents'
>;

/** Bytes of documents, or of entries, after which other work of the process gets its turn: some 2 ms. */
const TURN_BYTES = 512 * 1024;

export class EntryWriter {
  readonly #options: EntryWriterOptions;
  readonly #body: BulkBody;
  readonly #documents: DocumentWriter;
  readonly #traces: TraceEntries;
  readonly #parts: PartEntries;
  /** Where what is in the body comes from. */
  #ranges: ItemRange[] = [];
  /** The record in work, and how many of its entries went on. */
  #current: Unpacked | null = null;
  #passed = 0;
  #ingestedMs = 0;
  #turnAt = TURN_BYTES;
  /** Of entries that were looked at since other work had its turn. */
  #entryBytes = 0;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
    const { trustedTenants: trusted, documentBytesMax: bytesMax, ledger, joins, rewind } = options;
    this.#traces = new TraceEntries(options);
    this.#parts = new PartEntries(options);
    this.#body = new BulkBody(options.writer.bodyBytesMax);
    this.#documents = new DocumentWriter(this.#body, {
      ...(trusted && { trusted }),
      ...options.lineFields,
      bytesMax,
      traces: this.#traces.gate,
      parts: this.#parts.gate,
      dataStream: rewind?.dataStream,
      listsNumbers: options.listsNumbers,
      numberFields: options.numberFields,
    });
    ledger.trackInFlight(() => (this.#current ? this.#current.ends.length - this.#passed : 0));
    ledger.trackInFlight(() => eventsOf(this.#ranges));
    ledger.trackInFlight(() => joins.events);
  }

  /** Items that wait to be sent. */
  get count(): number {
    return this.#body.count;
  }

  /** Entries of the record in work that went on. */
  get passed(): number {
    return this.#passed;
  }

  /** Whether there is enough for a request. */
  get isFull(): boolean {
    return this.#body.length >= this.#options.writer.bodyBytesMax;
  }

  /** Whether other work must have its turn. */
  get isTurnOver(): boolean {
    return this.#body.length >= this.#turnAt || this.#entryBytes >= TURN_BYTES;
  }

  /** Other work has its turn. */
  startTurn(): void {
    this.#turnAt = this.#body.length + TURN_BYTES;
    this.#entryBytes = 0;
  }

  /** The items so far, which are no longer here; null where there are none. */
  takeBatch(): BulkBatch | null {
    if (this.#body.count === 0) return null;
    this.#options.contents.requested();
    const body = this.#body;
    const request = body.request();
    const ranges = this.#ranges;
    this.#ranges = [];
    this.#turnAt = TURN_BYTES;
    this.#entryBytes = 0;
    return { request, ranges, asText: false, release: () => body.release(request) };
  }

  /** A record is in work, until `end`. */
  start(opened: Unpacked, ingestedMs: number): void {
    this.#current = opened;
    this.#passed = 0;
    this.#ingestedMs = ingestedMs;
  }

  /** The record is in work no longer. Returns how many of its entries have not gone on. */
  end(): number {
    const left = this.#current ? this.#current.ends.length - this.#passed : 0;
    this.#current = null;
    return left;
  }

  /** A line that the joiner has passed on. */
  writeLine(line: JoinedLine<EventRef>, ingestedMs: number): void {
    this.#ingestedMs = ingestedMs;
    this.#writeLine(line);
  }

  /**
   * The hot loop: entries of one batch, from the first that has not gone on to the last, or until the body is large
   * enough.
   */
  write(record: RecordInHand, opened: Unpacked, batch: Batch, first: number, afterLast: number): void {
    const { rewind } = this.#options;
    if (rewind && !rewind.wants(batch.receivedMs, false))
      return this.#leaveOut(record, opened, batch, first, afterLast);
    const { bytes, ends, crowded } = opened;
    const body = this.#body;
    const documents = this.#documents;
    const { documentBytesMax, writer, refusals, pendingDeadLetters, signal, contents } = this.#options;
    const pauseAt = Math.min(this.#turnAt, writer.bodyBytesMax);
    let entry = this.#passed;
    let start = entry === 0 ? 0 : (ends[entry - 1] ?? 0);
    let range: ItemRange | null = null;
    contents.heard(record.partition, batch, this.#ingestedMs);
    this.#startBatch(record, batch);
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
        contents.made(documents.level);
      } else {
        range = null;
        this.#passed = entry + 1;
        const ref = { record, batch, entry, index };
        if (written === 'part' || written === 'trace') {
          this.#join(ref, written, bytes, start, end);
          this.#startBatch(record, batch);
        } else {
          // Its own bytes: those of the record are freed, however long it waits.
          const own = new Uint8Array(bytes.subarray(start, end));
          const appended = refusals.deadLetterEntry(ref, own, written, signal);
          pendingDeadLetters.add(ref, own.length, written, appended);
          // A dead letter takes more time than its entry: of the smallest there would be a hundred thousand in a turn.
          this.#entryBytes += DEAD_LETTER_IN_HAND_BYTES;
        }
      }
      entry++;
      start = end;
    }
    this.#passed = entry;
  }

  /**
   * Entries of a batch that is not wanted. Parts of lines and traces go on: they may have begun in one that is, and of
   * one that did not nothing may be left over.
   */
  #leaveOut(record: RecordInHand, opened: Unpacked, batch: Batch, first: number, afterLast: number): void {
    const { bytes, ends } = opened;
    let dropped = 0;
    this.#startBatch(record, batch);
    while (this.#passed < afterLast && this.#entryBytes < TURN_BYTES) {
      const entry = this.#passed++;
      const start = entry === 0 ? 0 : (ends[entry - 1] ?? 0);
      const end = ends[entry] ?? 0;
      this.#entryBytes += end - start;
      const index = batch.first + entry - first;
      const ref = { record, batch, entry, index };
      const kind = this.#documents.kindOf(bytes, start, end, index);
      if (kind !== 'part' && kind !== 'trace') {
        dropped++;
        continue;
      }
      this.#join(ref, kind, bytes, start, end);
      this.#startBatch(record, batch);
    }
    this.#options.ledger.settle(record, dropped, 'dropped');
  }

  /** Of a part of a line or of a trace, which was read last. */
  #join(ref: EventRef, kind: 'part' | 'trace', bytes: Uint8Array, start: number, end: number): void {
    // A copy, so that the record's bytes need not wait too.
    const own = new Uint8Array(bytes.subarray(start, end));
    const { reader } = this.#documents;
    if (kind === 'trace') for (const line of this.#traces.take(ref, own, reader)) this.#writeLine(line);
    else for (const line of this.#parts.take(ref, own, reader)) this.#writeWhole(ref.record, line);
  }

  /** A line that was split and is whole may be wrapped, a part of another, or of a trace. */
  #writeWhole(record: RecordInHand, line: JoinedLine<EventRef>): void {
    if (line.partial) return this.#writeLine(line);
    this.#startBatch(record, line.batch);
    const kind = this.#documents.kindOf(line.entry, 0, line.entry.length, line.index, line.isUnwrapped);
    const { reader } = this.#documents;
    if (kind === 'part') {
      for (const one of this.#parts.takeLine(record, line, reader)) this.#writeWhole(record, one);
      return;
    }
    const { isUnwrapped, isLonePart: partial } = reader;
    const own = isUnwrapped ? { ...line, entry: new Uint8Array(reader.bytes), isUnwrapped, partial } : line;
    if (kind === 'trace') for (const one of this.#traces.takeLine(record, own)) this.#writeLine(one);
    else this.#writeLine(own);
  }

  /** Entries of the batch follow. */
  #startBatch(record: RecordInHand, batch: Batch): void {
    this.#documents.startBatch(batch, this.#ingestedMs);
    this.#traces.watch(record, batch);
    this.#parts.watch(record, batch);
  }

  #writeLine(joined: JoinedLine<EventRef>): void {
    const { batch, index, entry, partial, lines, refs, unfinishedIds } = joined;
    const { refusals, pendingDeadLetters, signal, rewind, ledger, contents } = this.#options;
    const last = refs.at(-1);
    assert(last, 'a line has a part');
    if (rewind && !rewind.wants(batch.receivedMs, partial)) {
      for (const part of refs) ledger.settleEvent(part, 'dropped');
      return;
    }
    this.#documents.startBatch(batch, this.#ingestedMs);
    const written = this.#documents.write(entry, 0, entry.length, index, joined);
    const { record } = last;
    const line = { bytes: entry, partial, lines, unfinishedIds };
    const range = { record, batch, entry: last.entry, index, count: 1, parts: refs, line };
    if (written === 'ok') {
      contents.made(this.#documents.level);
      this.#ranges.push(range);
      return;
    }
    assert(written === 'document_too_large', 'what the joiner makes is an entry');
    const deadLetters = refusals.deadLetterParts(refs, written, signal);
    for (const part of refs) pendingDeadLetters.add(part, part.bytes?.length ?? 0, written, deadLetters);
    this.#entryBytes += refs.length * DEAD_LETTER_IN_HAND_BYTES;
  }
}
