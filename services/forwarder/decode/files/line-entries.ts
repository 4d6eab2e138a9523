// Lines of a file to a run of entries `[time, record]`, each with its place in the chain of names.
//
//   92 <EventTime> or c0   { message, fields of the source }
//   92 <EventTime> or c0   { log, partial_…, fields of the source }     a part of a line over 64 KiB
//
// Guarantees: pure; linear; the same bytes give the same entries, however they are cut into calls. Line feeds are left
// out, and a carriage return before one. NULs before a line are none of its text: they are what a truncation left of a
// file whose writer went on at its old place. Where they reach the end of what is there, they are not taken: somebody
// may yet write in their place. Parts are of a fixed size, so that their names are the same in every reading.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { EventTime } from '#shared/record/event-time.ts';
import {
  type LinePlace,
  LOG,
  MESSAGE,
  type OpenLine,
  packedPairs,
  PART_BYTES,
  PlacedEntries,
  writePart,
  writeTime,
} from './file-entries.ts';
import { type FileEncoding, lineFeedAt, partEnd, withoutReturn } from './file-encoding.ts';
import { timeOfLine } from './line-time.ts';
import { shownPath } from './source-path.ts';

export interface LineSource {
  /** Of every entry, beside its text; fewer than nine. */
  readonly fields: Readonly<Record<string, string>>;
  readonly encoding: FileEncoding;
}

/** `path`: without what rotation adds. */
export function fieldsOfFile(path: string, host: string): LineSource['fields'] {
  return { 'log.file.path': shownPath(path), 'host.name': host };
}

/** What is written of a line that is not whole yet. */
interface Unfinished extends OpenLine {
  readonly decoder: TextDecoder | null;
}

export class LineEntries extends PlacedEntries {
  readonly malformed = 0;
  protected readonly unitBytes: number;
  readonly #encoding: FileEncoding;
  readonly #decoder: TextDecoder | null;
  readonly #common: Buffer;
  readonly #fields: number;
  #unfinished: Unfinished | null = null;

  constructor({ fields, encoding }: LineSource, place: LinePlace) {
    super(place);
    this.#encoding = encoding;
    this.#decoder = decoderOf(encoding);
    this.#common = packedPairs(fields);
    this.#fields = Object.keys(fields).length;
    this.unitBytes = encoding.unitBytes;
  }

  /**
   * The time of lines that begin with none; null: they have none. Only for lines that nobody can read again: what is
   * named by its place has no time but its own.
   */
  defaultTime: EventTime | null = null;

  override take(
    writer: MsgpackWriter,
    bytes: Buffer,
    start: number,
    end: number,
  ): { at: number; count: number; isFull: boolean } {
    const { markBytes } = this.#encoding;
    const hasMark = this.offset === 0 && markBytes > 0 && end - start >= markBytes;
    return super.take(writer, bytes, hasMark ? this.skip(bytes, start, start + markBytes) : start, end);
  }

  protected override writeNext(writer: MsgpackWriter, held: Buffer, start: number): number {
    const feed = lineFeedAt(held, start, this.#encoding);
    if ((feed < 0 ? held.length : feed) - start > PART_BYTES)
      return this.#part(writer, held, { start, end: partEnd(held, start + PART_BYTES, this.#encoding) });
    return feed < 0 ? -1 : this.#end(writer, held, { start, end: feed, next: feed + this.#encoding.unitBytes });
  }

  protected override get isInLine(): boolean {
    return this.#unfinished !== null;
  }

  get isAtLine(): boolean {
    return this.#unfinished === null;
  }

  asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    const text = withoutReturn(bytes, start, end, this.#encoding);
    this.#write(writer, bytes, { start, end: text, time: this.#timeOf(bytes, start, text), unfinished: null });
  }

  asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.#end(writer, bytes, { start, end, next: end });
  }

  #end(writer: MsgpackWriter, bytes: Buffer, { start, end, next }: { start: number; end: number; next: number }) {
    const text = withoutReturn(bytes, start, end, this.#encoding);
    const unfinished = this.#unfinished;
    const time = unfinished === null ? this.#timeOf(bytes, start, text) : unfinished.time;
    if (unfinished !== null) unfinished.ordinal += 1;
    this.named(writer, this.#write(writer, bytes, { start, end: text, time, unfinished, last: true }));
    this.#unfinished = null;
    this.skip(bytes, start, next);
    this.endLine();
    return next;
  }

  #part(writer: MsgpackWriter, bytes: Buffer, { start, end }: { start: number; end: number }): number {
    const id = Buffer.from(this.chain).toString('hex');
    const time = this.#unfinished?.time ?? this.#timeOf(bytes, start, end);
    this.#unfinished ??= { id, ordinal: 0, time, decoder: decoderOf(this.#encoding) };
    this.#unfinished.ordinal += 1;
    this.named(writer, this.#write(writer, bytes, { start, end, time, unfinished: this.#unfinished }));
    return this.skip(bytes, start, end);
  }

  /** Returns where its record begins. */
  #write(writer: MsgpackWriter, bytes: Buffer, { start, end, time, unfinished, last = false }: Piece): number {
    writer.arrayHeader(2);
    writeTime(writer, time);
    const recordAt = writer.length;
    writer.mapHeader(this.#fields + (unfinished === null ? 1 : 5));
    writer.raw(unfinished === null ? MESSAGE : LOG);
    const decoder = unfinished === null ? this.#decoder : unfinished.decoder;
    if (decoder === null) writer.stringBytes(bytes, start, end);
    else writer.string(decoder.decode(bytes.subarray(start, end), { stream: unfinished !== null && !last }));
    if (unfinished !== null) writePart(writer, unfinished, last);
    writer.raw(this.#common);
    return recordAt;
  }

  #timeOf(bytes: Buffer, start: number, end: number): EventTime | null {
    return (this.#encoding.unitBytes === 1 ? timeOfLine(bytes, start, end) : null) ?? this.defaultTime;
  }
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly time: EventTime | null;
  readonly unfinished: Unfinished | null;
  readonly last?: boolean;
}

function decoderOf({ label }: FileEncoding): TextDecoder | null {
  return label === null ? null : new TextDecoder(label, { ignoreBOM: true });
}
