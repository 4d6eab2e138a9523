// The tokens of a column of a block. Each becomes a string when somebody asks for it: a search looks at few documents
// of most blocks, and strings for all of them would cost more than all else that it does. Pure.

export type Tokens = MadeTokens | LineTokens | DictionaryTokens;

const NEWLINE = '\n';
/** So many are asked for before all of them are made. */
const ONE_BY_ONE = 32;

/** Of a string beside its characters, and its place in an array. */
const STRING_BYTES = 32;
/** A column as strings, which may have two bytes for each character. */
const TEXT_FACTOR = 3;

/** They follow from something else. */
export class MadeTokens {
  readonly form = 'made';
  readonly count: number;
  readonly at: (ordinal: number) => string;
  /** A column that it is made of, and that nobody else has. */
  readonly of: LineTokens | null;

  constructor(count: number, at: (ordinal: number) => string, of: LineTokens | null = null) {
    this.count = count;
    this.at = at;
    this.of = of;
  }

  /** Memory that it takes by now, about; so of the others. */
  get keptBytes(): number {
    return this.of?.keptBytes ?? 0;
  }
}

/** One a line. */
export class LineTokens {
  readonly form = 'text';
  readonly count: number;
  /** UTF-8. */
  readonly bytes: Buffer;
  #ends: Int32Array | null = null;
  #all: readonly string[] | null = null;
  #asked = 0;

  constructor(bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.count = count;
  }

  get keptBytes(): number {
    const ends = this.#ends?.byteLength ?? 0;
    return this.#all === null
      ? this.bytes.length + ends
      : TEXT_FACTOR * this.bytes.length + STRING_BYTES * this.count + ends;
  }

  at(ordinal: number): string {
    if (this.#all !== null || ++this.#asked > ONE_BY_ONE) return this.all()[ordinal] ?? '';
    const ends = (this.#ends ??= endsOf(this.bytes, this.count));
    const start = ordinal === 0 ? 0 : (ends[ordinal - 1] ?? 0) + 1;
    return this.bytes.toString('utf8', start, ends[ordinal]);
  }

  all(): readonly string[] {
    return (this.#all ??= this.bytes.toString().split(NEWLINE));
  }
}

/** One of a few. */
export class DictionaryTokens {
  readonly form = 'dictionary';
  readonly entries: readonly string[];
  readonly indexes: Uint8Array;
  readonly keptBytes: number;

  get count(): number {
    return this.indexes.length;
  }

  constructor(entries: readonly string[], indexes: Uint8Array) {
    this.entries = entries;
    this.indexes = indexes;
    this.keptBytes = entries.reduce((sum, { length }) => sum + STRING_BYTES + 2 * length, indexes.length);
  }

  at(ordinal: number): string {
    return this.entries[this.indexes[ordinal] ?? 0] ?? '';
  }
}

/** Where each line ends. */
function endsOf(bytes: Buffer, count: number): Int32Array {
  // No byte of another character is a newline, and the engine looks for one in such a string as fast as it can read.
  const text = bytes.toString('latin1');
  const ends = new Int32Array(count).fill(bytes.length);
  let end = text.indexOf(NEWLINE);
  for (let line = 0; line < count && end >= 0; line++) {
    ends[line] = end;
    end = text.indexOf(NEWLINE, end + 1);
  }
  return ends;
}
