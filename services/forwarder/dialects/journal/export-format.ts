// The Journal Export Format (https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-export-format), cut into entries as its
// bytes come.
//
//   MESSAGE=hello⏎                              a text field
//   MESSAGE⏎ <size: u64, little-endian> <bytes> ⏎   any bytes, line breaks too
//   ⏎                                           an empty line ends an entry
//
// Guarantees: pure, total; no byte is looked at twice; an entry past the limits is refused before more of it is held;
// between entries nothing is held; what an entry gives is valid until the next push.

import { StreamBytes } from '../../decode/stream-bytes.ts';

export type ExportResult =
  | { readonly kind: 'entry'; readonly fields: readonly JournalField[]; readonly bytes: number }
  | { readonly kind: 'need_more' }
  | { readonly kind: 'malformed'; readonly why: string }
  | { readonly kind: 'too_large' };

/** A name may be there several times. */
export interface JournalField {
  readonly name: string;
  readonly value: Buffer;
}

export interface ExportLimits {
  readonly entryBytesMax: number;
}

/** systemd's own limit is 1024. */
const FIELDS_MAX = 2048;
/** What is kept of a field beside its bytes, its name among it. */
const FIELD_OVERHEAD_BYTES = 128;
/** systemd's own limit is 64. */
const NAME_BYTES_MAX = 256;
const LINE_FEED = 0x0a;
const EQUALS = 0x3d;
const SIZE_BYTES = 8;
const NEED_MORE: ExportResult = { kind: 'need_more' };

export class ExportScanner {
  readonly #entryBytesMax: number;
  /** The entry in hand, and what follows it. */
  readonly #stream = new StreamBytes();
  /** Where the next field begins, and from where on its line has not been looked at; in the stream's bytes. */
  #at = 0;
  #seen = 0;
  /** Name and place of the fields of the entry in hand, relative to its beginning. */
  #fields: { name: string; from: number; to: number }[] = [];
  #nameBytes = 0;
  #broken: ExportResult | null = null;
  /** That came whole. */
  entries = 0;

  constructor({ entryBytesMax }: ExportLimits) {
    this.#entryBytesMax = entryBytesMax;
  }

  /** Of the entry that was begun; 0 between entries. */
  get bytesHeld(): number {
    return this.#stream.length + this.#fields.length * FIELD_OVERHEAD_BYTES + this.#nameBytes;
  }

  /** What is held of the entry in hand, as it came; valid until the next push. */
  get unfinished(): Buffer {
    return this.#stream.bytes.subarray(this.#stream.from, this.#stream.to);
  }

  /** Whether the stream may end here. */
  get isBetweenEntries(): boolean {
    return this.#fields.length === 0 && this.#at === this.#stream.to;
  }

  /** Adds the next piece. All entries of the pieces before must be out: `next` said need_more. */
  push(piece: Buffer): void {
    this.#moved(this.#stream.push(piece));
  }

  /** The next entry. After malformed or too_large nothing else comes. */
  next(): ExportResult {
    while (this.#broken === null) {
      const feed = this.#stream.indexOf(LINE_FEED, this.#seen);
      if (feed < 0) {
        this.#seen = this.#stream.to;
        return this.#pause();
      }
      this.#seen = feed;
      if (feed === this.#at) {
        const entry = this.#takeEntry();
        if (entry) return entry;
      } else if (!this.#field(feed)) {
        return this.#pause();
      }
    }
    return this.#broken;
  }

  /** The field whose first line ends at `feed`; false if more bytes are needed, or if it is not a field. */
  #field(feed: number): boolean {
    const { bytes, to: end } = this.#stream;
    const equals = bytes.subarray(this.#at, Math.min(feed, this.#at + NAME_BYTES_MAX + 1)).indexOf(EQUALS);
    const nameEnd = equals < 0 ? feed : this.#at + equals;
    if (nameEnd - this.#at > NAME_BYTES_MAX)
      return this.#break(`the name of a field is longer than ${NAME_BYTES_MAX} bytes`);
    if (nameEnd === this.#at) return this.#break('a field has no name');
    if (this.#fields.length === FIELDS_MAX) return this.#break(`an entry has more than ${FIELDS_MAX} fields`);
    const name = bytes.toString('latin1', this.#at, nameEnd);
    if (equals >= 0) return this.#add(name, nameEnd + 1, feed);
    const sizeAt = feed + 1;
    if (end - sizeAt < SIZE_BYTES) return false;
    const size = bytes.readBigUInt64LE(sizeAt);
    if (size > this.#entryBytesMax) return this.#tooLarge();
    const from = sizeAt + SIZE_BYTES;
    const to = from + Number(size);
    if (to >= end) return false;
    if (bytes[to] !== LINE_FEED) return this.#break('a field is longer than its size says');
    return this.#add(name, from, to);
  }

  #add(name: string, from: number, to: number): boolean {
    const start = this.#stream.from;
    this.#fields.push({ name, from: from - start, to: to - start });
    this.#nameBytes += name.length;
    this.#at = to + 1;
    this.#seen = this.#at;
    return true;
  }

  /** Null where there is nothing before the empty line. */
  #takeEntry(): ExportResult | null {
    const { bytes, from: start } = this.#stream;
    const fields = this.#fields.map(({ name, from, to }) => ({
      name,
      value: bytes.subarray(start + from, start + to),
    }));
    this.#fields = [];
    this.#nameBytes = 0;
    this.#at += 1;
    this.#seen = this.#at;
    this.#stream.from = this.#at;
    if (fields.length === 0) return null;
    this.entries += 1;
    return { kind: 'entry', fields, bytes: this.#at - start };
  }

  #pause(): ExportResult {
    if (this.#broken === null && this.#stream.length > this.#entryBytesMax) this.#tooLarge();
    if (this.#broken === null) this.#moved(this.#stream.pause());
    return this.#broken ?? NEED_MORE;
  }

  #moved(by: number): void {
    this.#at -= by;
    this.#seen -= by;
  }

  #break(why: string): false {
    this.#broken = { kind: 'malformed', why };
    return false;
  }

  #tooLarge(): false {
    this.#broken = { kind: 'too_large' };
    return false;
  }
}
