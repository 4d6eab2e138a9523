// Documents of a bulk request, as they lie in its body, → a block: what encode-block.ts makes of documents one by one,
// at a fraction of the cost. No text is decoded, and columns are gathered from the body's bytes. Pure.
//
// Guarantees: the same bytes as encode-block.ts has for the same documents.

import { type ByteColumn, bytesAround, bytesOfTokens, type TokenPlaces } from './byte-column.ts';
import {
  DERIVED,
  type Derived,
  type EncodedColumn,
  encodeColumn,
  type Known,
  LINE,
  MESSAGE,
  WORDLESS,
} from './column.ts';
import { encodeRuns, type NameRun } from './document-ids.ts';
import { addTokens, emptyHashes, type EncodedBlock, isFiltered, NOT_CREATED, PartList } from './encode-block.ts';
import { encodeKnown } from './parts/known-columns.ts';
import { ShapeBook } from './shape-book.ts';
import type { Shape } from './shapes.ts';
import { hashOfOrigin, makeFilter } from './word-filter.ts';

const NS_PER_SECOND = 1_000_000_000n;
const DERIVED_FROM = ['time', 'ingested', 'created', 'sequence'] as const satisfies readonly Derived[];
/** Of a field that is written in another form than a block would make of it. */
export const ANY_FORM = -1;
const PLACES_START = 32;
const QUOTE = 0x22;
const NOBODY: Known = { time: 0n, sequence: 0, ingestedMs: 0, created: null };

/** Documents in the body of a bulk request: where each value is, and what a block has to know of each. */
export class DocumentBatch implements Disposable {
  /** UTF-8. */
  readonly body: Buffer;
  /** Of the body: some bytes at once. */
  readonly view: DataView;
  /** Start and end of each document in the body. */
  readonly bounds: Uint32Array;
  readonly shapes: Shape[] = [];
  /** Start and end of each value of each document, in the body. */
  places: Int32Array<ArrayBuffer>;
  /** Where those of each document begin. */
  readonly first: Int32Array<ArrayBuffer>;
  readonly seconds: Float64Array<ArrayBuffer>;
  readonly nanos: Float64Array<ArrayBuffer>;
  readonly sequence: Float64Array<ArrayBuffer>;
  readonly ingested: Float64Array<ArrayBuffer>;
  /** NOT_CREATED where there is none. */
  readonly createdSeconds: Float64Array<ArrayBuffer>;
  readonly createdNanos: Float64Array<ArrayBuffer>;
  /** Of the fraction of each of DERIVED_FROM as it is written, or ANY_FORM; four for each document. */
  readonly digits: Int8Array<ArrayBuffer>;

  constructor(body: Buffer, bounds: Uint32Array) {
    const count = bounds.length / 2;
    const numbers = (): Float64Array<ArrayBuffer> => new Float64Array(count);
    this.body = body;
    this.view = new DataView(body.buffer, body.byteOffset, body.length);
    this.bounds = bounds;
    this.places = new Int32Array(count * PLACES_START);
    this.first = new Int32Array(count);
    this.digits = new Int8Array(count * DERIVED_FROM.length);
    [this.seconds, this.nanos, this.sequence, this.ingested] = [numbers(), numbers(), numbers(), numbers()];
    [this.createdSeconds, this.createdNanos] = [numbers(), numbers()];
  }

  growPlaces(needed: number): void {
    const grown = new Int32Array(Math.max(needed, 2 * this.places.length));
    grown.set(this.places);
    this.places.buffer.transfer(0);
    this.places = grown;
  }

  /**
   * Gives back what is known of the documents, when all is written: left to the garbage collector, three megabytes of
   * each request would lie about. The body is not its own.
   */
  [Symbol.dispose](): void {
    for (const column of [this.places, this.first, this.digits]) column.buffer.transfer(0);
    for (const column of [this.seconds, this.nanos, this.sequence, this.ingested]) column.buffer.transfer(0);
    for (const column of [this.createdSeconds, this.createdNanos]) column.buffer.transfer(0);
  }

