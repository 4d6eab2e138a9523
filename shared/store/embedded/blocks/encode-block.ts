// Documents → a block: a head, large parts beside it, and a filter of its words. Each is compressed by itself (zstd),
// so that a search reads what it needs and no more. Pure.
//
//   head      directory length (u32) | directory (JSON) | small parts, one after another        compressed
//   part n    one large part                                                                    compressed
//   parts     0: what is known of each document (`KNOWN`, columns of integers)   1: names (document-ids.ts)
//             from 2 on: a column each (column.ts)
//
// `decode-block.ts` is its mirror.

import { isAscii } from 'node:buffer';
import { zstdCompressSync, constants } from 'node:zlib';
import { nanosOf, secondsOf } from '../../instant.ts';
import { type ColumnForm, encodeColumn, type Known, MESSAGE, WORDLESS } from './column.ts';
import { encodeRuns, namesOf, runsOf } from './document-ids.ts';
import { encodeIntegers } from './integers.ts';
import { ShapeCache, type TakenApart, textOfShape } from './shape-cache.ts';
import { keyOf, type Shape, WHOLE } from './shapes.ts';
import { isOpaque, visitLeaves } from './tokens.ts';
import { addWords, addWordsOfAscii, HashSet, hashOfOrigin, makeFilter } from './word-filter.ts';

export interface BlockDocument extends Known {
  readonly id: string;
  /** Its number for all time. */
  readonly row: number;
  /** Where it comes from (source-names.ts). */
  readonly origin: number;
  /** A JSON object without a newline. */
  readonly text: string;
  /** The same, where it was done already. */
  readonly apart?: TakenApart | undefined;
}

export interface Directory {
  readonly documents: number;
  readonly shapes: readonly { readonly pieces: readonly string[]; readonly columns: readonly number[] }[];
  readonly columns: readonly { readonly path: string | null; readonly form: ColumnForm }[];
  /** Bytes of each part, and its number where it is beside the head. */
  readonly parts: readonly (readonly [bytes: number, beside: number | null])[];
}

export interface EncodedBlock {
  readonly head: Uint8Array;
  /** Number → compressed bytes; from 1 on. */
  readonly beside: ReadonlyMap<number, Uint8Array>;
  /** Null for a small block: it is looked through as soon. */
  readonly filter: Uint8Array | null;
}

/** Of part 0, in this order. */
export const KNOWN = [
  'row',
  'seconds',
  'nanos',
  'sequence',
  'ingested',
  'createdSeconds',
  'createdNanos',
  'origin',
  'shape',
] as const;

/** Of a part that is kept beside the head. */
const LARGE_BYTES = 8192;
/** A block of fewer documents, or of less text, has no filter. */
const FILTERED_DOCUMENTS = 64;
const FILTERED_LENGTH = 16 * 1024;
const SHAPES_MAX = 128;
const COLUMNS_MAX = 400;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
export const NOT_CREATED = -1;

export function encodeBlock(documents: readonly BlockDocument[]): EncodedBlock {
  const book = new ShapeBook();
  for (const document of documents) book.add(document);
  const length = documents.reduce((sum, { text }) => sum + text.length, 0);
  const hashes = isFiltered(documents.length, length) ? new HashSet() : null;
  const parts: Uint8Array[] = [
    knownPart(documents, book.numbers),
    encodeRuns(runsOf(namesOf(documents.map(({ id }) => id)))),
  ];
  const columns: Directory['columns'][number][] = [];
  for (const [column, path] of book.paths.entries()) {
    const owners = () => documents.filter((_, i) => book.has(i, column));
    const messages = () => messagesOf(documents, book);
    const { form, bytes, tokens } = encodeColumn(path, book.tokens(column), { owners, messages });
    columns.push({ path, form });
    parts.push(bytes);
    if (hashes !== null && !WORDLESS.has(path)) addTokens(form, bytes, tokens, hashes);
  }
  if (hashes !== null)
    for (const origin of new Set(documents.map((each) => each.origin))) hashes.add(hashOfOrigin(origin));
  return {
    ...packed(parts, { documents: documents.length, shapes: book.shapes, columns }),
    filter: hashes === null ? null : makeFilter(hashes),
  };
}

/** Of each document that has one. */
function messagesOf(documents: readonly BlockDocument[], book: ShapeBook): ReadonlyMap<Known, string> {
  const column = book.paths.indexOf(MESSAGE);
  const tokens = book.tokens(column);
  return new Map(documents.filter((_, i) => book.has(i, column)).map((owner, i) => [owner, tokens[i] ?? '']));
}

function packed(parts: readonly Uint8Array[], directory: Omit<Directory, 'parts'>): Omit<EncodedBlock, 'filter'> {
  const beside = new Map<number, Uint8Array>();
  const small: Uint8Array[] = [];
  const listed: [number, number | null][] = [];
  for (const part of parts) {
    const isLarge = part.length >= LARGE_BYTES;
    if (isLarge) beside.set(beside.size + 1, compressed(part));
    else small.push(part);
    listed.push([part.length, isLarge ? beside.size : null]);
  }
  const json = Buffer.from(JSON.stringify({ ...directory, parts: listed } satisfies Directory));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return { head: compressed(Buffer.concat([length, json, ...small])), beside };
}

