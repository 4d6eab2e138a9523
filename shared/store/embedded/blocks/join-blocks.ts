// Small blocks → a larger one, column by column: what encode-block.ts makes of their documents, at a fraction of the
// cost, for no document is put together. Pure.
//
// Guarantees: the same documents in the same order, and every word of them in the filter; null where encode-block.ts is
// the one to ask.

import { DERIVED, type EncodedColumn, encodeColumn, LINE, WORDLESS } from './column.ts';
import type { BlockReader, ColumnOf } from './decode-block.ts';
import { encodeRuns, type NameRun } from './document-ids.ts';
import { addTokens, emptyHashes, type EncodedBlock, isFiltered, PartList } from './encode-block.ts';
import { DictionaryTokens, LineTokens, MadeTokens } from './parts/column-tokens.ts';
import { encodeKnown } from './parts/known-columns.ts';
import { ShapeBook } from './shape-book.ts';
import { hashOfOrigin, makeFilter } from './word-filter.ts';

const ENTRIES_MAX = 256;
/** A column of fewer tokens may have become text for being short. */
const SURELY_TEXT = 128;
const NEWLINE = Buffer.from('\n');
const NEWLINE_BYTE = 0x0a;
const QUOTE = 0x22;
/** Of a block, in the numbers of the one that is made. */
interface Piece {
  readonly reader: BlockReader;
  /** Of each of its shapes. */
  readonly shapes: readonly number[];
}

/** `readers`: in the order of their documents; `length`: of all documents, in characters. */
export function joinBlocks(readers: readonly BlockReader[], length: number): EncodedBlock | null {
  const book = new ShapeBook();
  const pieces = readers.map((reader) => ({ reader, shapes: shapesIn(reader, book) }));
  if (book.paths.includes(null) || !areInOrder(readers)) return null;
  const all = columnsOf(readers);
  const columns = book.paths.map((path) => joinColumn(path, all.get(path) ?? []));
  if (!columns.every((column) => column !== null)) return null;
  const known = knownOf(pieces);
  const documents = known.row.length;
  const hashes = isFiltered(documents, length) ? emptyHashes() : null;
  const parts = new PartList();
  parts.add(encodeKnown(known));
  parts.add(encodeRuns(runsOf(readers)));
  const listed = columns.map((column, number) => {
    const path = book.paths[number] ?? null;
    parts.add(column.bytes);
    if (hashes !== null && !WORDLESS.has(path)) addTokens(column, hashes);
    return { path, form: column.form };
  });
  if (hashes !== null) for (const origin of new Set(known.origin)) hashes.add(hashOfOrigin(origin));
  return {
    ...parts.packed({ documents, shapes: book.shapes, columns: listed }),
    filter: hashes === null ? null : makeFilter(hashes),
  };
}

/** Whole documents have shapes without a path, and come to the book where it takes no more. */
function shapesIn({ shapes, paths }: BlockReader, book: ShapeBook): number[] {
  return shapes.map(({ pieces, columns }) =>
    book.numberOf({ pieces, paths: columns.map((column) => paths[column] ?? null) }),
  );
}

function areInOrder(readers: readonly BlockReader[]): boolean {
  let last = -1;
  for (const { known } of readers) {
    for (const row of known.row) {
      if (row <= last) return false;
      last = row;
    }
  }
  return true;
}

function knownOf(pieces: readonly Piece[]) {
  const all = (of: (piece: Piece) => Float64Array): Float64Array => {
    const columns = pieces.map(of);
    const joined = new Float64Array(columns.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const column of columns) {
      joined.set(column, at);
      at += column.length;
    }
    return joined;
  };
  return {
    row: all(({ reader }) => reader.known.row),
    seconds: all(({ reader }) => reader.known.seconds),
    nanos: all(({ reader }) => reader.known.nanos),
    sequence: all(({ reader }) => reader.known.sequence),
    ingested: all(({ reader }) => reader.known.ingested),
    createdSeconds: all(({ reader }) => reader.known.createdSeconds),
    createdNanos: all(({ reader }) => reader.known.createdNanos),
    origin: all(({ reader }) => reader.known.origin),
    shape: all(({ reader, shapes }) => reader.known.shape.map((number) => shapes[number] ?? 0)),
  };
}

