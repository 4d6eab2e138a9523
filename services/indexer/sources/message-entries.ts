// The events of one message of others, as the entries and the rows of a record of ours: so that everything behind is
// the same for both. Events one behind another with the same tag are one row; so are those that could not be read.
//
//   entry   92 <time> <map>      time: an EventTime; nil where the message's own counts
//
//   message   { "a": 1 } \n no JSON \n { "a": 2 }
//   rows      first 0           first 1      first 2          the identity of all is the message's
//             kafka             kafka_text   kafka
//
// Pure.

import { containerChildren, containerHeaderSize } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { FOREIGN_INPUT, FOREIGN_TEXT_INPUT } from '#shared/record/foreign-identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { SourceTime } from '#shared/config/settings/sources.ts';
import { fieldAt } from './record-field.ts';
import { timeOfField } from './source-time.ts';
import type { TagTemplate } from './tag-template.ts';

/** What an entry has beside its record. */
const ENTRY_OVERHEAD = 64;
/** Each event of a message has its key and headers: a few megabytes of both would be terabytes. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Rows are counted in memory by the hundred bytes: as many as there are in some megabytes. */
const ROWS_MAX = 16_384;

/** What all rows of a message have. */
export type RowOfMessage = Pick<Batch, 'id' | 'tenant' | 'receivedMs' | 'seq' | 'sender'>;

type Row = Omit<Batch, 'count'> & { count: number };

export interface MessageFacts {
  readonly row: RowOfMessage;
  readonly tag: TagTemplate;
  /** The field that has the time of a record; null: none has. */
  readonly time: TimeField | null;
  /** Pairs that each record gets, and how many. */
  readonly kept: Uint8Array;
  readonly keptCount: number;
  /** Of the value. */
  readonly bytes: number;
}

interface TimeField {
  readonly name: Buffer;
  readonly format: SourceTime['format'];
}

/** Where a time lies in front of its record, which was made elsewhere. */
interface TimeExtent {
  readonly at: number;
  readonly end: number;
}

export class MessageEntries {
  readonly #rows: Row[] = [];
  readonly #facts: MessageFacts;
  readonly #writer: MsgpackWriter;
  readonly #ends: number[] = [];

  constructor(facts: MessageFacts) {
    this.#facts = facts;
    this.#writer = new MsgpackWriter(facts.bytes + facts.kept.length + ENTRY_OVERHEAD);
  }

  get count(): number {
    return this.#ends.length;
  }

  /** No more of the message may be added: it is to be one event, its text. */
  get isTooMuch(): boolean {
    return this.#writer.length > BYTES_MAX || this.#rows.length > ROWS_MAX;
  }

  get batches(): readonly Batch[] {
    return this.#rows;
  }

  get ends(): Uint32Array {
    return Uint32Array.from(this.#ends);
  }

  /** Of what was written; nothing more may be after it. */
  get bytes(): Uint8Array {
    return this.#writer.view();
  }

  /** The map at `at`, which is whole, as a record. `time`: of its own, where the format has one. */
  record(bytes: Uint8Array, at: number, end: number, time: TimeExtent | null = null): void {
    const writer = this.#writer;
    writer.arrayHeader(2);
    if (time === null) this.#writeTime(bytes, at, end);
    else writer.raw(bytes, time.at, time.end);
    const type = bytes[at] ?? 0;
    writer.mapHeader(containerChildren(bytes, at, type) / 2 + this.#facts.keptCount);
    writer.raw(this.#facts.kept);
    writer.raw(bytes, at + containerHeaderSize(type), end);
    this.#add(this.#facts.tag.tagOf({ bytes, at, end }), FOREIGN_INPUT);
  }

  /** A text as the message of an event. `extra`: more pairs. */
  text(text: Uint8Array, isAsAsked: boolean, extra: { pairs: Uint8Array; count: number } = NO_PAIRS): void {
    const writer = this.#writer;
    writer.arrayHeader(2);
    writer.nil();
    writer.mapHeader(1 + this.#facts.keptCount + extra.count);
    writer.raw(this.#facts.kept);
    writer.raw(extra.pairs);
    writer.string('log');
    writer.stringBytes(text);
    this.#add(this.#facts.tag.tagOf(null), isAsAsked ? FOREIGN_INPUT : FOREIGN_TEXT_INPUT);
  }

  #writeTime(bytes: Uint8Array, at: number, end: number): void {
    const { time } = this.#facts;
    const found = time === null ? 0 : fieldAt(bytes, at, end, time.name);
    const instant = time === null || found === 0 ? null : timeOfField(bytes, found, time.format);
    if (instant === null) this.#writer.nil();
    else this.#writer.eventTime(instant.seconds, instant.nanoseconds);
  }

  #add(tag: string, input: string): void {
    const index = this.#ends.length;
    this.#ends.push(this.#writer.length);
    const last = this.#rows.at(-1);
    if (last !== undefined && last.tag === tag && last.input === input) {
      last.count += 1;
      return;
    }
    this.#rows.push({ version: 2, ...this.#facts.row, first: index, count: 1, tag, input, chain: null });
  }
}

const NO_PAIRS = { pairs: new Uint8Array(0), count: 0 };
