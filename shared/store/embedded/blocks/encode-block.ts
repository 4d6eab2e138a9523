// Documents → a block: a head, large parts beside it, and a filter of its words. Each is compressed by itself (zstd),
// so that a search reads what it needs and no more. Pure.
//
//   head      directory length (u32) | directory (JSON) | small parts, one after another        compressed
//   part n    one large part                                                                    compressed
//   parts     0: what is known of each document (known-columns.ts)   1: names (document-ids.ts)
//             from 2 on: a column each (column.ts)
//
// `decode-block.ts` is its mirror.

import { isAscii } from 'node:buffer';
import { zstdCompressSync, constants } from 'node:zlib';
import { nanosOf, secondsOf } from '../../instant.ts';
import { type ColumnForm, type EncodedColumn, encodeColumn, type Known, MESSAGE, WORDLESS } from './column.ts';
import { encodeRuns, namesOf, runsOf } from './document-ids.ts';
import { encodeKnown, type KnownNumbers } from './parts/known-columns.ts';
import { ShapeBook } from './shape-book.ts';
import { ShapeCache, type TakenApart } from './shape-cache.ts';
import { WHOLE } from './shapes.ts';
import { addWordsOfAscii, addWordsOfToken, HashSet, hashOfOrigin, makeFilter } from './word-filter.ts';

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

/** zlib works in steps of its output. */
const CHUNK_BYTES_MIN = 1024;
/** Of a part that is kept beside the head. */
const LARGE_BYTES = 8192;
/** A block of fewer documents, or of less text, has no filter. */
const FILTERED_DOCUMENTS = 64;
const FILTERED_LENGTH = 16 * 1024;
const BACKSLASH = 0x5c;
export const NOT_CREATED = -1;

export function encodeBlock(documents: readonly BlockDocument[]): EncodedBlock {
  const values = new DocumentValues(documents);
  const { book } = values;
  const length = documents.reduce((sum, { text }) => sum + text.length, 0);
  const hashes = isFiltered(documents.length, length) ? emptyHashes() : null;
  const parts = new PartList();
  parts.add(encodeKnown({ ...knownOf(documents), shape: values.numbers }));
  parts.add(encodeRuns(runsOf(namesOf(documents.map(({ id }) => id)))));
  const columns = book.paths.map((path, column) => {
    const owners = () => documents.filter((_, i) => values.has(i, column));
    const messages = () => messagesOf(documents, values);
    const encoded = encodeColumn(path, values.tokens(column), { owners, messages });
    parts.add(encoded.bytes);
    if (hashes !== null && !WORDLESS.has(path)) addTokens(encoded, hashes);
    return { path, form: encoded.form };
  });
  if (hashes !== null)
    for (const origin of new Set(documents.map((each) => each.origin))) hashes.add(hashOfOrigin(origin));
  return {
    ...parts.packed({ documents: documents.length, shapes: book.shapes, columns }),
    filter: hashes === null ? null : makeFilter(hashes),
  };
}

/** Of each document that has one. */
function messagesOf(documents: readonly BlockDocument[], values: DocumentValues): ReadonlyMap<Known, string> {
  const column = values.book.paths.indexOf(MESSAGE);
  const tokens = values.tokens(column);
  return new Map(documents.filter((_, i) => values.has(i, column)).map((owner, i) => [owner, tokens[i] ?? '']));
}

/** Each is compressed when it is added, or copied. */
export class PartList {
  readonly #beside = new Map<number, Uint8Array>();
  readonly #small: Uint8Array[] = [];
  readonly #listed: [number, number | null][] = [];

  add(part: Uint8Array): void {
    const isLarge = part.length >= LARGE_BYTES;
    if (isLarge) this.#beside.set(this.#beside.size + 1, compressed(part));
    else this.#small.push(Buffer.from(part));
    this.#listed.push([part.length, isLarge ? this.#beside.size : null]);
  }

  packed(directory: Omit<Directory, 'parts'>): Omit<EncodedBlock, 'filter'> {
    const json = Buffer.from(JSON.stringify({ ...directory, parts: this.#listed } satisfies Directory));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    return { head: compressed(Buffer.concat([length, json, ...this.#small])), beside: this.#beside };
  }
}

/** Told how much comes, zstd takes tables of that size, and tells it to whoever decompresses. */
function compressed(bytes: Uint8Array): Uint8Array {
  const options: Parameters<typeof zstdCompressSync>[1] & { readonly pledgedSrcSize: number } = {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    pledgedSrcSize: bytes.length,
    // Columns shrink to less than a third. What does not takes another step.
    chunkSize: Math.max(CHUNK_BYTES_MIN, Math.ceil(bytes.length / 3)),
  };
  return zstdCompressSync(bytes, options);
}

/** `length`: of all documents. */
export const isFiltered = (documents: number, length: number): boolean =>
  documents >= FILTERED_DOCUMENTS || length >= FILTERED_LENGTH;

const hashes = new HashSet();

/** Until the next block is made. */
export function emptyHashes(): HashSet {
  hashes.clear();
  return hashes;
}

export function addTokens({ form, bytes, tokens, areStrings }: EncodedColumn, hashes: HashSet): void {
  // Strings that say what is written.
  const isPlain = form.form === 'text' && isAscii(bytes) && !bytes.includes(BACKSLASH) && areStrings();
  if (isPlain) addWordsOfAscii(bytes, hashes);
  else for (const token of tokens) addWordsOfToken(token, hashes);
}

function knownOf(documents: readonly BlockDocument[]): Omit<KnownNumbers, 'shape'> {
  const seconds = documents.map(({ time }) => secondsOf(time));
  const createdSeconds = documents.map(({ created }) => (created === null ? NOT_CREATED : secondsOf(created)));
  return {
    row: documents.map(({ row }) => row),
    seconds,
    nanos: documents.map(({ time }, i) => nanosOf(time, seconds[i] ?? 0)),
    sequence: documents.map(({ sequence }) => sequence),
    ingested: documents.map(({ ingestedMs }) => ingestedMs),
    createdSeconds,
    createdNanos: documents.map(({ created }, i) => (created === null ? 0 : nanosOf(created, createdSeconds[i] ?? 0))),
    origin: documents.map(({ origin }) => origin),
  };
}

/** What each document has in each column. */
class DocumentValues {
  readonly book = new ShapeBook();
  /** The shape of each document. */
  readonly numbers: number[] = [];
  readonly #values: (readonly string[])[] = [];

  constructor(documents: readonly BlockDocument[]) {
    const cache = new ShapeCache();
    for (const document of documents) {
      const { shape, values } = document.apart ?? cache.take(document.text) ?? wholeOf(document);
      const number = this.book.numberOf(shape);
      this.numbers.push(number);
      // There may have been too many shapes.
      this.#values.push(this.book.isWhole(number) ? [document.text] : values);
    }
  }

  /** Whether this document has a token in this column. */
  has(document: number, column: number): boolean {
    return this.book.shapes[this.numbers[document] ?? 0]?.columns.includes(column) === true;
  }

  /** Of the documents that have one, in their order. */
  tokens(column: number): string[] {
    const places = this.book.placesOf(column);
    const tokens: string[] = [];
    for (let i = 0; i < this.#values.length; i++) {
      const place = places[this.numbers[i] ?? 0] ?? -1;
      if (place >= 0) tokens.push(this.#values[i]?.[place] ?? '');
    }
    return tokens;
  }
}

const wholeOf = ({ text }: BlockDocument): TakenApart => ({ shape: WHOLE, values: [text] });
