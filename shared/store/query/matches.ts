// Whether a document is what a query means: the plain reading that both stores agree with (a test compares all three).
// The embedded store uses it for what its index cannot tell. Pure; linear in the document for each term.

import { fitsPieces } from '#shared/glob.ts';
import { clampInstant, parseInstant } from '../instant.ts';
import type { QueryTerm } from '../query-text.ts';
import { foundPaths } from '../ecs-fields.ts';
import { wordsOf } from '../words.ts';
import { addressNumber } from './address.ts';
import { type Document, valuesOf } from './document-values.ts';
import { ANY_CASE, ATTRIBUTES, fieldNamed } from './fields.ts';
import { numberIn } from './number-order.ts';
import type { Field, FieldWhere, NumberBound, Where } from '../where.ts';

/** Where words are found; whole texts, however long. */
export const FOUND: readonly Field[] = [
  fieldNamed('message'),
  fieldNamed(ATTRIBUTES),
  ...foundPaths.map((path) => ({ path, kind: 'text', root: path, key: '' }) as const),
];
const NS_PER_MS = 1_000_000n;

export function matches(where: Where, document: Document): boolean {
  if ('field' in where) return matchesField(where, document);
  switch (where.kind) {
    case 'all':
      return true;
    case 'and':
      return where.nodes.every((node) => matches(node, document));
    case 'or':
      return where.nodes.some((node) => matches(node, document));
    case 'not':
      return !matches(where.node, document);
    case 'words':
      return FOUND.some((field) => valuesOf(document, field).some((text) => hasWords(text, where.term)));
  }
}

function matchesField(where: FieldWhere, document: Document): boolean {
  return valuesOf(document, where.field).some((value) => fitsValue(where, value));
}

/** Whether one value of the field, as text, is what is meant. */
export function fitsValue(where: FieldWhere, value: string): boolean {
  switch (where.kind) {
    case 'exists':
      return true;
    case 'text':
      return hasWords(value, where.term);
    case 'equals':
      return isEqual(value, where);
    case 'pattern':
      return fitsPieces(
        cased(value, where),
        where.pieces.map((piece) => cased(piece, where)),
      );
    case 'addresses': {
      const address = addressNumber(value);
      return address !== null && address >= where.first && address <= where.last;
    }
    case 'numbers':
      return isWithin(numberIn(value), where);
    case 'times':
      return isDuring(value, where);
  }
}

/** Whether the words of the term stand in the text in a row. Linear in both (Knuth, Morris, Pratt). */
export function hasWords(text: string, { words, prefix }: QueryTerm): boolean {
  const all = wordsOf(text);
  const last = words.length - 1;
  const ending = words[last] ?? '';
  const isEnding = (word: string): boolean => (prefix ? word.startsWith(ending) : word === ending);
  if (last <= 0) return all.some(isEnding);
  if (all.length <= last) return false;
  const borders = bordersOf(words, last);
  let found = 0;
  for (const word of all) {
    if (found === last) {
      if (isEnding(word)) return true;
      found = borders[last - 1] ?? 0;
    }
    while (found > 0 && words[found] !== word) found = borders[found - 1] ?? 0;
    if (words[found] === word) found += 1;
  }
  return false;
}

/** Of the first words: up to each, how many at its end are those at the beginning. */
function bordersOf(words: readonly string[], count: number): number[] {
  const borders = [0];
  let length = 0;
  for (let i = 1; i < count; i++) {
    while (length > 0 && words[length] !== words[i]) length = borders[length - 1] ?? 0;
    if (words[length] === words[i]) length += 1;
    borders.push(length);
  }
  return borders;
}

function isEqual(value: string, where: FieldWhere & { readonly kind: 'equals' }): boolean {
  if (cased(value, where) === cased(where.value, where)) return true;
  const { field, number } = where;
  return number !== null && field.root === ATTRIBUTES && field.key !== '' && numberIn(value) === number;
}

/** Only letters of ASCII are the same in either case: Elasticsearch knows no others. */
function cased(text: string, { field }: FieldWhere): string {
  return ANY_CASE.has(field.path) ? text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

function isWithin(
  code: string | null,
  { from, to }: { readonly from?: NumberBound; readonly to?: NumberBound },
): boolean {
  if (code === null) return false;
  if (from !== undefined && (from.inclusive ? code < from.code : code <= from.code)) return false;
  return to === undefined || (to.inclusive ? code <= to.code : code < to.code);
}

function isDuring(value: string, { field, since, until }: FieldWhere & { readonly kind: 'times' }): boolean {
  const ns = parseInstant(value);
  if (ns === null) return false;
  const kept = field.kind === 'date' ? ns - (((ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS) : ns;
  return (since === undefined || kept >= clampInstant(since)) && (until === undefined || kept < clampInstant(until));
}
