// What a query finds, by the plainest reading of its tree: every document is asked every term. Both stores are held
// against it; it knows no index, no block, no number code and no address of theirs.

import { isIP } from 'node:net';
import type { FieldWhere, NumberBound, Where } from '#shared/store/where.ts';
import { compareDecimals, decimalIn, decimalOf } from './decimals.ts';
import { plainInstant, type PlainDocument, plainValues, plainWords } from './plain-document.ts';

/** Fields of the schema whose words a search for words finds, whatever their length (docs/search.md). */
// prettier-ignore
const WORDS_IN = [
  'message', 'log.level', 'log.logger', 'log.file.path', 'log.origin.file.name', 'log.origin.function', 'event.action',
  'trace.id', 'span.id', 'transaction.id', 'error.type', 'error.code', 'error.message', 'error.stack_trace',
  'http.version', 'http.request.method', 'http.request.id', 'http.request.referrer', 'url.original', 'url.full',
  'url.scheme', 'url.domain', 'url.path', 'url.query', 'source.ip', 'client.ip', 'user.id', 'user.name', 'user.email',
  'user_agent.original', 'process.name', 'process.thread.name',
];
const ATTRIBUTE_MAX = 8191;

export function plainlyMeans(where: Where, document: PlainDocument): boolean {
  if ('field' in where) return plainValues(document, where.field).some((value) => fits(where, value));
  switch (where.kind) {
    case 'all':
      return true;
    case 'and':
      return where.nodes.every((node) => plainlyMeans(node, document));
    case 'or':
      return where.nodes.some((node) => plainlyMeans(node, document));
    case 'not':
      return !plainlyMeans(where.node, document);
    case 'words':
      return document.leaves.some(
        ({ path, value }) =>
          (WORDS_IN.includes(path) || (path.startsWith('attributes.') && value.length <= ATTRIBUTE_MAX)) &&
          hasInARow(value, where.term),
      );
  }
}

function fits(where: FieldWhere, value: string): boolean {
  switch (where.kind) {
    case 'exists':
      return true;
    case 'text':
      return hasInARow(value, where.term);
    case 'equals':
      return sameCase(where, value) === sameCase(where, where.value) || isSameNumber(where, value);
    case 'pattern': {
      const pieces = where.pieces.map((piece) => RegExp.escape(sameCase(where, piece)));
      return new RegExp(`^${pieces.join('[^]*')}$`).test(sameCase(where, value));
    }
    case 'addresses': {
      const address = plainAddress(value);
      return address !== null && where.first <= address && address <= where.last;
    }
    case 'numbers':
      return isAbove(value, where.from, 1) && isAbove(value, where.to, -1);
    case 'times': {
      const written = plainInstant(value);
      if (written === null) return false;
      const time = where.field.kind === 'date' ? written - (written % 1_000_000n) : written;
      return (where.since === undefined || time >= where.since) && (where.until === undefined || time < where.until);
    }
  }
}

function hasInARow(text: string, { raw, prefix }: { readonly raw: string; readonly prefix: boolean }): boolean {
  const [all, words] = [plainWords(text), plainWords(raw)];
  const last = words.length - 1;
  return all.some((_, start) =>
    words.every((word, i) =>
      i === last && prefix
        ? (all[start + i] ?? '').startsWith(word) && all[start + i] !== undefined
        : all[start + i] === word,
    ),
  );
}

/** Only the level is told by either case, and only in ASCII. */
function sameCase({ field }: FieldWhere, text: string): string {
  if (field.path !== 'log.level') return text;
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** One key among the attributes is also meant by its number. */
function isSameNumber({ field, value: meant }: FieldWhere & { readonly kind: 'equals' }, value: string): boolean {
  if (!field.path.startsWith('attributes.')) return false;
  const [a, b] = [decimalIn(value), decimalOf(meant)];
  return a !== null && b !== null && compareDecimals(a, b) === 0;
}

/** `side` -1: below. */
function isAbove(value: string, bound: NumberBound | undefined, side: 1 | -1): boolean {
  const number = decimalIn(value);
  if (number === null) return false;
  if (bound === undefined) return true;
  const limit = decimalOf(bound.text);
  if (limit === null) throw new Error(`${bound.text} is a number`);
  const order = compareDecimals(number, limit) * side;
  return bound.inclusive ? order >= 0 : order > 0;
}

/** As a number of 128 bits, by what `URL` makes of it. */
function plainAddress(text: string): bigint | null {
  if (isIP(text) === 0) return null;
  const six = text.includes(':') ? text : `::ffff:${text}`;
  const host = new URL(`http://[${six}]/`).hostname.slice(1, -1);
  const [before = [], behind] = host.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const groups = [...before];
  if (behind !== undefined)
    groups.push(...Array.from({ length: 8 - groups.length - behind.length }, () => '0'), ...behind);
  return groups.reduce((number, group) => (number << 16n) | BigInt(`0x${group}`), 0n);
}