  setDigits(document: number, field: Derived, digits: number): void {
    this.digits[document * DERIVED_FROM.length + DERIVED_FROM.indexOf(field)] = digits;
  }

  textOf(document: number): string {
    return this.body.toString('utf8', this.bounds[2 * document], this.bounds[2 * document + 1]);
  }

  timeOf(document: number): bigint {
    return BigInt(this.seconds[document] ?? 0) * NS_PER_SECOND + BigInt(this.nanos[document] ?? 0);
  }

  createdOf(document: number): bigint | null {
    const seconds = this.createdSeconds[document] ?? NOT_CREATED;
    if (seconds === NOT_CREATED) return null;
    return BigInt(seconds) * NS_PER_SECOND + BigInt(this.createdNanos[document] ?? 0);
  }

  knownOf(document: number): Known {
    return {
      time: this.timeOf(document),
      sequence: this.sequence[document] ?? 0,
      ingestedMs: this.ingested[document] ?? 0,
      created: this.createdOf(document),
    };
  }
}

/** Documents of a batch, in their order. */
export interface Chosen {
  readonly batch: DocumentBatch;
  readonly documents: Int32Array;
  /** Of each of them. */
  readonly rows: Float64Array;
  readonly origins: Float64Array;
  readonly runs: readonly NameRun[];
}

export function encodeBatch(chosen: Chosen): EncodedBlock {
  const { batch, documents, origins } = chosen;
  const book = new ShapeBook();
  const shapes = new Int32Array(documents.length);
  let before: Shape | undefined;
  for (let i = 0; i < documents.length; i++) {
    const shape = batch.shapes[documents[i] ?? 0];
    // Nearly always as the one before.
    if (shape !== undefined) shapes[i] = shape === before ? (shapes[i - 1] ?? 0) : book.numberOf(shape);
    before = shape;
  }
  const hashes = isFiltered(documents.length, lengthOf(chosen)) ? emptyHashes() : null;
  const parts = new PartList();
  parts.add(encodeKnown({ ...knownOf(chosen), shape: shapes }));
  parts.add(encodeRuns(chosen.runs));
  const columns = new Columns(chosen, book, shapes);
  const listed = book.paths.map((path, column) => {
    const encoded = columns.encode(column);
    parts.add(encoded.bytes);
    if (hashes !== null && !WORDLESS.has(path)) addTokens(encoded, hashes);
    return { path, form: encoded.form };
  });
  if (hashes !== null) for (const origin of new Set(origins)) hashes.add(hashOfOrigin(origin));
  return {
    ...parts.packed({ documents: documents.length, shapes: book.shapes, columns: listed }),
    filter: hashes === null ? null : makeFilter(hashes),
  };
}

/** Of all documents, in bytes. */
export function lengthOf({ batch, documents }: Chosen): number {
  let length = 0;
  for (const document of documents) length += (batch.bounds[2 * document + 1] ?? 0) - (batch.bounds[2 * document] ?? 0);
  return length;
}

function knownOf({ batch, documents, rows, origins }: Chosen) {
  const of = (numbers: Float64Array): Float64Array => {
    const chosen = new Float64Array(documents.length);
    for (let i = 0; i < chosen.length; i++) chosen[i] = numbers[documents[i] ?? 0] ?? 0;
    return chosen;
  };
  return {
    row: rows,
    seconds: of(batch.seconds),
    nanos: of(batch.nanos),
    sequence: of(batch.sequence),
    ingested: of(batch.ingested),
    createdSeconds: of(batch.createdSeconds),
    createdNanos: of(batch.createdNanos),
    origin: origins,
  };
}

/** The columns of a block, one after another. */
class Columns {
  readonly #chosen: Chosen;
  readonly #book: ShapeBook;
  /** Number of the shape of each document. */
  readonly #shapes: Int32Array;
  #knowns: readonly Known[] | null = null;

  constructor(chosen: Chosen, book: ShapeBook, shapes: Int32Array) {
    this.#chosen = chosen;
    this.#book = book;
    this.#shapes = shapes;
  }

