// A block → its documents, and what a search asks of it. Every part is decoded when it is first asked for. The mirror
// of encode-block.ts; pure.

import { zstdDecompressSync } from 'node:zlib';
import { type ColumnForm, decodeColumn, type Known, MESSAGE } from './column.ts';
import { decodeRuns, idOf, type NameRun } from './document-ids.ts';
import { type BlockDocument, type Directory, NOT_CREATED } from './encode-block.ts';
import type { Tokens } from './parts/column-tokens.ts';
import { KnownColumns } from './parts/known-columns.ts';
import type { TakenApart } from './shape-cache.ts';
import type { Shape } from './shapes.ts';

const NS_PER_SECOND = 1_000_000_000n;
/** zlib goes on while what it writes to is full; and it takes no less. */
const SPARE_BYTES = 64;
/** What objects take that are made of so many bytes of the directory, and a run of names. */
const HEAD_FACTOR = 4;
const RUN_BYTES = 128;

export interface ColumnOf {
  readonly path: string | null;
  readonly form: ColumnForm;
  readonly tokens: Tokens;
  /** Numbers of the documents that have it, in order. */
  readonly owners: Int32Array;
}

export class BlockReader {
  readonly documents: number;
  readonly #headBytes: number;
  readonly known: KnownColumns;
  /** Of its columns. */
  readonly paths: readonly (string | null)[];
  readonly #directory: Directory;
  readonly #small: Buffer;
  readonly #beside: (number: number) => Uint8Array;
  readonly #columns = new Map<number, ColumnOf>();
  readonly #shapes: Shape[] = [];
  #messageColumn: number | null = null;
  #runs: NameRun[] | null = null;
  #runEnds: Int32Array | null = null;
  /** Numbers of all documents. */
  #all: Int32Array | null = null;

