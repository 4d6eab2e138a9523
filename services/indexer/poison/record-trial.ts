// Everything that the indexer does with a record's bytes by itself, done once to try it out. The record is decompressed
// and scanned. Its entries become documents, also as text, which the store may ask for later; its split lines are
// joined as far as they lie in it, and so are its stack traces; what is no document becomes a dead letter. It runs in a
// thread of a child process (opening-thread.ts): a record that kills or stalls whoever opens it does so there.
//
// Guarantees: nothing is kept from record to record. What it throws the indexer would throw as well.

import { setImmediate as turn } from 'node:timers/promises';
import type { DeadLetter, FetchedRecord } from '#shared/queue/queue.ts';
import { type Batch, decodeBatches } from '#shared/record/record.ts';
import { BulkBody } from '../bulk/body.ts';
import { DEAD_LETTER_IN_HAND_BYTES } from '../unpack/bytes-in-hand.ts';
import { WHY_UNWRITABLE, deadLetterOf } from '../settle/dead-letters.ts';
import { DocumentWriter } from '../parse/document/document.ts';
import { type JoinedLine, type JoinerLimits, LineJoiner } from '../join/joiner.ts';
import { batchOfPart } from '../join/line-names.ts';
import type { PartContext } from '../join/pending-line.ts';
import { partInCopy } from '../parse/part.ts';
import { PartGate } from '../parse/part-gate.ts';
import { type Decompress, unpack } from '../unpack/unpack.ts';
import { TrialTraces } from './trial-traces.ts';

/** What of the configuration has a say in it; plain, for it goes to another process. */
export interface OpeningOptions {
  /** Of an uncompressed value. */
  readonly bytesMax: number;
  readonly documentBytesMax: number;
  readonly bodyBytesMax: number;
  readonly trustedTenants: readonly string[];
  readonly parse?: boolean;
  readonly keepsOriginal?: boolean;
  readonly lines: JoinerLimits;
  /** How long a stack trace waits in an indexer; absent where none is joined. */
  readonly traceWaitMs?: number;
  /** Of dead letters that wait in an indexer, with what each costs beside its entry. */
  /** The name is a part of the message that starts the child. */
  readonly lettersBytesMax: number;
}

/** A part of a line, with bytes of its own. */
interface OwnEntry {
  readonly batch: Batch;
  readonly index: number;
  readonly entry: Uint8Array;
}

/** How far the opening came: what was going on when it ended badly. */
export interface Progress {
  readonly doing: string;
  /** Events that the record's table speaks of, once that is read. */
  readonly events: number | null;
}

/** The event loop had a turn: an indexer would have answered its group. */
export const TURN = 'turn';
const TURN_REPORT_MS = 100;

/** Bytes of entries after which the progress is reported, and others get their turn. */
const REPORT_BYTES = 512 * 1024;

export interface OpeningOptionsHere extends OpeningOptions {
  /** A test's own. */
  readonly decompress?: Decompress;
}

/** Events that the record's table speaks of; null where it cannot be read. */
export function eventsOf({ headers: { batches: table } }: Pick<FetchedRecord, 'headers'>): number | null {
  const batches = table ? decodeBatches(table) : null;
  return batches && batches.reduce((sum, { count }) => sum + count, 0);
}

export async function openWholly(
  record: FetchedRecord,
  options: OpeningOptionsHere,
  report: (news: Progress | typeof TURN) => void,
): Promise<void> {
  const turns = setInterval(() => report(TURN), TURN_REPORT_MS);
  try {
    await openInSteps(record, options, report);
  } finally {
    clearInterval(turns);
  }
}

async function openInSteps(
  record: FetchedRecord,
  options: OpeningOptionsHere,
  report: (progress: Progress) => void,
): Promise<void> {
  const events = eventsOf(record);
  const opened = await unpack(record, options);
  if (opened.kind === 'unreadable') return;
  const scratch = new Scratch(options);
  let entry = 0;
  let start = 0;
  let reportedAt = -1;
  let deadLettersAt = 0;
  for (const batch of opened.batches) {
    scratch.startBatch(batch);
    for (let i = 0; i < batch.count; i++) {
      if (reportedAt < 0 || start - reportedAt + scratch.deadLetterBytes - deadLettersAt > REPORT_BYTES) {
        reportedAt = start;
        deadLettersAt = scratch.deadLetterBytes;
        report({ doing: `making documents of its entries, from the one with number ${entry} on`, events });
        await turn();
      }
      const end = opened.ends[entry] ?? 0;
      const index = batch.first + i;
      if (opened.crowded.has(entry)) scratch.deadLetter(opened.bytes.subarray(start, end), index);
      else scratch.write(opened.bytes, start, end, index);
      entry++;
      start = end;
    }
  }
  report({ doing: 'passing on its unfinished lines', events });
  scratch.finish();
}

/** Documents and dead letters that nobody gets. */
class Scratch {
  readonly #body: BulkBody;
  readonly #gate = new PartGate();
  readonly #documents: DocumentWriter;
  readonly #lines: LineJoiner<OwnEntry>;
  readonly #traces: TrialTraces<OwnEntry> | null;
  readonly #options: OpeningOptions;
  #batch: Batch | null = null;
  #deadLetters: DeadLetter[] = [];
  #deadLettersBytes = 0;
  /** Of all dead letters that were written. */
  deadLetterBytes = 0;