  encode(column: number): EncodedColumn {
    const path = this.#book.paths[column] ?? null;
    const from = DERIVED.get(path);
    if (from !== undefined) return this.#derived(from, column) ?? this.#fromText(column);
    const owners = this.#owners(column);
    const tokens = this.#placesOf(column, owners);
    if (path !== LINE) return ofBytes(tokens, bytesOfTokens(tokens));
    const around = bytesAround(tokens, this.#placesOf(this.#book.paths.indexOf(MESSAGE), owners));
    return around === null ? this.#fromText(column) : ofBytes(tokens, around);
  }

  #derived(from: Derived, column: number): EncodedColumn | null {
    const { batch, documents } = this.#chosen;
    const place = DERIVED_FROM.indexOf(from);
    let digits: number | undefined;
    for (const i of this.#owners(column)) {
      const own = batch.digits[(documents[i] ?? 0) * DERIVED_FROM.length + place] ?? ANY_FORM;
      if (own === ANY_FORM || own !== (digits ??= own)) return null;
    }
    if (digits === undefined) return null;
    return { form: { form: 'derived', from, digits }, bytes: new Uint8Array(), tokens: [], areStrings: () => false };
  }

  /** As column.ts has it. */
  #fromText(column: number): EncodedColumn {
    const { batch, documents } = this.#chosen;
    this.#knowns ??= Array.from(documents, (document) => batch.knownOf(document));
    const knowns = this.#knowns;
    const owners = this.#owners(column);
    const message = this.#book.paths.indexOf(MESSAGE);
    const known = (of: Int32Array): Known[] => Array.from(of, (i) => knowns[i] ?? NOBODY);
    return encodeColumn(this.#book.paths[column] ?? null, textsOf(this.#placesOf(column, owners)), {
      owners: () => known(owners),
      messages: () => {
        const having = this.#owners(message);
        const texts = textsOf(this.#placesOf(message, having));
        return new Map(known(having).map((owner, i) => [owner, texts[i] ?? '']));
      },
    });
  }

  /** Which of the documents have a value in the column. */
  #owners(column: number): Int32Array {
    const places = this.#book.placesOf(column);
    const owners = new Int32Array(this.#shapes.length);
    let count = 0;
    for (let i = 0; i < owners.length; i++) if ((places[this.#shapes[i] ?? 0] ?? -1) >= 0) owners[count++] = i;
    return owners.subarray(0, count);
  }

  /** -1 where one has none. */
  #placesOf(column: number, owners: Int32Array): TokenPlaces {
    const { batch, documents } = this.#chosen;
    const { body, view, bounds, first, places } = batch;
    const inShape = this.#book.placesOf(column);
    const shapes = this.#shapes;
    const count = owners.length;
    const starts = new Int32Array(count);
    const ends = new Int32Array(count);
    for (let n = 0; n < count; n++) {
      const i = owners[n] ?? 0;
      const document = documents[i] ?? 0;
      const shape = shapes[i] ?? 0;
      const place = inShape[shape] ?? -1;
      if (place < 0) {
        starts[n] = -1;
        ends[n] = -1;
      } else if (this.#book.isWhole(shape)) {
        // It may have been taken apart, and then there were too many shapes.
        starts[n] = bounds[2 * document] ?? 0;
        ends[n] = bounds[2 * document + 1] ?? 0;
      } else {
        const at = (first[document] ?? 0) + 2 * place;
        starts[n] = places[at] ?? 0;
        ends[n] = places[at + 1] ?? 0;
      }
    }
    return { body, view, starts, ends, count };
  }
}

function ofBytes(tokens: TokenPlaces, { form, bytes, entries }: ByteColumn): EncodedColumn {
  // Most are never asked one by one.
  const each = { [Symbol.iterator]: () => textsOf(tokens)[Symbol.iterator]() };
  return { form, bytes, tokens: entries ?? each, areStrings: () => areStrings(tokens) };
}

function areStrings({ body, starts }: TokenPlaces): boolean {
  for (const start of starts) if (body[start] !== QUOTE) return false;
  return true;
}

function textsOf({ body, starts, ends }: TokenPlaces): string[] {
  return Array.from(starts, (start, i) => body.toString('utf8', start, ends[i]));
}
