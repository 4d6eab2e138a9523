// One column of a block: the JSON tokens at one path, of those documents that have it, in their order. Kept in the
// smallest of three ways. Pure.
//
//   derived      nothing: each token follows from what the block knows of the document (its time, its sequence)
//   around       what stands before and behind the message in it, a line each (a whole line, of which the message is a
//                part)
//   dictionary   the different tokens, one a line | an index (u8) for each
//   text         the tokens, one a line

import { formatInstant, INSTANT_MAX, INSTANT_MIN, nanosOf, secondsOf } from '../../instant.ts';
import { DictionaryTokens, LineTokens, MadeTokens, type Tokens } from './parts/column-tokens.ts';

/** What a block knows of a document beside its text. */
export interface Known {
  readonly time: bigint;
  readonly sequence: number;
  readonly ingestedMs: number;
  /** When it arrived, where its line told another time. */
  readonly created: bigint | null;
}

export type Derived = 'time' | 'ingested' | 'created' | 'sequence';

/** `digits`: of the fraction of a second. */
export type ColumnForm =
  | { readonly form: 'derived'; readonly from: Derived; readonly digits: number }
  | { readonly form: 'around' | 'dictionary' | 'text' };

export const DERIVED: ReadonlyMap<string | null, Derived> = new Map([
  ['@timestamp', 'time'],
  ['event.ingested', 'ingested'],
  ['event.created', 'created'],
  ['event.sequence', 'sequence'],
]);
export const MESSAGE = 'message';
export const LINE = 'event.original';
/** Paths of which words are never looked for. */
export const WORDLESS: ReadonlySet<string | null> = new Set([...DERIVED.keys(), LINE]);

const QUOTE = 0x22;
const ENTRIES_MAX = 256;
/** So many tokens are looked at before a dictionary is given up. */
const TRIED = 128;
const NS_PER_MS = 1_000_000n;
const INSTANT_LENGTH = '"2026-03-01T12:00:00Z"'.length;
/** Where the digits begin. */
const FRACTION = '"2026-03-01T12:00:00.'.length;

export interface EncodedColumn {
  readonly form: ColumnForm;
  readonly bytes: Uint8Array;
  /** Every token that is in it, once or more often. */
  readonly tokens: Iterable<string>;
  /** Whether they are all strings. */
  areStrings(): boolean;
}

/** `owners`: what is known of the document of each token; `messages`: the token of its message, if it has one. */
export function encodeColumn(
  path: string | null,
  tokens: readonly string[],
  about: { owners(): readonly Known[]; messages(): ReadonlyMap<Known, string> },
): EncodedColumn {
  const form = derivedForm(path, tokens, about.owners);
  if (form !== null) return { form, bytes: new Uint8Array(), tokens, areStrings: () => true };
  const around = path === LINE ? aroundOf(tokens, about.owners(), about.messages()) : null;
  return (
    around ??
    dictionaryOf(tokens) ?? {
      form: { form: 'text' },
      bytes: Buffer.from(tokens.join('\n')),
      tokens,
      areStrings: () => areStrings(tokens),
    }
  );
}

/** `count`: of the tokens. */
export function decodeColumn(
  form: ColumnForm,
  bytes: Uint8Array,
  owners: { readonly count: number; known(ordinal: number): Known; message(ordinal: number): string },
): Tokens {
  const { count } = owners;
  if (form.form === 'derived')
    return new MadeTokens(count, (i) => derivedToken(form.from, form.digits, owners.known(i)) ?? '');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (form.form === 'around') {
    const around = new LineTokens(buffer, 2 * count);
    const at = (i: number): string => around.at(2 * i) + inside(owners.message(i)) + around.at(2 * i + 1);
    return new MadeTokens(count, at, around);
  }
  if (form.form === 'text') return new LineTokens(buffer, count);
  const split = buffer.length - count;
  return new DictionaryTokens(buffer.toString('utf8', 0, split).split('\n'), buffer.subarray(split));
}

function derivedForm(
  path: string | null,
  tokens: readonly string[],
  ownersOf: () => readonly Known[],
): ColumnForm | null {
  const from = DERIVED.get(path);
  const [first = ''] = tokens;
  if (from === undefined) return null;
  const owners = ownersOf();
  const digits = Math.max(0, first.length - INSTANT_LENGTH - 1);
  let before: Known | undefined;
  const isSo = tokens.every((token, i) => {
    const known = owners[i];
    if (known === undefined) return false;
    // All of a batch were written at once.
    if (from === 'ingested' && known.ingestedMs === before?.ingestedMs && token === tokens[i - 1]) return true;
    before = known;
    return isDerived(token, from, digits, known);
  });
  return isSo ? { form: 'derived', from, digits } : null;
}

function isDerived(token: string, from: Derived, digits: number, known: Known): boolean {
  if (from === 'time') return isInstantToken(token, known.time, digits);
  if (from === 'created') return known.created !== null && isInstantToken(token, known.created, digits);
  return token === derivedToken(from, digits, known);
}

