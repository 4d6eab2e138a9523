// The Journal Export Format (https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-export-format), cut into entries as its bytes come.
//
//   MESSAGE=hello⏎                              a text field
//   MESSAGE⏎ <size: u64, little-endian> <bytes> ⏎   any bytes, line breaks too
//   ⏎                                           an empty line ends an entry
//
// Guarantees: pure, total; no byte is looked at twice; an entry past the limits is refused before more of it is held; what an entry
// gives is valid until the next push.

export type ExportResult =
  | { readonly kind: 'entry'; readonly fields: readonly JournalField[] }
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
/** systemd's own limit is 64. */
const NAME_BYTES_MAX = 256;
const LINE_FEED = 0x0a;
const EQUALS = 0x3d;
const SIZE_BYTES = 8;
const CAPACITY_FIRST = 128 * 1024;
const NEED_MORE: ExportResult = { kind: 'need_more' };

export class ExportScanner {
  readonly #entryBytesMax: number;
  /** bytes[start, end) are held: the entry in hand, and what follows it. */
  #bytes = Buffer.allocUnsafeSlow(CAPACITY_FIRST);
  #start = 0;
  #end = 0;
  /** Where the next field begins, and from where on its line has not been looked at. */
  #at = 0;
  #seen = 0;
  /** Name and place of the fields of the entry in hand, relative to `#start`. */
  #fields: { name: string; from: number; to: number }[] = [];
  #broken: ExportResult | null = null;

  constructor({ entryBytesMax }: ExportLimits) {
    this.#entryBytesMax = entryBytesMax;
  }

  /** Bytes that are held. */
  get bytesHeld(): number {
    return this.#bytes.length;
  }

  /** Whether the stream may end here. */
  get isBetweenEntries(): boolean {
    return this.#fields.length === 0 && this.#at === this.#end;
  }

  /** Adds the next piece. All entries of the pieces before must be out: `next` said need_more. */
  push(piece: Buffer): void {
    this.#moveDown(piece.length);
    piece.copy(this.#bytes, this.#end);
    this.#end += piece.length;
  }

  /** The next entry. After malformed or too_large nothing else comes. */
  next(): ExportResult {
    while (this.#broken === null) {
      const feed = this.#bytes.subarray(0, this.#end).indexOf(LINE_FEED, this.#seen);
      if (feed < 0) {
        this.#seen = this.#end;
        return this.#pause();
      }
      this.#seen = feed;
      if (feed === this.#at) {
        const fields = this.#takeEntry();
        if (fields.length > 0) return { kind: 'entry', fields };
      } else if (!this.#field(feed)) {
        return this.#pause();
      }
    }
    return this.#broken;
  }

  /** The field whose first line ends at `feed`; false where more bytes are needed, or it is none. */
  #field(feed: number): boolean {
    const bytes = this.#bytes;
    const equals = bytes.subarray(this.#at, Math.min(feed, this.#at + NAME_BYTES_MAX + 1)).indexOf(EQUALS);
    const nameEnd = equals < 0 ? feed : this.#at + equals;
    if (nameEnd - this.#at > NAME_BYTES_MAX)
      return this.#break(`the name of a field is longer than ${NAME_BYTES_MAX} bytes`);
    if (nameEnd === this.#at) return this.#break('a field has no name');
    if (this.#fields.length === FIELDS_MAX) return this.#break(`an entry has more than ${FIELDS_MAX} fields`);
    const name = bytes.toString('latin1', this.#at, nameEnd);
    if (equals >= 0) return this.#add(name, nameEnd + 1, feed);
    const sizeAt = feed + 1;
    if (this.#end - sizeAt < SIZE_BYTES) return false;
    const size = bytes.readBigUInt64LE(sizeAt);
    if (size > this.#entryBytesMax) return this.#tooLarge();
    const from = sizeAt + SIZE_BYTES;
    const to = from + Number(size);
    if (to >= this.#end) return false;
    if (bytes[to] !== LINE_FEED) return this.#break('a field is longer than its size says');
    return this.#add(name, from, to);
  }

  #add(name: string, from: number, to: number): boolean {
    this.#fields.push({ name, from: from - this.#start, to: to - this.#start });
    this.#at = to + 1;
    this.#seen = this.#at;
    return true;
  }

  #takeEntry(): JournalField[] {
    const start = this.#start;
    const entry = this.#fields.map(({ name, from, to }) => ({
      name,
      value: this.#bytes.subarray(start + from, start + to),
    }));
    this.#fields = [];
    this.#at += 1;
    this.#seen = this.#at;
    this.#start = this.#at;
    return entry;
  }

  #pause(): ExportResult {
    if (this.#broken === null && this.#end - this.#start > this.#entryBytesMax) this.#tooLarge();
    return this.#broken ?? NEED_MORE;
  }

  /** Makes room behind what is held; moves only what belongs to the entry in hand. */
  #moveDown(size: number): void {
    const held = this.#end - this.#start;
    if (this.#end + size <= this.#bytes.length) return;
    const fits = held + size <= this.#bytes.length / 2 || held + size <= CAPACITY_FIRST;
    const target = fits ? this.#bytes : Buffer.allocUnsafeSlow(2 * (held + size));
    this.#bytes.copy(target, 0, this.#start, this.#end);
    this.#bytes = target;
    this.#at -= this.#start;
    this.#seen -= this.#start;
    this.#start = 0;
    this.#end = held;
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
