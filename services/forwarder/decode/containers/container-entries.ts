// Lines of a container's log file to a run of entries `[time, record]`, without what the runtime wraps them in. How the
// entries look is in container-texts.ts. A line of over 64 KiB that the runtime did not cut is cut here.
//
// Guarantees: pure; linear; the same bytes give the same entries, however they are cut into calls. NULs before a line
// are none of its text: a power failure leaves them.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type LinePlace, PART_BYTES } from '../files/file-entries.ts';
import type { ContainerFormat } from './container-line.ts';
import { type ContainerSource, ContainerTexts, type Text, textAsItIs } from './container-texts.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class ContainerEntries extends ContainerTexts {
  readonly #format: ContainerFormat;
  /** The line of the file that is cut here, as long as its line feed is not reached: what its last piece is. */
  #inside: Omit<Text, 'bytes' | 'start' | 'end'> | null = null;

  constructor({ format, ...source }: ContainerSource & { readonly format: ContainerFormat }, place: LinePlace) {
    super(source, place);
    this.#format = format;
  }

  get isAtLine(): boolean {
    return this.#inside === null && this.open.size === 0;
  }

  protected override get isInLine(): boolean {
    return this.#inside !== null;
  }

  protected override writeNext(writer: MsgpackWriter, held: Buffer, start: number): number {
    const feed = held.indexOf(LINE_FEED, start);
    return this.#inside === null
      ? this.#begin(writer, held, { start, feed })
      : this.#goOn(writer, held, { start, feed });
  }

  asLine(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.knowNow();
    this.write(writer, { ...this.#textOf(bytes, start, end), isPart: false }, null);
  }

  asEnd(writer: MsgpackWriter, bytes: Buffer, start: number, end: number): void {
    this.knowNow();
    const text = this.#inside === null ? this.#textOf(bytes, start, end) : { ...this.#inside, bytes, start, end };
    this.#inside = null;
    this.give(writer, { ...text, isPart: false }, { bytes, start, end });
    this.open.clear();
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
      if (behind > 0) return this.give(writer, { ...text, end: behind }, { bytes, start, end: behind });
    }
    if (text.bytes !== bytes || text.end - text.start <= PART_BYTES) {
      return this.give(writer, text, { bytes, start, end: feed + 1 });
    }
    const { stream, time, attrs, isPart } = text;
    this.#inside = { stream, time, attrs, isPart };
    const cut = text.start + PART_BYTES;
    return this.give(writer, { ...text, end: cut, isPart: true }, { bytes, start, end: cut });
  }

  /** Inside of a line of the file that is cut here. */
  #goOn(writer: MsgpackWriter, bytes: Buffer, { start, feed }: { start: number; feed: number }): number {
    const inside = this.#inside;
    if (inside === null) return -1;
    const end = feed < 0 ? bytes.length : feed;
    if (end - start > PART_BYTES) {
      const cut = start + PART_BYTES;
      return this.give(writer, { ...inside, bytes, start, end: cut, isPart: true }, { bytes, start, end: cut });
    }
    if (feed < 0) return -1;
    this.#inside = null;
    const hasReturn = !inside.isPart && feed > start && bytes[feed - 1] === CARRIAGE_RETURN;
    const text = { ...inside, bytes, start, end: hasReturn ? feed - 1 : feed };
    return this.give(writer, text, { bytes, start, end: feed + 1 });
  }

  #textOf(bytes: Buffer, start: number, end: number): Text {
    return this.#format.unwrap(bytes, start, end) ?? textAsItIs(bytes, start, end);
  }
}