  constructor(options: OpeningOptions) {
    this.#options = options;
    this.#body = new BulkBody(options.bodyBytesMax);
    const { traceWaitMs: waitMs, lines } = options;
    this.#traces = waitMs === undefined ? null : new TrialTraces({ ...lines, waitMs });
    this.#documents = new DocumentWriter(this.#body, {
      trusted: new Set(options.trustedTenants),
      parse: options.parse,
      keepsOriginal: options.keepsOriginal,
      bytesMax: options.documentBytesMax,
      parts: this.#gate,
      traces: this.#traces?.gate,
    });
    this.#lines = new LineJoiner(lines);
  }

  startBatch(batch: Batch): void {
    this.#batch = batch;
    this.#startBatch(batch);
  }

  write(bytes: Uint8Array, start: number, end: number, index: number): void {
    const batch = this.#batch;
    if (batch === null) return;
    const written = this.#documents.write(bytes, start, end, index);
    if (written === 'part') {
      const { reader } = this.#documents;
      const entry = new Uint8Array(bytes.subarray(start, end));
      const read = new Uint8Array(reader.bytes.subarray(reader.start, reader.end));
      const own = batchOfPart(batch, index);
      const context = { partition: 0, assignmentNumber: 1, batch: own, index, ref: { batch: own, index, entry } };
      this.#join(context, read);
      this.#startBatch(batch);
    } else if (written === 'trace') {
      const { reader } = this.#documents;
      const own = batchOfPart(batch, index);
      const entry = new Uint8Array(bytes.subarray(start, end));
      const read = new Uint8Array(reader.bytes.subarray(reader.start, reader.end));
      this.#trace({ batch: own, index, entry: read, refs: [{ batch: own, index, entry }] }, reader.start);
      this.#startBatch(batch);
    } else if (written !== 'ok') {
      this.deadLetter(bytes.subarray(start, end), index);
    }
    // What the store refuses is written once more so.
    this.#documents.writeAsText(bytes, start, end, index);
    this.#restart();
  }

  /** As an indexer does (part-entries.ts, entry-writer.ts). `read`: a copy of what was read last. */
  #join(context: PartContext<OwnEntry>, read: Uint8Array): void {
    const { part, start } = this.#documents.reader;
    for (const line of this.#lines.add(context, read, 0, part && partInCopy(part, start)) ?? []) this.#writeWhole(line);
  }

  /** A line that was split and is whole may be wrapped, or a part of another. */
  #writeWhole(line: JoinedLine<OwnEntry>): void {
    if (line.partial) return this.#writeLine(line);
    const { batch, index, entry, refs } = line;
    this.#startBatch(batch);
    const kind = this.#documents.kindOf(entry, 0, entry.length, index, line.isUnwrapped);
    const { reader } = this.#documents;
    const read = new Uint8Array(reader.bytes.subarray(reader.start, reader.end));
    const [ref, ...otherRefs] = refs;
    if (kind === 'part' && ref) {
      this.#join({ partition: 0, assignmentNumber: 1, batch, index, ref, otherRefs }, read);
      return;
    }
    const own = reader.isUnwrapped ? { ...line, entry: read, partial: reader.isLonePart } : line;
    if (kind === 'trace') this.#trace(own, 0);
    else this.#writeLine(own);
  }

  #trace(line: Pick<JoinedLine<OwnEntry>, 'batch' | 'index' | 'entry' | 'refs'>, start: number): void {
    for (const joined of this.#traces?.take(line, start) ?? []) this.#writeLine(joined);
  }

  #startBatch(batch: Batch): void {
    this.#documents.startBatch(batch, 0);
    this.#gate.isBegun = this.#lines.hasBegun ? this.#lines.begunOf(0, batch, 0) : null;
    this.#gate.isPassed = this.#lines.passedOf(batch, 1);
    this.#traces?.startBatch(batch);
  }

  finish(): void {
    for (const line of this.#lines.flush()) this.#writeLine(line);
    for (const line of this.#traces?.flush() ?? []) this.#writeLine(line);
  }

  /** A copy, which is kept as long as an indexer keeps it where the dead letters take nothing. */
  deadLetter(bytes: Uint8Array, index: number): void {
    if (this.#batch) this.#deadLetter({ batch: this.#batch, index, entry: new Uint8Array(bytes) });
  }

  #deadLetter({ batch, index, entry }: OwnEntry): void {
    const bytes = entry.length + DEAD_LETTER_IN_HAND_BYTES;
    this.deadLetterBytes += bytes;
    this.#deadLettersBytes += bytes;
    if (this.#deadLettersBytes > this.#options.lettersBytesMax) {
      this.#deadLetters = [];
      this.#deadLettersBytes = bytes;
    }
    const why = { reason: 'document_too_large', error: WHY_UNWRITABLE.document_too_large };
    this.#deadLetters.push(deadLetterOf({ batch, index }, entry, why, ''));
  }

  #writeLine({ batch, index, entry, partial, lines, refs }: JoinedLine<OwnEntry>): void {
    this.#documents.startBatch(batch, 0);
    const written = this.#documents.write(entry, 0, entry.length, index, { partial, lines });
    if (written !== 'ok') for (const part of refs) this.#deadLetter(part);
    this.#documents.writeAsText(entry, 0, entry.length, index, { partial, lines });
    this.#restart();
  }

  #restart(): void {
    if (this.#body.length >= this.#options.bodyBytesMax) this.#body.release(this.#body.request());
  }
}
