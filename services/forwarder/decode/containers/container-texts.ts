// Texts of a container's log as entries `[time, record]`, whatever file they come from: lines that a runtime wraps
// (container-entries.ts), or records of Docker's `local` driver (local-entries.ts). Here is what both share.
//
//   92 <EventTime>          { message, stream, fields of the source }
//   92 <EventTime>          { log, partial_…, stream, fields of the source }    a part, as runtimes cut long lines
//   92 c0                   { message, fields of the source }                   what no runtime has written, as it is
//   92 [time, metadata]     …                                                   where something more is known
//
// A line has as many parts as the runtime gives it, and the indexer joins them: nothing of it waits here. Parts of
// stdout and stderr may come between each other. Pure.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { EventTime } from '#shared/record/event-time.ts';
import {
  type LinePlace,
  LOG,
  MESSAGE,
  type OpenLine,
  packed,
  packedPairs,
  PlacedEntries,
  writePart,
  writeTime,
} from '../files/file-entries.ts';
import type { ContainerLine } from './container-line.ts';

export interface ContainerSource {
  /** Of every entry, beside its text and its stream. */
  readonly fields: Readonly<Record<string, string>>;
  /** A map of labels, of every entry. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /**
   * A packed map, which entries carry beside their time: what is known when they are read. It is no part of their
   * names. Absent, or null: none.
   */
  readonly metadata?: () => Uint8Array | null;
}

/** A text that goes into one entry. */
export interface Text {
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

export abstract class ContainerTexts extends PlacedEntries {
  malformed = 0;
  protected readonly unitBytes = 1;
  /** By stream. */
  protected readonly open: Map<string, OpenLine>;
  readonly #common: Buffer;
  readonly #fields: number;
  readonly #newMetadata: (() => Uint8Array | null) | null;
  #metadata: Uint8Array | null = null;

  constructor({ fields, labels, metadata }: ContainerSource, place: LinePlace) {
    super(place);
    const pairs = packedPairs(fields);
    this.#common = labels === undefined ? pairs : Buffer.concat([pairs, packedMap('container.labels', labels)]);
    this.#fields = Object.keys(fields).length + (labels === undefined ? 0 : 1);
    this.#newMetadata = metadata ?? null;
    this.open = openLines(place.open ?? '');
  }

  override take(...run: Parameters<PlacedEntries['take']>): ReturnType<PlacedEntries['take']> {
    this.knowNow();
    return super.take(...run);
  }

  /** What is known now goes with the entries that follow. */
  protected knowNow(): void {
    this.#metadata = this.#newMetadata?.() ?? null;
  }

  /** `of`: the bytes of the file that it takes. Returns their end. */
  protected give(writer: MsgpackWriter, text: Text, of: { bytes: Buffer; start: number; end: number }): number {
    const { stream, isPart, time } = text;
    let line = this.open.get(stream) ?? null;
    if (isPart) line ??= { id: Buffer.from(this.chain).toString('hex'), ordinal: 0, time };
    if (line !== null) line.ordinal += 1;
    if (line !== null && isPart) this.open.set(stream, line);
    else this.open.delete(stream);
    this.named(writer, this.write(writer, text, line));
    this.skip(of.bytes, of.start, of.end);
    if (!this.isInLine) this.endLine(openText(this.open));
    return of.end;
  }

  /** Returns where its record begins. */
  protected write(
    writer: MsgpackWriter,
    { bytes, start, end, stream, attrs, isPart, time }: Text,
    line: OpenLine | null,
  ): number {
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
    return recordAt;
  }
}

/** What no runtime has written. */
export function textAsItIs(bytes: Buffer, start: number, end: number): Text {
  return { bytes, start, end, stream: '', time: null, attrs: null, isPart: false };
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
