// Which documents of a block a query may mean, told by as few of its columns as possible. The answer is exact or too
// wide (`isExact` says which); whoever gets one that is too wide asks matches.ts of each document. Pure.

import { isAscii } from 'node:buffer';
import { clampInstant } from '../../instant.ts';
import { valueLengthMax } from '../../query/document-values.ts';
import { ATTRIBUTES, fieldNamed } from '../../query/fields.ts';
import { fitsValue, FOUND, hasWords } from '../../query/matches.ts';
import type { QueryTerm } from '../../query-text.ts';
import type { Field, FieldWhere, Where } from '../../where.ts';
import { WORD_MAX } from '../../words.ts';
import type { BlockReader, ColumnOf } from './decode-block.ts';
import { isPlain, isString, linesWith, UNICODE_ESCAPE } from './parts/term-lines.ts';
import { isOpaque, leafOf } from './tokens.ts';

export interface Selected {
  /** 1 for each document that is meant, by its number. */
  readonly rows: Uint8Array;
  readonly isExact: boolean;
}

/** Of a string of JSON. */
const QUOTES = 2;
const PLAIN_KEY = /^[\w@ -]+$/;
const ASCII_WORD = /^[a-z0-9_]+$/;
const hasLetters = (word: string): boolean => /[a-z]/.test(word);

export function selectRows(where: Where, block: BlockReader): Selected {
  if ('field' in where) return byField(where, block);
  switch (where.kind) {
    case 'all':
      return { rows: allRows(block), isExact: true };
    case 'words':
      return byWords(where.term, block);
    case 'not': {
      const inner = selectRows(where.node, block);
      return { rows: inner.isExact ? inner.rows.map((row) => 1 - row) : allRows(block), isExact: inner.isExact };
    }
    case 'and':
      return byAll(where.nodes, block);
    case 'or': {
      const rows = new Uint8Array(block.documents);
      let isExact = true;
      for (const node of where.nodes) {
        const selected = selectRows(node, block);
        isExact &&= selected.isExact;
        for (let row = 0; row < rows.length; row++) if (selected.rows[row] === 1) rows[row] = 1;
      }
      return { rows, isExact };
    }
  }
}

const allRows = (block: BlockReader): Uint8Array => new Uint8Array(block.documents).fill(1);

function byAll(nodes: readonly Where[], block: BlockReader): Selected {
  const rows = allRows(block);
  let isExact = true;
  for (const node of nodes) {
    const selected = selectRows(node, block);
    isExact &&= selected.isExact;
    let left = 0;
    for (let row = 0; row < rows.length; row++) {
      if (selected.rows[row] === 0) rows[row] = 0;
      left |= rows[row] ?? 0;
    }
    // Of no document any more, exactly.
    if (left === 0) return { rows, isExact: true };
  }
  return { rows, isExact };
}

function byField(where: FieldWhere, block: BlockReader): Selected {
  const { field } = where;
  if (where.kind === 'times' && field.path === '@timestamp') return byTime(where, block);
  const max = valueLengthMax(field);
  const selection = new Selection(block, (token, path) => {
    if (isOpaque(token)) return path === null && lacksKey(token, field) ? 'no' : 'perhaps';
    // A list at a path above, or at one that only looks the same.
    if (!isAt(field, path)) return 'no';
    const leaf = leafOf(token);
    return leaf !== null && leaf.length <= max && fitsValue(where, leaf) ? 'yes' : 'no';
  });
  for (const [number, path] of block.paths.entries()) {
    if (!isOf(field, path)) continue;
    if (where.kind === 'text' && isAt(field, path)) selection.byTerm(block.column(number), where.term, max);
    else selection.byTokens(block.column(number));
  }
  return selection;
}

/** Whether no key of the document can be the last of the field's, written as they all are. */
function lacksKey(document: string, { path, kind, key }: Field): boolean {
  const whole = kind === 'flattened' ? key : path;
  const last = whole.slice(whole.lastIndexOf('.') + 1);
  return PLAIN_KEY.test(last) && !document.includes(`${last}"`) && !document.includes('\\u');
}

/** Whether a column may have values of the field: at its path, below it, or in a list above it. */
function isOf({ path, kind, root, key }: Field, column: string | null): boolean {
  if (column === null) return true;
  const wanted = kind === 'flattened' && key === '' ? root : path;
  return (
    column === wanted ||
    wanted.startsWith(`${column}.`) ||
    (kind === 'flattened' && key === '' && column.startsWith(`${root}.`))
  );
}

function isAt({ path, kind, root, key }: Field, column: string | null): boolean {
  if (column === null) return false;
  return kind === 'flattened' && key === '' ? column === root || column.startsWith(`${root}.`) : column === path;
}

function byTime(where: FieldWhere & { readonly kind: 'times' }, block: BlockReader): Selected {
  const rows = new Uint8Array(block.documents);
  const since = where.since === undefined ? null : clampInstant(where.since);
  const until = where.until === undefined ? null : clampInstant(where.until);
  for (let row = 0; row < rows.length; row++) {
    const time = block.timeOf(row);
    if ((since === null || time >= since) && (until === null || time < until)) rows[row] = 1;
  }
  return { rows, isExact: true };
}

