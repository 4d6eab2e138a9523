// A tree of where.ts as JSON, for whoever asks another process, and back. It has what the language can say, and no
// more: fields go by their paths in full, and what follows of a value (its words, its code as a number) is worked out
// again.
//
// Pure. What comes back is a tree as parser.ts could have made it, bounded in length, depth and terms, or an error
// query_wrong. Linear.

import { SluiceError } from '../../errors.ts';
import type { QueryTerm } from '../query-text.ts';
import { wordsOf } from '../words.ts';
import type { Field, FieldWhere, NumberBound, Where } from '../where.ts';
import { addressNumber, addressText } from './address.ts';
import {
  fieldExists,
  fieldMatch,
  fieldRange,
  type NamedField,
  type RangeEnd,
  type RangeOperator,
} from './field-terms.ts';
import { fieldNamed } from './fields.ts';
import { orderedNumber } from './number-order.ts';
import { QUERY_LENGTH_MAX } from './parser.ts';
import { Mistake } from './query-mistake.ts';

type Json = Readonly<Record<string, unknown>>;

/** Of all texts in it: a query's own length, each text in two fields, a number as both of its bounds. */
const CHARS_MAX = 3 * QUERY_LENGTH_MAX;
/** Of the name of a field, which may be said of each of many values. */
const PATH_MAX = 1024;
/** Each parenthesis of the language is up to three of these: what is one of several, each of several, none. */
const DEPTH_MAX = 200;
/** The 500 terms of a query, each in two fields; and options beside it. */
const TERMS_MAX = 1100;
/** Of all there is, what only joins or excludes too: each is work for each document. A query has no room for more. */
const NODES_MAX = QUERY_LENGTH_MAX / 2;
const NANOSECONDS = /^-?\d{1,30}$/;

export function whereJson(where: Where): Json {
  if ('field' in where) return { field: where.field.path, ...leafJson(where) };
  switch (where.kind) {
    case 'all':
      return { kind: 'all' };
    case 'and':
    case 'or':
      return { kind: where.kind, nodes: where.nodes.map(whereJson) };
    case 'not':
      return { kind: 'not', node: whereJson(where.node) };
    case 'words':
      return { kind: 'words', ...termJson(where.term) };
  }
}

function leafJson(where: FieldWhere): Json {
  const { kind } = where;
  switch (kind) {
    case 'exists':
      return { kind };
    case 'text':
      return { kind, ...termJson(where.term) };
    case 'equals':
      return { kind, value: where.value, as_number: where.number !== null };
    case 'pattern':
      return { kind, pieces: where.pieces };
    case 'addresses':
      return { kind, first: addressText(where.first), last: addressText(where.last) };
    case 'numbers':
      return { kind, ...(where.from && { from: boundJson(where.from) }), ...(where.to && { to: boundJson(where.to) }) };
    case 'times':
      return {
        kind,
        ...(where.since !== undefined && { since_ns: String(where.since) }),
        ...(where.until !== undefined && { until_ns: String(where.until) }),
      };
  }
}

const termJson = ({ raw, prefix }: QueryTerm): Json => ({ text: raw, prefix });
const boundJson = ({ text, inclusive }: NumberBound): Json => ({ number: text, inclusive });

/** Throws query_wrong. */
export function whereOfJson(json: unknown): Where {
  let nodes = 0;
  let terms = 0;
  let chars = 0;
  const read = (given: unknown, depth: number): Where => {
    if (!isJson(given) || depth > DEPTH_MAX) throw wrong('a part of it is none, or it is nested too deep');
    if (++nodes > NODES_MAX) throw wrong(`it has more than ${NODES_MAX} parts`);
    const { kind } = given;
    if (kind === 'not') return { kind, node: read(given['node'], depth + 1) };
    if (kind === 'and' || kind === 'or') {
      const { nodes: joined } = given;
      if (!Array.isArray(joined) || joined.length === 0) throw wrong(`${kind} has no nodes`);
      return { kind, nodes: joined.map((node) => read(node, depth + 1)) };
    }
    if (++terms > TERMS_MAX) throw wrong(`it has more than ${TERMS_MAX} terms`);
    if (kind === 'all') return { kind };
    chars += charsIn(given);
    if (chars > CHARS_MAX) throw wrong(`its texts have more than ${CHARS_MAX} characters`);
    return kind === 'words' ? { kind, term: termOf(given) } : leafOf(given);
  };
  try {
    return read(json, 0);
  } catch (error) {
    if (error instanceof Mistake) throw wrong(error.message);
    throw error;
  }
}

