// Which documents of a block a query may mean, told by as few of its columns as possible. The answer is exact or too
// wide (`isExact` says which); whoever gets one that is too wide asks matches.ts of each document. Pure.

import { clampInstant } from '../../instant.ts';
import { ATTRIBUTES } from '../../query/fields.ts';
import { valueLengthMax } from '../../query/document-values.ts';
import { fitsValue, FOUND, hasWords } from '../../query/matches.ts';
import type { QueryTerm } from '../../query-text.ts';
import type { Field, FieldWhere, Where } from '../../where.ts';
import type { BlockReader, ColumnOf } from './decode-block.ts';
import { isOpaque, leafOf, visitLeaves } from './tokens.ts';

export interface Selected {
  /** 1 for each document that is meant, by its number. */
  readonly rows: Uint8Array;
  readonly isExact: boolean;
}

const PLAIN_KEY = /^[\w@ -]+$/;
const ASCII_WORD = /^[a-z0-9_]+$/;

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
        for (const [row, is] of selected.rows.entries()) if (is === 1) rows[row] = 1;
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
    for (const [row, is] of selected.rows.entries()) {
      if (is === 0) rows[row] = 0;
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
  const rows = new Uint8Array(block.documents);
  const max = valueLengthMax(field);
  let isExact = true;
  for (const [number, path] of block.paths.entries()) {
    if (!isOf(field, path)) continue;
    eachToken(block.column(number), rows, (token) => {
      if (isOpaque(token)) {
        if (path === null && lacksKey(token, field)) return false;
        isExact = false;
        return true;
      }
      // A list at a path above, or at one that only looks the same.
      if (!isAt(field, path)) return false;
      const leaf = leafOf(token);
      return leaf !== null && leaf.length <= max && fitsValue(where, leaf);
    });
  }
  return { rows, isExact };
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
  const rows = new Uint8Array(block.documents);
  for (const [number, path] of block.paths.entries()) {
    if (!isFound(path)) continue;
    const column = block.column(number);
    if (column.tokens.form === 'text' && path !== null) byTextOfColumn(term, column, rows);
    else eachToken(column, rows, (token) => (isOpaque(token) ? mayHoldWords(token, term) : holds(token, term)));
  }
  return { rows, isExact: false };
}

const found = new Map<string, boolean>();
const FOUND_PATHS_MAX = 10_000;

function isFound(path: string | null): boolean {
  if (path === null || path === ATTRIBUTES || path.startsWith(`${ATTRIBUTES}.`)) return true;
  let is = found.get(path);
  if (is === undefined) {
    is = FOUND.some((field) => isOf(field, path));
    if (found.size >= FOUND_PATHS_MAX) found.clear();
    found.set(path, is);
  }
  return is;
}

function holds(token: string, term: QueryTerm): boolean {
  let is = false;
  visitLeaves(token, (text) => {
    is ||= hasWords(text, term);
  });
  return is;
}

/** The words, or some of them, are looked for in the text as it is written. */
function byTextOfColumn({ words }: QueryTerm, { tokens, owners }: ColumnOf, rows: Uint8Array): void {
  if (tokens.form === 'dictionary') return;
  const looked = words.filter((each) => ASCII_WORD.test(each));
  for (const [ordinal, token] of tokens.tokens.entries()) if (mayHoldAll(token, looked)) rows[owners[ordinal] ?? 0] = 1;
}

const mayHoldWords = (token: string, { words }: QueryTerm): boolean =>
  mayHoldAll(
    token,
    words.filter((each) => ASCII_WORD.test(each)),
  );

/** What is written with escapes may be anything; all else means what is written, numbers too (exact-json.ts). */
const mayHoldAll = (token: string, looked: readonly string[]): boolean =>
  token.includes('\\u') || holdsAll(token.toLowerCase(), looked);

function holdsAll(text: string, words: readonly string[]): boolean {
  for (const word of words) if (!text.includes(word)) return false;
  return true;
}

function eachToken({ tokens, owners }: ColumnOf, rows: Uint8Array, fits: (token: string) => boolean): void {
  if (tokens.form === 'dictionary') {
    const fitting = tokens.entries.map(fits);
    for (const [ordinal, entry] of tokens.indexes.entries())
      if (fitting[entry] === true) rows[owners[ordinal] ?? 0] = 1;
    return;
  }
  for (const [ordinal, token] of tokens.tokens.entries()) if (fits(token)) rows[owners[ordinal] ?? 0] = 1;
}
