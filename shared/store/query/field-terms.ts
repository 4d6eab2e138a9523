// `name:value` and its kin: what a value means depends on what the field is. Pure; a value that the field cannot have
// is a mistake, with its place.

import { parseQueryText } from '../query-text.ts';
import { addressSpan } from './address.ts';
import { ATTRIBUTES, UNSEARCHED } from './fields.ts';
import { orderedNumber } from './number-order.ts';
import { Mistake, Unfit } from './query-mistake.ts';
import { type TimeSpan, timeSpan } from './time-literal.ts';
import type { Field, FieldWhere, NumberBound, Where } from '../where.ts';

/** A field, where its name stands in the query, and where its value begins. */
export interface NamedField {
  readonly field: Field;
  readonly at: number;
  readonly valueAt: number;
}

export type RangeOperator = '>=' | '>' | '<=' | '<';

export interface RangeEnd {
  readonly operator: RangeOperator;
  readonly text: string;
  readonly at: number;
}

/** More would make patterns that take long to look for. */
const STARS_MAX = 10;
/** Elasticsearch refuses longer ones (`index.max_regex_length`). */
const PATTERN_MAX = 900;
/** Stars, and characters that a backslash stands before. */
const SPECIAL = /\\(.)|(\*+)/gsu;

export function fieldExists({ field, at }: NamedField): FieldWhere {
  refuseUnsearched(field, at);
  return { kind: 'exists', field, at };
}

/** `isQuoted`: nothing in the value has a meaning. */
export function fieldMatch(
  named: NamedField,
  value: string,
  { isQuoted, nowMs }: { readonly isQuoted: boolean; readonly nowMs: number },
): FieldWhere {
  const { field, at, valueAt } = named;
  refuseUnsearched(field, at);
  if (value === '' && !isQuoted) throw new Mistake(`${field.path} has no value`, valueAt);
  const pieces = isQuoted ? [value] : piecesOf(value);
  if (pieces.length > 1 && pieces.every((piece) => piece === '')) return fieldExists(named);
  switch (field.kind) {
    case 'text': {
      const [term] = parseQueryText(isQuoted ? `"${value.replaceAll('"', ' ')}"` : value);
      if (term === undefined) throw new Unfit('there is no word to look for', valueAt);
      return { kind: 'text', field, at, term };
    }
    case 'date':
    case 'date_nanos':
      return { kind: 'times', field, at, ...spanOf(value, valueAt, nowMs) };
    case 'integer':
    case 'double': {
      if (pieces.length > 1) throw new Mistake(`${field.path} is a number, and has no *: write [500 TO 599]`, valueAt);
      const bound = { ...numberOf(named, value, valueAt), inclusive: true };
      return { kind: 'numbers', field, at, from: bound, to: bound };
    }
    case 'ip': {
      const span = addressSpan(value);
      const isPattern = pieces.length > 1 || value.includes('/');
      const message = `"${value}" is no address: write 10.0.0.1, 10.0.0.0/8 or 10.*`;
      if (span === null) throw isPattern ? new Mistake(message, valueAt) : new Unfit(message, valueAt);
      return { kind: 'addresses', field, at, ...span };
    }
    case 'keyword':
    case 'flattened':
      return valueMatch(named, pieces);
  }
}

function valueMatch({ field, at, valueAt }: NamedField, pieces: readonly string[]): FieldWhere {
  const [only = ''] = pieces;
  if (pieces.length === 1) return { kind: 'equals', field, at, value: only, number: orderedNumber(only) };
  if (pieces.length > STARS_MAX + 1) throw new Mistake(`it has more than ${STARS_MAX} stars`, valueAt);
  if (pieces.join('').length > PATTERN_MAX)
    throw new Mistake(`a value with a * has at most ${PATTERN_MAX} characters`, valueAt);
  // Elasticsearch has no other pattern of keys inside a flattened field.
  if (field.kind === 'flattened' && (pieces.length > 2 || pieces[1] !== ''))
    throw new Unfit(`in ${field.path} a * can only be the end of a value`, valueAt);
  return { kind: 'pattern', field, at, pieces };
}

/** One end, or two of different sides. */
export function fieldRange(named: NamedField, ends: readonly RangeEnd[], nowMs: number): FieldWhere {
  const { field, at } = named;
  refuseUnsearched(field, at);
  if (field.kind === 'date' || field.kind === 'date_nanos') {
    const bounds: { since?: bigint; until?: bigint } = {};
    for (const { operator, text, at: textAt } of ends) {
      const { since, until } = spanOf(text, textAt, nowMs);
      if (operator === '>=') bounds.since = since;
      else if (operator === '>') bounds.since = until;
      else bounds.until = operator === '<' ? since : until;
    }
    return { kind: 'times', field, at, ...bounds };
  }
  if (!hasNumbers(field)) throw new Unfit(`${field.path} has no order: numbers and times can be compared`, at);
  const bounds: { from?: NumberBound; to?: NumberBound } = {};
  for (const { operator, text, at: textAt } of ends) {
    const bound = { ...numberOf(named, text, textAt), inclusive: operator.endsWith('=') };
    bounds[operator.startsWith('>') ? 'from' : 'to'] = bound;
  }
  return { kind: 'numbers', field, at, ...bounds };
}

function refuseUnsearched({ path }: Field, at: number): void {
  if (UNSEARCHED.has(path)) throw new Mistake(`${path} is not searched: its words are in message and the fields`, at);
}

function hasNumbers({ kind, root, key }: Field): boolean {
  return kind === 'integer' || kind === 'double' || (root === ATTRIBUTES && key !== '');
}

function spanOf(text: string, at: number, nowMs: number): TimeSpan {
  const span = timeSpan(text, nowMs);
  if (span === null) throw new Mistake(`"${text}" is no time: write now-1h, 2026-03-01 or 2026-03-01T12:00:00Z`, at);
  return span;
}

function numberOf({ field }: NamedField, text: string, at: number): Pick<NumberBound, 'text' | 'code'> {
  const code = orderedNumber(text);
  if (code === null) throw new Unfit(`"${text}" is no number, and ${field.path} is compared by number`, at);
  return { text, code };
}

/** What stands between the stars, which are one where there are several; without the backslashes. */
function piecesOf(value: string): string[] {
  const pieces = [''];
  let from = 0;
  for (const match of value.matchAll(SPECIAL)) {
    const last = pieces.length - 1;
    pieces[last] += value.slice(from, match.index) + (match[1] ?? '');
    if (match[2] !== undefined) pieces.push('');
    from = match.index + match[0].length;
  }
  pieces[pieces.length - 1] += value.slice(from);
  return pieces;
}

/** What is said of a name, of all the fields that it means and that can have such a value. */
export function ofEach(named: NamedField, say: (named: NamedField) => FieldWhere): Where {
  const { also, ...field } = named.field;
  if (also === undefined) return say(named);
  const nodes: FieldWhere[] = [];
  let unfit: Unfit | null = null;
  // Each knows the other: whether a name means nothing depends on both (missing-fields.ts).
  for (const one of [named.field, { ...also, also: field }]) {
    try {
      nodes.push(say({ ...named, field: one }));
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      unfit ??= error;
    }
  }
  const [only] = nodes;
  if (only === undefined) throw unfit ?? new Mistake('there is nothing to look for', named.valueAt);
  return nodes.length === 1 ? only : { kind: 'or', nodes };
}