/** Those of a batch that was cut in two are one again where nothing is between them. */
function runsOf(readers: readonly BlockReader[]): NameRun[] {
  const runs: NameRun[] = [];
  for (const reader of readers) {
    for (const run of reader.runs()) {
      const before = runs.at(-1);
      if (before !== undefined && before.last + 1 === run.first && isSameKey(before, run))
        runs[runs.length - 1] = { ...before, last: run.last };
      else runs.push(run);
    }
  }
  return runs;
}

function isSameKey({ key: a }: NameRun, { key: b }: NameRun): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Path → what each block has of it that has some. */
function columnsOf(readers: readonly BlockReader[]): ReadonlyMap<string | null, ColumnOf[]> {
  const all = new Map<string | null, ColumnOf[]>();
  for (const reader of readers) {
    for (const [number, path] of reader.paths.entries()) {
      const column = reader.column(number);
      if (column.owners.length === 0) continue;
      const known = all.get(path);
      if (known === undefined) all.set(path, [column]);
      else known.push(column);
    }
  }
  return all;
}

function joinColumn(path: string | null, columns: readonly ColumnOf[]): EncodedColumn | null {
  if (DERIVED.has(path)) return joinDerived(columns);
  if (path === LINE && columns.some(({ form }) => form.form === 'around')) return joinAround(columns);
  const tokens = columns.map((column) => column.tokens);
  if (tokens.every((each) => each instanceof DictionaryTokens)) return joinDictionaries(tokens) ?? fromTokens(columns);
  const isText = tokens.every((each) => each instanceof LineTokens && each.count >= SURELY_TEXT);
  return isText ? joinLines(tokens as LineTokens[]) : fromTokens(columns);
}

/** They follow from what is known of their documents, if they did before. */
function joinDerived([first, ...others]: readonly ColumnOf[]): EncodedColumn | null {
  const form = first?.form;
  if (form?.form !== 'derived') return null;
  if (others.some(({ form: own }) => own.form !== 'derived' || own.digits !== form.digits)) return null;
  return { form, bytes: new Uint8Array(), tokens: [], areStrings: () => false };
}

function joinAround(columns: readonly ColumnOf[]): EncodedColumn | null {
  const lines: Uint8Array[] = [];
  for (const { form, tokens } of columns) {
    if (form.form !== 'around' || !(tokens instanceof MadeTokens) || tokens.of === null) return null;
    lines.push(tokens.of.bytes);
  }
  return { form: { form: 'around' }, bytes: joined(lines), tokens: [], areStrings: () => false };
}

function joinDictionaries(columns: readonly DictionaryTokens[]): EncodedColumn | null {
  const numbers = new Map<string, number>();
  const indexes = new Uint8Array(columns.reduce((sum, { count }) => sum + count, 0));
  let at = 0;
  for (const { entries, indexes: own } of columns) {
    const places = entries.map((entry) => {
      const known = numbers.get(entry);
      if (known === undefined) numbers.set(entry, numbers.size);
      return known ?? numbers.size - 1;
    });
    if (numbers.size > ENTRIES_MAX) return null;
    for (const index of own) indexes[at++] = places[index] ?? 0;
  }
  const entries = [...numbers.keys()];
  return {
    form: { form: 'dictionary' },
    bytes: Buffer.concat([Buffer.from(entries.join('\n')), indexes]),
    tokens: entries,
    areStrings: () => false,
  };
}

function joinLines(columns: readonly LineTokens[]): EncodedColumn {
  const bytes = joined(columns.map((column) => column.bytes));
  return {
    form: { form: 'text' },
    bytes,
    // Seldom asked for: see addTokens.
    tokens: { [Symbol.iterator]: () => bytes.toString().split('\n')[Symbol.iterator]() },
    areStrings: () => areStrings(bytes),
  };
}

function areStrings(bytes: Buffer): boolean {
  if (bytes[0] !== QUOTE) return false;
  for (let end = bytes.indexOf(NEWLINE_BYTE); end >= 0; end = bytes.indexOf(NEWLINE_BYTE, end + 1))
    if (bytes[end + 1] !== QUOTE) return false;
  return true;
}

/** As column.ts has it, which may take another form for more of them. */
function fromTokens(columns: readonly ColumnOf[]): EncodedColumn {
  const tokens = columns.flatMap((column) => Array.from(column.owners, (_, i) => column.tokens.at(i)));
  // Of no column that is made of others.
  return encodeColumn(null, tokens, { owners: () => [], messages: () => new Map() });
}

/** Lines behind lines. */
function joined(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(pieces.flatMap((piece, i) => (i === 0 ? [piece] : [NEWLINE, piece])));
}
