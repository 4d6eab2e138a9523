// Lines of sources for a joiner of traces, and what comes out: the text of each document, its lines, and its mark.

import { encode } from '@msgpack/msgpack';
import type { JoinedLine } from '#indexer/join/joiner.ts';
import { batchOfPart } from '#indexer/join/line-names.ts';
import { type Reading, type TraceLimits, TraceJoiner } from '#indexer/join/trace-joiner.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch } from '../parse/documents.ts';

const limits: TraceLimits = { waitMs: 1000, lineBytesMax: 100_000, bytesMax: 1_000_000 };

/** A line as it lies in the queue. */
export interface QueuedLine {
  readonly text: string;
  readonly source?: string;
  readonly partition?: number;
  readonly tag?: string;
  readonly offset: number;
  readonly receivedMs: number;
  readonly appendedMs: number;
  /** Names it: the same wherever it is read. */
  readonly number: number;
}

export interface Out {
  readonly text: string;
  readonly id: string;
  readonly partial: boolean;
  readonly lines: number;
  readonly sequence: number;
  readonly refs: readonly number[];
}

const decoder = new TextDecoder();

export class Tracing {
  readonly joiner: TraceJoiner<number>;
  readonly out: Out[] = [];
  /** Numbers of the lines that were told to be repeats. */
  readonly repeats: number[] = [];
  /** Where commits were held, and released, in order. */
  readonly holds: { readonly kind: 'hold' | 'release'; readonly offset: number }[] = [];
  nowMs = 0;
  reading: Reading = 'read';
  #offset = -1;
  #partition = 0;

  constructor(some: Partial<TraceLimits> = {}) {
    this.joiner = new TraceJoiner<number>({ ...limits, ...some });
  }

  /** Reads a line; one of another offset is of another record. */
  read(line: QueuedLine): void {
    const { partition = 0, offset, appendedMs } = line;
    const place = {
      partition,
      offset,
      appendedMs,
      holdCommit: () => void this.holds.push({ kind: 'hold', offset }),
      releaseCommit: (last: number) => void this.holds.push({ kind: 'release', offset: last }),
    };
    if (offset !== this.#offset || partition !== this.#partition) {
      this.endRecord();
      this.#note(this.joiner.startRecord(place));
      this.#offset = offset;
      this.#partition = partition;
    }
    const source = `${line.source ?? 'a'}\0`;
    const key = `batch\0${source}`;
    const head = encode({ source });
    // A map of two: what `encode` makes of one, with another pair.
    const text = encode(line.text);
    const label = encode('log');
    const entry = Buffer.concat([Buffer.from([0x92, 0x01, 0x82]), head.subarray(1), label, text]);
    const lineAt = entry.length - text.length;
    const batched = batchOfPart(this.#batchOf(line), 0);
    const one = { source, batch: batched, index: 0, entry, lineAt, appendedMs, refs: [line.number] };
    const passed = this.joiner.add(place, key, one, this.nowMs);
    if (passed) this.#note(passed);
    else this.repeats.push(line.number);
  }

  endRecord(): void {
    if (this.#offset >= 0) this.joiner.endRecord(this.#partition);
  }

  /** The timer runs whenever it is due. */
  after(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.endRecord();
    for (let dueMs = this.joiner.dueMs; dueMs !== null && dueMs <= untilMs; dueMs = this.joiner.dueMs) {
      this.late(Math.max(0, dueMs - this.nowMs));
    }
    this.nowMs = untilMs;
  }

  /** The timer runs only after this time. */
  late(ms: number): void {
    this.nowMs += ms;
    this.#note(this.joiner.expire(this.nowMs, () => this.reading));
  }

  flush(isWhole = true): void {
    this.endRecord();
    this.#note(
      this.joiner.flush(
        () => true,
        () => isWhole,
      ),
    );
  }

  /** The batch of the line of a number. */
  batchOf(number: number): Batch {
    return this.#batchOf({ number, receivedMs: 0 });
  }

  #batchOf({ number, receivedMs, tag = batch.tag }: Pick<QueuedLine, 'number' | 'receivedMs' | 'tag'>): Batch {
    const id = Buffer.alloc(16);
    id.writeUInt32BE(number, 12);
    return { ...batch, id, receivedMs, seq: number, tag };
  }

  #note(lines: Iterable<JoinedLine<number>>): void {
    for (const { batch: named, index, entry, partial, lines: count, refs } of lines) {
      const at = Buffer.from(entry).indexOf('log') + 3;
      const type = entry[at] ?? 0;
      const start = at + ((type & 0xe0) === 0xa0 ? 1 : type === 0xd9 ? 2 : type === 0xda ? 3 : 5);
      const text = decoder.decode(entry.subarray(start));
      const id = documentId(named, index);
      this.out.push({ text, id, partial, lines: count, sequence: named.seq + index, refs });
    }
  }
}

/** Lines of one source, a record each, 1 ms apart. */
export function queued(texts: readonly string[], some: Partial<QueuedLine> = {}): QueuedLine[] {
  return texts.map((text, i) => ({ text, offset: i, receivedMs: i, appendedMs: i, number: i, ...some }));
}

/** What becomes of the lines of one source when nothing else comes. */
export function documentsOf(texts: readonly string[], some: Partial<TraceLimits> = {}): Out[] {
  const tracing = new Tracing(some);
  for (const line of queued(texts)) tracing.read(line);
  tracing.after(10_000);
  return tracing.out;
}
