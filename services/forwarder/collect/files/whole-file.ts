// Reads what a file that is complete holds of a generation that was not read: once, from its beginning, for there is no
// other way into a compressed one. What was read before is unpacked and passed over.

import { type FileEntries, writeRest } from '../../decode/files/file-entries.ts';
import { BOM_BYTES_MAX } from '../../decode/files/file-encoding.ts';
import type { Compression } from '../../decode/files/source-path.ts';
import { unpackedBytes } from './file-content.ts';
import { CHECK_BYTES, nulsIn, tailOf } from './file-bytes.ts';
import { spendNuls } from './nul-run.ts';
import { PACKED_PER_BYTE } from '../sources/source-budgets.ts';
import type { FollowOptions } from '../sources/follow-options.ts';
import type { Generation } from '../checkpoints/generations.ts';
import { type Reader, type Slot, SLOT_BYTES } from '../turns/reading-turns.ts';

const LINE_FEED = 0x0a;

type Options = Pick<
  FollowOptions<never>,
  'tag' | 'root' | 'newEntries' | 'waitMs' | 'malformed' | 'delivery' | 'budget' | 'changed'
> & {
  /** See `unpackedBytes`. */
  readonly identity?: string;
  /** All is held by the queue; or the rest cannot be read, and why. */
  readonly ended: (file: WholeFile, error: unknown) => void;
};

export class WholeFile implements Reader {
  readonly path: string;
  readonly generation: Generation;
  readonly #options: Options;
  readonly #pieces: AsyncGenerator<Buffer, void>;
  #entries: FileEntries | null = null;
  /** Unpacked, and not taken yet. */
  #rest: Buffer = Buffer.alloc(0);
  #unpacked = 0;
  #isUnpacked = false;
  #error: unknown = null;
  #stream: { readonly bytesRead: number } | null = null;
  /** Bytes of the file as it lies there, for which lines were given. */
  #paid = 0;
  /** Lines that the queue holds by now. */
  lines = 0;
  /** Line feeds in what was passed over. */
  passedLines = 0;

  constructor(path: string, compression: Compression | null, generation: Generation, options: Options) {
    this.path = path;
    this.generation = generation;
    this.#options = options;
    const { identity, root } = options;
    const opened = (stream: { readonly bytesRead: number }): void => void (this.#stream = stream);
    this.#pieces = unpackedBytes(path, compression, { ...(identity !== undefined && { identity }), root, opened });
  }

  waitMs(): number {
    return Math.max(this.#options.budget?.waitMs() ?? 0, this.#options.waitMs?.() ?? 0);
  }

  async turn(slot: Slot): Promise<boolean> {
    while (!this.#isUnpacked && this.#rest.length < SLOT_BYTES) {
      try {
        this.#isUnpacked = await this.#unpack();
      } catch (damage) {
        this.#error = damage;
        this.#isUnpacked = true;
      }
    }
    if ((await this.#take(slot)) || !this.#isUnpacked) return true;
    // A line that is cut by damage is none.
    if (this.#error === null) await this.#last(slot);
    this.#options.ended(this, this.#error);
    return false;
  }

  /** Of the file as it lies there. */
  get bytesRead(): number {
    return this.#stream?.bytesRead ?? 0;
  }

  async close(): Promise<void> {
    await this.#pieces.return();
  }

  /** Whether all is unpacked. */
  async #unpack(): Promise<boolean> {
    const { value } = await this.#pieces.next();
    if (!(value instanceof Buffer)) return true;
    const { generation } = this;
    if (this.#entries === null) {
      this.#rest = Buffer.concat([this.#rest, value]);
      if (this.#rest.length >= BOM_BYTES_MAX) this.#begin();
      return false;
    }
    const read = Math.max(0, Math.min(value.length, generation.place.offset - this.#unpacked));
    this.#passed(value.subarray(0, read));
    this.#unpacked += value.length;
    this.#rest = Buffer.concat([this.#rest, value.subarray(read)]);
    return false;
  }

  #begin(): void {
    const { place } = this.generation;
    this.#entries = this.#options.newEntries(this.#rest, place);
    this.#unpacked = this.#rest.length;
    this.#passed(this.#rest.subarray(0, Math.min(this.#rest.length, place.offset)));
    this.#rest = this.#rest.subarray(Math.min(this.#rest.length, place.offset));
  }

  #passed(bytes: Buffer): void {
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) this.passedLines += 1;
  }

  /** Whether lines were taken. */
  async #take(slot: Slot): Promise<boolean> {
    const entries = this.#entries;
    if (entries === null || this.#rest.length === 0) return false;
    const { chain, line, malformed } = entries;
    const start = entries.offset;
    slot.writer.reset();
    const { at, count } = entries.take(slot.writer, this.#rest, 0, this.#rest.length);
    this.#options.budget?.spend(at, count, this.#payFor(count));
    this.#options.malformed(this.path, entries.malformed - malformed);
    if (count > 0) await this.#give({ entries: slot.writer.take(), count, chain });
    if (entries.line !== line) this.#commit(entries, start);
    if (at === 0 && this.#rest.length >= SLOT_BYTES) return this.#passNuls(entries);
    this.#rest = this.#rest.subarray(at);
    return count > 0;
  }

  /** What a line does not need is there for the next. */
  #payFor(lines: number): number {
    const bytes = Math.min(lines / PACKED_PER_BYTE, this.bytesRead - this.#paid);
    this.#paid += bytes;
    return bytes;
  }

  /** Nobody writes in their place any more. */
  #passNuls(entries: FileEntries): false {
    // What follows them may be the beginning of a record, of which the rest is not unpacked yet.
    const nuls = Math.max(0, nulsIn(this.#rest) - entries.headBytes);
    const length = nuls - (nuls % 2);
    entries.pass(this.#rest.subarray(0, length));
    spendNuls(this.#options.budget, length);
    this.#rest = this.#rest.subarray(length);
    return false;
  }

  #commit(entries: FileEntries, start: number): void {
    const { generation } = this;
    const end = entries.line.offset - start;
    generation.place = entries.line;
    generation.tail = tailOf(this.#rest.subarray(Math.max(0, end - CHECK_BYTES), end));
    generation.size = Math.max(generation.size, entries.line.offset);
    this.#options.changed(generation);
  }

  async #last(slot: Slot): Promise<void> {
    if (this.#entries === null && this.#rest.length > 0) this.#begin();
    const entries = this.#entries;
    if (entries === null || this.#rest.every((byte) => byte === 0)) return;
    while ((await this.#take(slot)) || entries.passesTorn(this.#rest, 0, this.#rest.length));
    const { generation } = this;
    const end = entries.offset + this.#rest.length;
    if (this.#rest.length === 0 || end <= generation.unfinishedEnd) return;
    const { chain } = entries;
    this.#options.malformed(this.path, writeRest(entries, slot.writer, this.#rest));
    await this.#give({ entries: slot.writer.take(), count: 1, chain });
    generation.unfinishedEnd = end;
    generation.size = Math.max(generation.size, end);
    this.#options.changed(generation);
  }

  async #give(run: { entries: Uint8Array; count: number; chain: Uint8Array }): Promise<void> {
    await this.#options.delivery.give({ tag: this.#options.tag, ...run });
    this.lines += run.count;
  }
}
