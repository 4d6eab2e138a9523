// Lines of a container's log file to a run of entries `[time, record]`, without what the runtime wraps them in.
//
//   92 <EventTime>          { message, stream, fields of the source }
//   92 <EventTime>          { log, partial_…, stream, fields of the source }    a part, as runtimes cut long lines
//   92 c0                   { message, fields of the source }                   what is no line of a runtime, as it is
//   92 [time, metadata]     …                                                   where something more is known
//
// A line has as many parts as the runtime gives it, and the indexer joins them: nothing of it waits here. Parts of
// stdout and stderr may come between each other. A line of over 64 KiB that the runtime did not cut is cut here.
//
// Guarantees: pure; linear; the same bytes give the same entries, however they are cut into calls. NULs before a line
// are none of its text: a power failure leaves them.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { chainNext } from '#shared/record/chain.ts';
import type { EventTime } from '#shared/record/event-time.ts';
import {
  type LinePlace,
  LOG,
  MESSAGE,
  type OpenLine,
  packed,
  packedPairs,
  PART_BYTES,
  PlacedEntries,
  writePart,
  writeTime,
} from '../files/file-entries.ts';
import type { ContainerFormat, ContainerLine } from './container-line.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface ContainerSource {
  /** Of every entry, beside its text and its stream. */
  readonly fields: Readonly<Record<string, string>>;
  readonly format: ContainerFormat;
  /** A map of labels, of every entry. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /**
   * A packed map, which entries carry beside their time: what is known when they are read. It is no part of their
   * names. Absent, or null: none.
   */
  readonly metadata?: () => Uint8Array | null;
}

/** A text that goes into one entry. */
interface Text {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Empty: nobody knows. */
  readonly stream: ContainerLine['stream'] | '';
  readonly time: EventTime | null;
  readonly attrs: ContainerLine['attrs'];
  /** More of the same line follows, in this line of the file or in the stream's next one. */
  readonly isPart: boolean;
}

export class ContainerEntries extends PlacedEntries {
  malformed = 0;
  protected readonly unitBytes = 1;
  readonly #format: ContainerFormat;
  readonly #common: Buffer;
  readonly #fields: number;
  readonly #newMetadata: (() => Uint8Array | null) | null;
  #metadata: Uint8Array | null = null;
  /** By stream. */
  readonly #open: Map<string, OpenLine>;
  /** The line of the file that is cut here, as long as its line feed is not reached: what its last piece is. */
  #inside: Omit<Text, 'bytes' | 'start' | 'end'> | null = null;

  constructor({ fields, format, labels, metadata }: ContainerSource, place: LinePlace) {
    super(place);
    this.#format = format;
    const pairs = packedPairs(fields);
    this.#common = labels === undefined ? pairs : Buffer.concat([pairs, packedMap('container.labels', labels)]);
    this.#fields = Object.keys(fields).length + (labels === undefined ? 0 : 1);
    this.#newMetadata = metadata ?? null;
    this.#open = openLines(place.open ?? '');
  }

  get isAtLine(): boolean {
    return this.#inside === null && this.#open.size === 0;
  }

  protected override get isInLine(): boolean {
    return this.#inside !== null;
  }

  override take(...run: Parameters<PlacedEntries['take']>): ReturnType<PlacedEntries['take']> {
    this.#metadata = this.#newMetadata?.() ?? null;
    return super.take(...run);
  }

  protected override writeNext(writer: MsgpackWriter, held: Buffer, start: number): number {
    const feed = held.indexOf(LINE_FEED, start);
    return this.#inside === null
      ? this.#begin(writer, held, { start, feed })
      : this.#goOn(writer, held, { start, feed });
  }

  asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.#metadata = this.#newMetadata?.() ?? null;
    this.#write(writer, { ...this.#textOf(bytes, start, end), isPart: false }, null);
  }

  asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.#metadata = this.#newMetadata?.() ?? null;
    const text = this.#inside === null ? this.#textOf(bytes, start, end) : { ...this.#inside, bytes, start, end };
    this.#inside = null;
    this.#give(writer, { ...text, isPart: false }, { bytes, start, end });
    this.#open.clear();
    this.endLine('');
  }

  /** At the beginning of a line of the file. Returns where the next begins, or a negative number: it is not whole. */
  #begin(writer: MsgpackWriter, bytes: Buffer, { start, feed }: { start: number; feed: number }): number {
    const { lineBytesMax } = this.#format;
    const end = feed < 0 ? bytes.length : feed;
    const isLong = end - start > lineBytesMax;
    if (feed < 0 && !isLong) return -1;
    const text = this.#textOf(bytes, start, end);
    if (text.time === null) {
      this.malformed += 1;
      const behind = isLong ? -1 : this.#format.behindTorn(bytes, start, end);
      if (behind > 0) return this.#give(writer, { ...text, end: behind }, { bytes, start, end: behind });
    }
    if (text.bytes !== bytes || text.end - text.start <= PART_BYTES) {
      return this.#give(writer, text, { bytes, start, end: feed + 1 });
    }
    const { stream, time, attrs, isPart } = text;
    this.#inside = { stream, time, attrs, isPart };
    const cut = text.start + PART_BYTES;
    return this.#give(writer, { ...text, end: cut, isPart: true }, { bytes, start, end: cut });
  }

  /** Inside of a line of the file that is cut here. */
  #goOn(writer: MsgpackWriter, bytes: Buffer, { start, feed }: { start: number; feed: number }): number {
    const inside = this.#inside;
    if (inside === null) return -1;
    const end = feed < 0 ? bytes.length : feed;
    if (end - start > PART_BYTES) {
      const cut = start + PART_BYTES;
      return this.#give(writer, { ...inside, bytes, start, end: cut, isPart: true }, { bytes, start, end: cut });
    }
    if (feed < 0) return -1;
    this.#inside = null;
    const hasReturn = !inside.isPart && feed > start && bytes[feed - 1] === CARRIAGE_RETURN;
    const text = { ...inside, bytes, start, end: hasReturn ? feed - 1 : feed };
    return this.#give(writer, text, { bytes, start, end: feed + 1 });
  }

  #textOf(bytes: Buffer, start: number, end: number): Text {
    const line = this.#format.unwrap(bytes, start, end);
    return line ?? { bytes, start, end, stream: '', time: null, attrs: null, isPart: false };
  }

  /** `of`: the bytes of the file that it takes. Returns their end. */
  #give(writer: MsgpackWriter, text: Text, of: { bytes: Buffer; start: number; end: number }): number {
    const { stream, isPart, time } = text;
    let line = this.#open.get(stream) ?? null;
    if (isPart) line ??= { id: Buffer.from(this.at.chain).toString('hex'), ordinal: 0, time };
    if (line !== null) line.ordinal += 1;
    if (line !== null && isPart) this.#open.set(stream, line);
    else this.#open.delete(stream);
    this.at.chain = this.#write(writer, text, line);
    this.skip(of.bytes, of.start, of.end);
    if (this.#inside === null) this.endLine(openText(this.#open));
    return of.end;
  }

  /** Returns the chain after the entry. */
  #write(
    writer: MsgpackWriter,
    { bytes, start, end, stream, attrs, isPart, time }: Text,
    line: OpenLine | null,
  ): Buffer {
    writer.arrayHeader(2);
    if (this.#metadata !== null) writer.arrayHeader(2);
    writeTime(writer, line === null ? time : line.time);
    if (this.#metadata !== null) writer.raw(this.#metadata);
    const recordAt = writer.length;
    const optional = (stream === '' ? 0 : 1) + (attrs === null ? 0 : 1);
    writer.mapHeader(this.#fields + optional + (line === null ? 1 : 5));
    writer.raw(line === null ? MESSAGE : LOG);
    writer.stringBytes(bytes, start, end);
    if (line !== null) writePart(writer, line, !isPart);
    if (stream !== '') writer.raw(STREAMS[stream]);
    if (attrs !== null) writer.raw(packedMap('attrs', attrs));
    writer.raw(this.#common);
    return chainNext(this.at.chain, writer.view().subarray(recordAt));
  }
}

/** Empty for none. */
function openText(lines: ReadonlyMap<string, OpenLine>): string {
  if (lines.size === 0) return '';
  return JSON.stringify(
    [...lines].map(([stream, { id, ordinal, time }]): Opened => [
      stream,
      id,
      ordinal,
      time?.seconds ?? -1,
      time?.nanoseconds ?? 0,
    ]),
  );
}

function openLines(text: string): Map<string, OpenLine> {
  const written = text === '' ? [] : (JSON.parse(text) as readonly Opened[]);
  return new Map(
    written.map(([stream, id, ordinal, seconds, nanoseconds]) => {
      return [stream, { id, ordinal, time: seconds < 0 ? null : { seconds, nanoseconds } }];
    }),
  );
}

type Opened = readonly [stream: string, id: string, ordinal: number, seconds: number, nanoseconds: number];

function packedMap(name: string, map: Readonly<Record<string, string>>): Buffer {
  const writer = new MsgpackWriter(128);
  const pairs = Object.entries(map);
  writer.string(name);
  writer.mapHeader(pairs.length);
  for (const text of pairs.flat()) writer.string(text);
  return writer.take();
}

const STREAMS = { stdout: packed('stream', 'stdout'), stderr: packed('stream', 'stderr') };
