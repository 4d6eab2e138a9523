// What makes entries of a file's bytes, whatever its lines look like: plain ones (line-entries.ts), or those that a
// container runtime wraps (../containers/container-texts.ts). Here is what both share. Pure.
//
// Guarantees of each: linear; the same bytes give the same entries, however they are cut into calls.

import { crc32 } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { CHAIN_BYTES, RunningChain } from '#shared/record/chain.ts';
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

/**
 * Keeps the place in the file, and makes runs of entries; which they are, each kind of file says itself. What tells the
 * place is made once for a run: a call out of JavaScript for each line would cost as much as its hash.
 */
export abstract class PlacedEntries implements FileEntries {
  /** Of the next byte to read. */
  #offset: number;
  /** Of all bytes before `#offset`; in a run, of those before its first. */
  #crc32: number;
  readonly #chain: RunningChain;
  #line: LinePlace;
  #isInRun = false;
  /** In a run: where its last line ended; negative: no line ended in it. */
  #endedAt = -1;
  #endedOpen: string | undefined;
  readonly #endedChain = new Uint8Array(CHAIN_BYTES);

  /** `place`: where reading begins, at the beginning of a line. */
  constructor(place: LinePlace) {
    this.#offset = place.offset;
    this.#crc32 = place.crc32;
    this.#chain = new RunningChain(place.chain);
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
    return ownCopy(this.#chain.current);
  }

  get offset(): number {
    return this.#offset;
  }

  get crc32(): number {
    return this.#crc32;
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
    const first = this.#offset;
    this.#isInRun = true;
    this.#endedAt = -1;
    const run = this.#writeRun(writer, bytes.subarray(0, end), start);
    this.#isInRun = false;
    let summed = start;
    if (this.#endedAt >= 0) {
      summed += this.#endedAt - first;
      this.#crc32 = crc32(bytes.subarray(start, summed), this.#crc32);
      this.#line = this.#placeOf(this.#endedAt, this.#endedChain, this.#endedOpen);
    }
    if (summed < run.at) this.#crc32 = crc32(bytes.subarray(summed, run.at), this.#crc32);
    return run;
  }

  #writeRun(writer: MsgpackWriter, held: Buffer, start: number): { at: number; count: number; isFull: boolean } {
    let at = start;
    let count = 0;
    for (;;) {
      if (count === RUN_ENTRIES_MAX || writer.length >= RUN_BYTES_MAX) return { at, count, isFull: true };
      if (!this.isInLine) {
        const text = this.textStart(held, at);
        if (text === held.length) break;
        if (text > at) at = this.skip(held, at, text);
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
    if (!this.#isInRun) this.#crc32 = crc32(bytes.subarray(start, end), this.#crc32);
    this.#offset += end - start;
    return end;
  }

  /** The entry that ends the writer's bytes is one of the file's, and its record begins there. */
  protected named(writer: MsgpackWriter, recordAt: number): void {
    this.#chain.next(writer.view(recordAt));
  }

  /** A line ends here. `open`: see `LinePlace`. */
  protected endLine(open?: string): void {
    if (this.#isInRun) {
      this.#endedAt = this.#offset;
      this.#endedOpen = open;
      this.#endedChain.set(this.#chain.current);
    } else this.#line = this.#placeOf(this.#offset, this.#chain.current, open);
  }

  #placeOf(offset: number, chain: Uint8Array, open: string | undefined): LinePlace {
    const place = { offset, chain: ownCopy(chain), crc32: this.#crc32 };
    return open === undefined ? place : { ...place, open };
  }
}

/** A line of which parts are written, and the rest is not. */
export interface OpenLine {
  readonly id: string;
  ordinal: number;
  readonly time: EventTime | null;
}

/** Kept for as long as its file is known: not in Node's pool, whose buffers keep each other. */
function ownCopy(chain: Uint8Array): Uint8Array {
  return new Uint8Array(chain);
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
