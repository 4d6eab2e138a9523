// A query's tree (query/where.ts) as clauses of Elasticsearch's query language. Pure.
//
// A number among the attributes is found by its code in `attribute_numbers` (query/number-order.ts), a keyword field
// with a term `key NUL code` for each: one range of terms is a range of numbers of one key, whatever else that key
// holds in other documents, and no key needs a mapping of its own.

import { clampInstant, formatInstant } from '../instant.ts';
import type { QueryTerm } from '../query-text.ts';
import { addressText } from '../query/address.ts';
import { ANY_CASE, ATTRIBUTES } from '../query/fields.ts';
import { CODE_END, CODE_MIN } from '../query/number-order.ts';
import { ATTRIBUTE_NUMBERS } from './template.ts';
import type { Field, FieldWhere, NumberBound, Where } from '../where.ts';

type Clause = Record<string, unknown>;

export interface WhereOptions {
  /** Words of a text field; and words anywhere, as alternatives. */
  readonly textClause: (field: string, term: QueryTerm) => Clause;
  readonly wordClauses: (term: QueryTerm) => readonly Clause[];
  /** Whether the server refuses prefixes (`search.allow_expensive_queries: false`). */
  readonly cheapOnly: boolean;
}

const NONE: Clause = { match_none: {} };
const NS_PER_MS = 1_000_000n;
const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;

export function whereClause(where: Where, options: WhereOptions): Clause {
  if ('field' in where) return fieldClause(where, options);
  switch (where.kind) {
    case 'all':
      return { match_all: {} };
    case 'and':
      return { bool: { filter: where.nodes.map((node) => whereClause(node, options)) } };
    case 'or':
      return anyOf(where.nodes.map((node) => whereClause(node, options)));
    case 'not':
      return { bool: { must_not: whereClause(where.node, options) } };
    case 'words':
      return anyOf(options.wordClauses(where.term));
  }
}

const anyOf = (should: readonly Clause[]): Clause => ({ bool: { should, minimum_should_match: 1 } });

function fieldClause(where: FieldWhere, options: WhereOptions): Clause {
  const { field } = where;
  switch (where.kind) {
    case 'exists':
      // `exists` would take a star in a key for a pattern.
      return field.key === '' || options.cheapOnly
        ? { exists: { field: field.path } }
        : { prefix: { [field.path]: { value: '' } } };
    case 'text':
      return options.textClause(field.path, where.term);
    case 'equals':
      return equalsClause(where);
    case 'pattern':
      return patternClause(field, where.pieces);
    case 'addresses':
      return { range: { [field.path]: { gte: addressText(where.first), lte: addressText(where.last) } } };
    case 'numbers':
      if (field.kind === 'flattened') return numbersClause(field.key, where);
      return field.kind === 'integer' ? integersClause(field, where) : doublesClause(field, where);
    case 'times':
      return timesClause(field, where);
  }
}

function equalsClause({ field, value, number }: FieldWhere & { readonly kind: 'equals' }): Clause {
  const isAnyCase = ANY_CASE.has(field.path);
  const text = { term: { [field.path]: { value, ...(isAnyCase && { case_insensitive: true }) } } };
  if (number === null || field.root !== ATTRIBUTES || field.key === '') return text;
  return anyOf([text, { term: { [ATTRIBUTE_NUMBERS]: numberTerm(field.key, number) } }]);
}

/** Only `*` and `?` have a meaning in Elasticsearch's wildcards, and the backslash before them. */
function patternClause(field: Field, pieces: readonly string[]): Clause {
  const case_insensitive = ANY_CASE.has(field.path);
  const [first = '', second] = pieces;
  if (pieces.length === 2 && second === '') return { prefix: { [field.path]: { value: first, case_insensitive } } };
  const value = pieces.map((piece) => piece.replaceAll(/[\\*?]/g, String.raw`\$&`)).join('*');
  return { wildcard: { [field.path]: { value, case_insensitive } } };
}

interface NumberRange {
  readonly from?: NumberBound;
  readonly to?: NumberBound;
}

function numbersClause(key: string, { from, to }: NumberRange): Clause {
  const range: Record<string, string> = {};
  range[from === undefined || from.inclusive ? 'gte' : 'gt'] = numberTerm(key, from?.code ?? CODE_MIN);
  range[to?.inclusive === true ? 'lte' : 'lt'] = numberTerm(key, to?.code ?? CODE_END);
  return { range: { [ATTRIBUTE_NUMBERS]: range } };
}

const numberTerm = (key: string, code: string): string => `${key}\0${code}`;

function doublesClause(field: Field, { from, to }: NumberRange): Clause {
  const range = {
    ...(from !== undefined && { [from.inclusive ? 'gte' : 'gt']: from.text }),
    ...(to !== undefined && { [to.inclusive ? 'lte' : 'lt']: to.text }),
  };
  return { range: { [field.path]: range } };
}

/** A bound is no number of 64 bits always, and Elasticsearch refuses others. */
function integersClause(field: Field, { from, to }: NumberRange): Clause {
  let least = INTEGER_MIN;
  let greatest = INTEGER_MAX;
  if (from !== undefined) least = larger(least, from.inclusive ? ceiling(from.text) : floor(from.text) + 1n);
  if (to !== undefined) greatest = smaller(greatest, to.inclusive ? floor(to.text) : ceiling(to.text) - 1n);
  if (least > greatest) return NONE;
  return { range: { [field.path]: { gte: String(least), lte: String(greatest) } } };
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

const ceiling = (text: string): bigint => -floor(text.startsWith('-') ? text.slice(1) : `-${text.replace(/^\+/, '')}`);

/** The greatest integer that is not above the decimal number; beyond 64 bits it is only as far away. */
function floor(text: string): bigint {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '') || '0';
  const shift = Number(exponent) - fraction.length;
  const size = digits.length + shift;
  if (digits === '0') return 0n;
  if (size > 20) return sign === '-' ? INTEGER_MIN - 1n : INTEGER_MAX + 1n;
  if (shift >= 0) return BigInt(digits + '0'.repeat(shift)) * (sign === '-' ? -1n : 1n);
  const kept = size <= 0 ? 0n : BigInt(digits.slice(0, size));
  const isWhole = size > 0 && /^0*$/.test(digits.slice(size));
  if (sign !== '-') return kept;
  return isWhole ? -kept : -kept - 1n;
}

function timesClause(field: Field, { since, until }: { readonly since?: bigint; readonly until?: bigint }): Clause {
  const range: Record<string, unknown> = {};
  if (field.kind === 'date') {
    if (since !== undefined) range['gte'] = Number(milliseconds(since));
    if (until !== undefined) range['lt'] = Number(milliseconds(until));
    return { range: { [field.path]: { ...range, format: 'epoch_millis' } } };
  }
  if (since !== undefined) range['gte'] = formatInstant(clampInstant(since));
  if (until !== undefined) range['lt'] = formatInstant(clampInstant(until));
  return { range: { [field.path]: range } };
}

/** Rounded up: what has whole milliseconds is at or after both, or neither. */
function milliseconds(ns: bigint): bigint {
  const kept = clampInstant(ns);
  return (kept + NS_PER_MS - 1n) / NS_PER_MS;
}
