// What makes entries of a file's bytes, whatever its lines look like: plain ones (line-entries.ts), or those that a
// container runtime wraps (../containers/container-texts.ts). Here is what both share. Pure.
//
// Guarantees of each: linear; the same bytes give the same entries, however they are cut into calls.

import { crc32 } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import type { EventTime } from '#shared/record/event-time.ts';

/** Longer texts pass in parts. */
export const PART_BYTES = 64 * 1024;
/** A run is at its end with so many entries, or bytes: hashes and copies of some milliseconds. */
const RUN_ENTRIES_MAX = 4096;
const RUN_BYTES_MAX = 1024 * 1024;

/** A place in a file between two lines. */
export interface LinePlace {
  readonly offset: number;
  readonly chain: Uint8Array;
  /** CRC-32 of all bytes before it. */
  readonly crc32: number;
  /** Lines of which parts are before it, as `openText` writes them; absent: none. */
  readonly open?: string;
}

export interface FileEntries {
  /** The chain before the next entry. */
  readonly chain: Uint8Array;
  /** Of the next byte to read. */
  readonly offset: number;
  /** CRC-32 of all bytes before it. */
  readonly crc32: number;
  /** After the last line of the file that is whole. */
  readonly line: LinePlace;
  /** Whether the rest is a line by itself, of which no part is written: see `asLine`. */
  readonly isAtLine: boolean;
  /** Lines so far that did not have the form that they should have, and were given as they are. */
  readonly malformed: number;
  /**
   * Appends the lines, and the full parts of lines, that lie whole in bytes[start, end), of which the first byte is the
   * next to read. Returns where the rest begins. `isFull`: a run is at its end, and there may be more lines.
   */
  take(
    writer: MsgpackWriter,
    bytes: Buffer,
    start: number,
    end: number,
  ): { at: number; count: number; isFull: boolean };
  /** Goes past NULs, which are followed by something else. */
  pass(nuls: Uint8Array): void;
  /** 0 where lines end in line feeds; else records begin with so many bytes, of which some may be NULs. */
  readonly headBytes: number;
  /**
   * Whether `take` has something to give all the same of bytes[start, end), the rest, to which nothing was added for a
   * while: then it does so from now on. For what has no line feeds to be found again by.
   */
  passesTorn(bytes: Buffer, start: number, end: number): boolean;
  /**
   * Appends bytes[start, end), the rest of the file, as its last line. The place stays before it: if more is written,
   * the line has another text and another name.
   */
  asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void;
  /** The same of a line of which parts are written already: then nothing can follow. */
  asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void;
}

/** Writes the rest of a file, and nothing else: see `asLine` and `asEnd`. Returns how many lines are malformed. */
export function writeRest(entries: FileEntries, writer: MsgpackWriter, rest: Buffer): number {
  const { malformed } = entries;
  writer.reset();
  if (entries.isAtLine) entries.asLine(writer, rest, 0, rest.length);
  else entries.asEnd(writer, rest, 0, rest.length);
  return entries.malformed - malformed;
}

/** Keeps the place in the file, and makes runs of entries; which they are, each kind of file says itself. */
export abstract class PlacedEntries implements FileEntries {
  /** The next byte to read, the chain before the next entry, and the CRC-32 of all bytes so far. */
  protected readonly at: { offset: number; chain: Uint8Array; crc32: number };
  #line: LinePlace;

  /** `place`: where reading begins, at the beginning of a line. */
  constructor(place: LinePlace) {
    this.at = { offset: place.offset, chain: place.chain, crc32: place.crc32 };
    this.#line = place;
  }

  abstract readonly malformed: number;
  abstract readonly isAtLine: boolean;
  readonly headBytes: number = 0;
  abstract asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void;
  abstract asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void;
  /** Whether the next byte goes on with a line of which a part is written. */
  protected abstract readonly isInLine: boolean;
  /** Of a character. */
  protected abstract readonly unitBytes: number;
  /** Writes the entry that begins at `start`. Returns where the next begins; negative: it does not lie whole there. */
  protected abstract writeNext(writer: MsgpackWriter, held: Buffer, start: number): number;

  get chain(): Uint8Array {
    return this.at.chain;
  }

  get offset(): number {
    return this.at.offset;
  }

  get crc32(): number {
    return this.at.crc32;
  }

  get line(): LinePlace {
    return this.#line;
  }

  take(
    writer: MsgpackWriter,
    bytes: Buffer,
    start: number,
    end: number,
  ): { at: number; count: number; isFull: boolean } {
    const held = bytes.subarray(0, end);
    let at = start;
    let count = 0;
    for (;;) {
      if (count === RUN_ENTRIES_MAX || writer.length >= RUN_BYTES_MAX) return { at, count, isFull: true };
      if (!this.isInLine) {
        const text = this.textStart(held, at);
        if (text === end) break;
        at = this.skip(bytes, at, text);
      }
      const next = this.writeNext(writer, held, at);
      if (next < 0) break;
      at = next;
      count += 1;
    }
    return { at, count, isFull: false };
  }

  pass(nuls: Uint8Array): void {
    this.skip(nuls, 0, nuls.length);
  }

  passesTorn(_bytes: Buffer, _start: number, _end: number): boolean {
    return false;
  }

  /** Behind NULs that belong to no text, in whole units. */
  protected textStart(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && bytes[at] === 0) at += 1;
    return at === bytes.length ? at : at - ((at - start) % this.unitBytes);
  }

  /** Goes past bytes of the file. Returns where they end. */
  protected skip(bytes: Uint8Array, start: number, end: number): number {
    this.at.crc32 = crc32(bytes.subarray(start, end), this.at.crc32);
    this.at.offset += end - start;
    return end;
  }

  /** A line ends here. `open`: see `LinePlace`. */
  protected endLine(open?: string): void {
    this.#line = open === undefined ? { ...this.at } : { ...this.at, open };
  }
}

/** A line of which parts are written, and the rest is not. */
export interface OpenLine {
  readonly id: string;
  ordinal: number;
  readonly time: EventTime | null;
}

/** Four pairs. */
export function writePart(writer: MsgpackWriter, { id, ordinal }: OpenLine, last: boolean): void {
  writer.raw(PART);
  writer.string(id);
  writer.string('partial_ordinal');
  writer.string(String(ordinal));
  writer.string('partial_last');
  writer.string(String(last));
}

export function writeTime(writer: MsgpackWriter, time: EventTime | null): void {
  if (time === null) writer.nil();
  else writer.eventTime(time.seconds, time.nanoseconds);
}

export function packedPairs(pairs: Readonly<Record<string, string>>): Buffer {
  return packed(...Object.entries(pairs).flat());
}

export function packed(...values: readonly string[]): Buffer {
  const writer = new MsgpackWriter(128);
  for (const value of values) writer.string(value);
  return writer.take();
}

export const MESSAGE = packed('message');
export const LOG = packed('log');
const PART = packed('partial_message', 'true', 'partial_id');
