// The tokens of a column of a block. Each becomes a string when somebody asks for it: a search looks at few documents
// of most blocks, and strings for all of them would cost more than all else that it does. Pure.

export type Tokens = MadeTokens | LineTokens | DictionaryTokens;

const NEWLINE = '\n';
/** So many are asked for before all of them are made. */
const ONE_BY_ONE = 32;

/** They follow from something else. */
export class MadeTokens {
  readonly form = 'made';
  readonly count: number;
  readonly at: (ordinal: number) => string;

  constructor(count: number, at: (ordinal: number) => string) {
    this.count = count;
    this.at = at;
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

  constructor(entries: readonly string[], indexes: Uint8Array) {
    this.entries = entries;
    this.indexes = indexes;
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