/** By its path in full: a name may mean two, and a leaf is about one. */
export function fieldAt(path: unknown): Field {
  if (typeof path === 'string' && path.length <= PATH_MAX) {
    const { also: _, ...field } = fieldNamed(path);
    if (field.path === path) return field;
  }
  throw wrong(
    typeof path === 'string' ? `there is no field ${JSON.stringify(path.slice(0, 80))}` : 'a field is no text',
  );
}

function leafOf(given: Json): FieldWhere {
  const field = fieldAt(given['field']);
  const named = { field, at: 0, valueAt: 0 };
  const leaf = madeOf(given, named);
  if (leaf === null || leaf.kind !== given['kind']) throw wrong(`${field.path} cannot be asked for that way`);
  return leaf;
}

/** Null where the field has no such values. */
function madeOf(given: Json, named: NamedField): FieldWhere | null {
  const { field, at } = named;
  const isKeyword = field.kind === 'keyword' || field.kind === 'flattened';
  // What no store searches is refused by this one.
  const exists = fieldExists(named);
  switch (given['kind']) {
    case 'exists':
      return exists;
    case 'text':
      return field.kind === 'text' ? { kind: 'text', field, at, term: termOf(given) } : null;
    case 'equals': {
      const value = textOf(given['value']);
      const number = given['as_number'] === true ? orderedNumber(value) : null;
      return isKeyword ? { kind: 'equals', field, at, value, number } : null;
    }
    case 'pattern': {
      const pieces = Array.isArray(given['pieces']) ? given['pieces'].map(textOf) : [];
      const text = pieces.map((piece) => piece.replaceAll(/[\\*]/g, String.raw`\$&`)).join('*');
      return isKeyword ? fieldMatch(named, text, { isQuoted: false, nowMs: 0 }) : null;
    }
    case 'addresses': {
      const [first, last] = [given['first'], given['last']].map((text) => addressNumber(textOf(text)));
      if (first === null || first === undefined || last === null || last === undefined || field.kind !== 'ip')
        return null;
      return { kind: 'addresses', field, at, first, last };
    }
    case 'numbers': {
      const ends = [...endsOf(given['from'], '>'), ...endsOf(given['to'], '<')];
      return ends.length === 0 ? null : fieldRange(named, ends, 0);
    }
    case 'times': {
      const [since, until] = [instantOf(given['since_ns']), instantOf(given['until_ns'])];
      if ((field.kind !== 'date' && field.kind !== 'date_nanos') || (since === null && until === null)) return null;
      return {
        ...({ kind: 'times', field, at } as const),
        ...(since !== null && { since }),
        ...(until !== null && { until }),
      };
    }
    default:
      return null;
  }
}

/** Before anything is made of them. */
function charsIn({ text, value, pieces, from, to }: Json): number {
  const bounds = [from, to].map((bound) => (isJson(bound) ? bound['number'] : undefined));
  const all: readonly unknown[] = [text, value, ...bounds, ...(Array.isArray(pieces) ? pieces : [])];
  return all.reduce((sum: number, one) => sum + (typeof one === 'string' ? one.length : 0), 0);
}

function endsOf(bound: unknown, side: '<' | '>'): RangeEnd[] {
  if (bound === undefined) return [];
  if (!isJson(bound)) throw wrong('a bound is none');
  const operator: RangeOperator = bound['inclusive'] === true ? `${side}=` : side;
  return [{ operator, text: textOf(bound['number']), at: 0 }];
}

function instantOf(given: unknown): bigint | null {
  if (given === undefined) return null;
  if (!NANOSECONDS.test(textOf(given))) throw wrong('a time is no number of nanoseconds');
  return BigInt(textOf(given));
}

function termOf(given: Json): QueryTerm {
  const raw = textOf(given['text']);
  const words = wordsOf(raw);
  if (words.length === 0) throw wrong('there is no word to look for');
  return { raw, words, prefix: given['prefix'] === true };
}

function textOf(given: unknown): string {
  if (typeof given !== 'string') throw wrong('a text is none');
  return given.toWellFormed();
}

const isJson = (given: unknown): given is Json => typeof given === 'object' && given !== null && !Array.isArray(given);

const wrong = (what: string): SluiceError => new SluiceError('query_wrong', `Cannot read where: ${what}`);