function compressed(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

function addTokens({ form }: ColumnForm, bytes: Uint8Array, tokens: Iterable<string>, hashes: HashSet): void {
  if (form === 'text' && isPlainText(bytes, tokens)) addWordsOfAscii(bytes, hashes);
  else for (const token of tokens) addWordsOfToken(token, hashes);
}

const isFiltered = (documents: number, length: number): boolean =>
  documents >= FILTERED_DOCUMENTS || length >= FILTERED_LENGTH;

/** Of JSON, every string. */
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/**
 * Every word of its values, and perhaps some more. A list is not parsed for it: there is nothing between its values that
 * belongs to a word, and numbers are meant as they are written.
 */
function addWordsOfToken(token: string, hashes: HashSet): void {
  if (!isOpaque(token)) visitLeaves(token, (text) => addWords(text, hashes));
  else if (!token.includes('\\')) addWords(token, hashes);
  else {
    const rest = token.replaceAll(STRINGS, (string) => {
      if (!string.includes('\\')) return string;
      addWords(keyOf(string), hashes);
      return ' ';
    });
    addWords(rest, hashes);
  }
}

/** Whether they are strings that say what is written. */
function isPlainText(bytes: Uint8Array, tokens: Iterable<string>): boolean {
  if (!isAscii(bytes) || bytes.includes(BACKSLASH)) return false;
  for (const token of tokens) if (token.charCodeAt(0) !== QUOTE) return false;
  return true;
}

function knownPart(documents: readonly BlockDocument[], shapes: readonly number[]): Uint8Array {
  const seconds = documents.map(({ time }) => secondsOf(time));
  const createdSeconds = documents.map(({ created }) => (created === null ? NOT_CREATED : secondsOf(created)));
  const numbers: Record<(typeof KNOWN)[number], ArrayLike<number>> = {
    row: documents.map(({ row }) => row),
    seconds,
    nanos: documents.map(({ time }, i) => nanosOf(time, seconds[i] ?? 0)),
    sequence: documents.map(({ sequence }) => sequence),
    ingested: documents.map(({ ingestedMs }) => ingestedMs),
    createdSeconds,
    createdNanos: documents.map(({ created }, i) => (created === null ? 0 : nanosOf(created, createdSeconds[i] ?? 0))),
    origin: documents.map(({ origin }) => origin),
    shape: shapes,
  };
  const columns = KNOWN.map((name) => encodeIntegers(numbers[name]));
  const lengths = Buffer.alloc(4 * columns.length);
  for (const [i, column] of columns.entries()) lengths.writeUInt32LE(column.length, 4 * i);
  return Buffer.concat([lengths, ...columns]);
}

/** The shapes of a block, and the columns that they share. */
class ShapeBook {
  readonly shapes: { readonly pieces: readonly string[]; readonly columns: readonly number[] }[] = [];
  /** Of each column. */
  readonly paths: (string | null)[] = [];
  /** The shape of each document. */
  readonly numbers: number[] = [];
  readonly #values: (readonly string[])[] = [];
  readonly #numbers = new Map<Shape, number>();
  readonly #byText = new Map<string, number>();
  readonly #byPath = new Map<string | null, number>();
  readonly #cache = new ShapeCache();

  add(document: BlockDocument): void {
    const { shape, values } = document.apart ?? this.#cache.take(document.text) ?? wholeOf(document);
    const number = this.#numberOf(shape);
    this.numbers.push(number ?? this.#numberOf(WHOLE) ?? this.#make(WHOLE));
    this.#values.push(number === undefined ? [document.text] : values);
  }

  /** Whether this document has a token in this column. */
  has(document: number, column: number): boolean {
    return this.shapes[this.numbers[document] ?? 0]?.columns.includes(column) === true;
  }

  /** Of the documents that have one, in their order. */
  tokens(column: number): string[] {
    const places = this.shapes.map(({ columns }) => columns.indexOf(column));
    const tokens: string[] = [];
    for (let i = 0; i < this.#values.length; i++) {
      const place = places[this.numbers[i] ?? 0] ?? -1;
      if (place >= 0) tokens.push(this.#values[i]?.[place] ?? '');
    }
    return tokens;
  }

  /** Undefined where there may be no more. The whole document is a shape that is always taken. */
  #numberOf(shape: Shape): number | undefined {
    const number = this.#numbers.get(shape) ?? this.#byText.get(textOfShape(shape));
    if (number !== undefined) {
      this.#numbers.set(shape, number);
      return number;
    }
    const unknown = shape.paths.filter((path) => !this.#byPath.has(path)).length;
    if (this.shapes.length >= SHAPES_MAX || this.paths.length + unknown > COLUMNS_MAX) return undefined;
    return this.#make(shape);
  }

  #make(shape: Shape): number {
    const number = this.shapes.length;
    this.shapes.push({ pieces: shape.pieces, columns: shape.paths.map((path) => this.#column(path)) });
    this.#numbers.set(shape, number);
    this.#byText.set(textOfShape(shape), number);
    return number;
  }

  #column(path: string | null): number {
    const known = this.#byPath.get(path);
    if (known !== undefined) return known;
    this.#byPath.set(path, this.paths.length);
    return this.paths.push(path) - 1;
  }
}

const wholeOf = ({ text }: BlockDocument): TakenApart => ({ shape: WHOLE, values: [text] });