  /** `beside`: the compressed part of this number. */
  constructor(head: Uint8Array, beside: (number: number) => Uint8Array) {
    const bytes = zstdDecompressSync(head);
    const start = 4 + bytes.readUInt32LE(0);
    // What encodeBlock wrote.
    this.#directory = JSON.parse(bytes.toString('utf8', 4, start)) as Directory;
    this.#headBytes = bytes.length;
    this.#small = bytes.subarray(start);
    this.#beside = beside;
    this.documents = this.#directory.documents;
    this.paths = this.#directory.columns.map(({ path }) => path);
    this.known = new KnownColumns(this.#part(0), this.documents);
  }

  /** Memory that it takes by now, about. */
  get keptBytes(): number {
    let bytes = HEAD_FACTOR * this.#headBytes + this.known.keptBytes + RUN_BYTES * (this.#runs?.length ?? 0);
    for (const { tokens, owners } of this.#columns.values()) bytes += tokens.keptBytes + owners.byteLength;
    return bytes;
  }

  get shapes(): Directory['shapes'] {
    return this.#directory.shapes;
  }

  column(number: number): ColumnOf {
    const decoded = this.#columns.get(number);
    if (decoded !== undefined) return decoded;
    const listed = this.#directory.columns[number];
    if (listed === undefined) throw new Error(`a block has no column ${number}`);
    const owners = this.#ownersOf(number);
    const known = (ordinal: number) => this.#knownOf(owners[ordinal] ?? 0);
    const message = (ordinal: number) => this.#message(owners[ordinal] ?? 0);
    const tokens = decodeColumn(listed.form, this.#part(number + 2), { count: owners.length, known, message });
    const column = { path: listed.path, form: listed.form, tokens, owners };
    this.#columns.set(number, column);
    return column;
  }

  /** Whatever is damaged is found. */
  decodeAll(): void {
    for (const number of this.paths.keys()) this.column(number);
    this.#names();
  }

  document(row: number): BlockDocument {
    const apart = this.#apart(row);
    return {
      id: this.id(row),
      row: this.known.row[row] ?? 0,
      origin: this.known.origin[row] ?? 0,
      text: textOf(apart),
      apart,
      ...this.#knownOf(row),
    };
  }

  id(row: number): string {
    const { runs, ends } = this.#names();
    let low = 0;
    let high = runs.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] ?? 0) > row) high = middle;
      else low = middle + 1;
    }
    const run = runs[low];
    if (run === undefined) throw new Error(`a block has no document ${row}`);
    const start = low === 0 ? 0 : (ends[low - 1] ?? 0);
    return idOf({ key: run.key, index: run.first + row - start });
  }

  /** The names of all documents. */
  runs(): readonly NameRun[] {
    return this.#names().runs;
  }

  text(row: number): string {
    return textOf(this.#apart(row));
  }

  timeOf(row: number): bigint {
    return BigInt(this.known.seconds[row] ?? 0) * NS_PER_SECOND + BigInt(this.known.nanos[row] ?? 0);
  }

  createdOf(row: number): bigint | null {
    const seconds = this.known.createdSeconds[row] ?? NOT_CREATED;
    if (seconds === NOT_CREATED) return null;
    return BigInt(seconds) * NS_PER_SECOND + BigInt(this.known.createdNanos[row] ?? 0);
  }

  #apart(row: number): TakenApart {
    const number = this.known.shape[row] ?? 0;
    const listed = this.#directory.shapes[number];
    if (listed === undefined) throw new Error(`a block has no document ${row}`);
    const shape = (this.#shapes[number] ??= {
      pieces: listed.pieces,
      paths: listed.columns.map((each) => this.#path(each)),
    });
    const values = listed.columns.map((each) => tokenOf(this.column(each), row));
    return { shape, values };
  }

  #path(column: number): string | null {
    return this.#directory.columns[column]?.path ?? null;
  }

  #message(row: number): string {
    this.#messageColumn ??= this.paths.indexOf(MESSAGE);
    return tokenOf(this.column(this.#messageColumn), row);
  }

  #knownOf(row: number): Known {
    return {
      time: this.timeOf(row),
      sequence: this.known.sequence[row] ?? 0,
      ingestedMs: this.known.ingested[row] ?? 0,
      created: this.createdOf(row),
    };
  }

  #names(): { readonly runs: readonly NameRun[]; readonly ends: Int32Array } {
    this.#runs ??= decodeRuns(this.#part(1));
    if (this.#runEnds === null) {
      let end = 0;
      this.#runEnds = Int32Array.from(this.#runs, ({ first, last }) => (end += last - first + 1));
    }
    return { runs: this.#runs, ends: this.#runEnds };
  }

  #ownersOf(number: number): Int32Array {
    const having = this.#directory.shapes.map(({ columns }) => columns.includes(number));
    const { shape } = this.known;
    let count = 0;
    for (const each of shape) if (having[each] === true) count += 1;
    if (count === this.documents) return (this.#all ??= Int32Array.from({ length: count }, (_, row) => row));
    // No longer than need be: there may be some hundred columns.
    const owners = new Int32Array(count);
    let at = 0;
    for (let row = 0; row < this.documents; row++) if (having[shape[row] ?? 0] === true) owners[at++] = row;
    return owners;
  }

  #part(part: number): Uint8Array {
    const [bytes, beside] = this.#directory.parts[part] ?? [0, null];
    // At once: in steps, as zlib would, it is copied together at the end.
    if (beside !== null) return zstdDecompressSync(this.#beside(beside), { chunkSize: bytes + SPARE_BYTES });
    let at = 0;
    for (const [before, elsewhere] of this.#directory.parts.slice(0, part)) if (elsewhere === null) at += before;
    return this.#small.subarray(at, at + bytes);
  }
}

/** The token of a document that has one. */
function tokenOf({ tokens, owners }: ColumnOf, row: number): string {
  if (owners[row] === row) return tokens.at(row);
  let low = 0;
  let high = owners.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((owners[middle] ?? 0) < row) low = middle + 1;
    else high = middle;
  }
  return tokens.at(low);
}

function textOf({ shape, values }: TakenApart): string {
  let text = shape.pieces[0] ?? '';
  for (let i = 0; i < values.length; i++) text += (values[i] ?? '') + (shape.pieces[i + 1] ?? '');
  return text;
}