function byWords(term: QueryTerm, block: BlockReader): Selected {
  const looked = asciiWordsOf(term);
  const selection = new Selection(block, (token, path) => {
    if (isOpaque(token)) return mayHoldAll(token, looked) ? 'perhaps' : 'no';
    const field = foundAt(path);
    if (field === null || field === 'in a list') return 'no';
    const leaf = leafOf(token);
    return leaf !== null && leaf.length <= valueLengthMax(field) && hasWords(leaf, term) ? 'yes' : 'no';
  });
  for (const [number, path] of block.paths.entries()) {
    const field = foundAt(path);
    if (field === null) continue;
    if (field === 'in a list') selection.byTokens(block.column(number));
    else selection.byTerm(block.column(number), term, valueLengthMax(field));
  }
  return selection;
}

const found = new Map<string, Field | 'in a list' | null>();
const FOUND_PATHS_MAX = 10_000;
const ANY_ATTRIBUTE = fieldNamed(ATTRIBUTES);

/** The field at this path in which words are found. Null: they are not found in what lies there. */
function foundAt(path: string | null): Field | 'in a list' | null {
  if (path === null) return 'in a list';
  // Senders choose the paths.
  if (isAt(ANY_ATTRIBUTE, path)) return ANY_ATTRIBUTE;
  const known = found.get(path);
  if (known !== undefined) return known;
  if (found.size >= FOUND_PATHS_MAX) found.clear();
  const at = FOUND.find((field) => isAt(field, path));
  const field = at ?? (FOUND.some((field) => isOf(field, path)) ? 'in a list' : null);
  found.set(path, field);
  return field;
}

/** Words in a row that are looked for at each place: what repeats them takes as many times as long. */
const PHRASE_MAX = 16;

type Fits = 'yes' | 'no' | 'perhaps';

/** Documents that have a token which fits, in some column. */
class Selection implements Selected {
  readonly rows: Uint8Array;
  isExact = true;
  readonly #fits: (token: string, path: string | null) => Fits;

  constructor(block: BlockReader, fits: (token: string, path: string | null) => Fits) {
    this.rows = new Uint8Array(block.documents);
    this.#fits = fits;
  }

  byTokens({ path, tokens, owners }: ColumnOf): void {
    if (tokens.form === 'dictionary') {
      const fitting = tokens.entries.map((token) => this.#fits(token, path));
      for (const [ordinal, entry] of tokens.indexes.entries()) this.#add(owners, ordinal, fitting[entry] ?? 'no');
    } else if (tokens.form === 'text') {
      for (const [ordinal, token] of tokens.all().entries()) this.#add(owners, ordinal, this.#fits(token, path));
    } else for (let i = 0; i < tokens.count; i++) this.#add(owners, i, this.#fits(tokens.at(i), path));
  }

  /** `max`: longer values are not found. */
  byTerm(column: ColumnOf, term: QueryTerm, max: number): void {
    const { path, tokens, owners } = column;
    const isAsked = term.words.length > PHRASE_MAX || term.words.some((word) => word.length >= WORD_MAX);
    if (tokens.form !== 'text' || isAsked) {
      this.byTokens(column);
      return;
    }
    const looked = asciiWordsOf(term);
    const isWritten = looked.length === term.words.length;
    if (isAscii(tokens.bytes) && !tokens.bytes.includes(UNICODE_ESCAPE)) {
      const written = tokens.bytes.toString('latin1');
      const text = looked.some(hasLetters) ? written.toLowerCase() : written;
      if (isWritten) linesWith(text, term, (line, length) => this.#addLine(column, line, length - QUOTES <= max));
      return;
    }
    for (const [ordinal, token] of tokens.all().entries()) {
      const line = token.toLowerCase();
      if (!isPlain(line)) {
        if (mayHoldAll(token, looked)) this.#add(owners, ordinal, this.#fits(token, path));
      } else if (isWritten)
        linesWith(line, term, (_, length) => this.#addLine(column, ordinal, length - QUOTES <= max));
    }
  }

  #addLine({ path, tokens, owners }: ColumnOf, ordinal: number, isShort: boolean): void {
    const token = tokens.at(ordinal);
    if (!isString(token)) this.#add(owners, ordinal, this.#fits(token, path));
    else if (isShort) this.#add(owners, ordinal, 'yes');
  }

  #add(owners: Int32Array, ordinal: number, fits: Fits): void {
    if (fits === 'no') return;
    if (fits === 'perhaps') this.isExact = false;
    this.rows[owners[ordinal] ?? 0] = 1;
  }
}

const asciiWordsOf = ({ words }: QueryTerm): string[] => words.filter((each) => ASCII_WORD.test(each));

/** What is written with escapes may be anything; all else means what is written, numbers too (exact-json.ts). */
const mayHoldAll = (token: string, looked: readonly string[]): boolean =>
  token.includes(UNICODE_ESCAPE) || holdsAll(token.toLowerCase(), looked);

function holdsAll(text: string, words: readonly string[]): boolean {
  for (const word of words) if (!text.includes(word)) return false;
  return true;
}