function derivedToken(from: Derived, digits: number, known: Known): string | null {
  switch (from) {
    case 'sequence':
      return String(known.sequence);
    case 'time':
      return instantToken(known.time, digits);
    case 'created':
      return known.created === null ? null : instantToken(known.created, digits);
    case 'ingested':
      return instantToken(BigInt(known.ingestedMs) * NS_PER_MS, digits);
  }
}

const SCALES = Array.from({ length: 10 }, (_, digits) => 10 ** (9 - digits));
/** The second of the one before, and as text. */
let second = -1;
let secondText: string | null = null;

/** Null where it needs more digits, or is beyond what `secondsOf` can tell. */
function instantToken(ns: bigint, digits: number): string | null {
  if (ns < INSTANT_MIN || ns > INSTANT_MAX || digits > 9) return null;
  const seconds = secondsOf(ns);
  if (seconds !== second) {
    second = seconds;
    secondText = textOfSecond(ns);
  }
  if (secondText === null) return null;
  const fraction = nanosOf(ns, seconds);
  if (digits === 0) return fraction === 0 ? `"${secondText}Z"` : null;
  const scaled = fraction / (SCALES[digits] ?? 1);
  return Number.isInteger(scaled) ? `"${secondText}.${String(scaled).padStart(digits, '0')}Z"` : null;
}

/** Whether `instantToken` makes it. Most are of the same second, and a text that is compared need not be made. */
function isInstantToken(token: string, ns: bigint, digits: number): boolean {
  if (ns < INSTANT_MIN || ns > INSTANT_MAX || digits === 0 || digits > 9 || secondsOf(ns) !== second)
    return token === instantToken(ns, digits);
  if (token.length !== INSTANT_LENGTH + 1 + digits || token.slice(1, FRACTION - 1) !== secondText) return false;
  let rest = nanosOf(ns, second) / (SCALES[digits] ?? 1);
  if (!Number.isInteger(rest)) return false;
  for (let at = FRACTION + digits - 1; at >= FRACTION; at--) {
    if (token.charCodeAt(at) !== 0x30 + (rest % 10)) return false;
    rest = Math.floor(rest / 10);
  }
  return token.startsWith('"') && token[FRACTION - 1] === '.' && token.endsWith('Z"');
}

/** Null where it has more than four digits for the year, or is no time of JavaScript's. */
function textOfSecond(ns: bigint): string | null {
  try {
    const text = formatInstant(ns);
    return /^\d{4}-/.test(text) ? text.slice(0, 19) : null;
  } catch {
    return null;
  }
}

/** Null where the message is not in each of them, as it is written. */
function aroundOf(
  tokens: readonly string[],
  owners: readonly Known[],
  messages: ReadonlyMap<Known, string>,
): EncodedColumn | null {
  const around: string[] = [];
  for (const [i, token] of tokens.entries()) {
    const owner = owners[i];
    const message = owner && messages.get(owner);
    if (message === undefined || message.charCodeAt(0) !== 0x22) return null;
    const text = inside(message);
    const at = placeIn(token, text);
    if (at < 0) return null;
    around.push(token.slice(0, at), token.slice(at + text.length));
  }
  return { form: { form: 'around' }, bytes: Buffer.from(around.join('\n')), tokens, areStrings: () => true };
}

/** Longer ones are not looked for. */
const AROUND_MAX = 64 * 1024;
const ANCHOR = 32;
const PLACES_MAX = 8;

/**
 * Where the text is in the token; -1 where it is not, or is not soon found. The engine's own search would take the
 * product of both lengths for what senders choose to be alike.
 */
function placeIn(token: string, text: string): number {
  if (token.length > AROUND_MAX) return -1;
  // Most end with it.
  const last = token.length - 1 - text.length;
  if (last >= 0 && token.slice(last, -1) === text) return last;
  const anchor = text.slice(0, ANCHOR);
  for (let tries = 0, at = token.indexOf(anchor); tries < PLACES_MAX && at >= 0; tries++) {
    if (token.slice(at, at + text.length) === text) return at;
    at = token.indexOf(anchor, at + 1);
  }
  return -1;
}

/** A JSON string without its quotes. */
const inside = (token: string): string => token.slice(1, -1);

function dictionaryOf(tokens: readonly string[]): EncodedColumn | null {
  const entries = new Map<string, number>();
  const indexes = new Uint8Array(tokens.length);
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? '';
    // Nearly always as the one before; the map has to hash it.
    if (i > 0 && token === tokens[i - 1]) {
      indexes[i] = indexes[i - 1] ?? 0;
      continue;
    }
    let index = entries.get(token);
    if (index === undefined) {
      index = entries.size;
      if (index >= ENTRIES_MAX || (i >= TRIED && index > i / 2)) return null;
      entries.set(token, index);
    }
    indexes[i] = index;
  }
  if (entries.size * 2 > tokens.length && tokens.length > 1) return null;
  const different = [...entries.keys()];
  return {
    form: { form: 'dictionary' },
    bytes: Buffer.concat([Buffer.from(different.join('\n')), indexes]),
    tokens: different,
    areStrings: () => areStrings(different),
  };
}

function areStrings(tokens: readonly string[]): boolean {
  for (const token of tokens) if (token.charCodeAt(0) !== QUOTE) return false;
  return true;
}
