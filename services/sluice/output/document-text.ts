// A stored document as people read it. Pure.

import { exactNumberText } from '#shared/store/exact-json.ts';
import { formatInstant, INSTANT_MAX, INSTANT_MIN, parseInstant } from '#shared/store/instant.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { oneLine } from '#shared/harmless.ts';

type Fields = Record<string, unknown>;

const DOCKERS_FILE = /\/([0-9a-f]{64})\/\1-json\.log(?:\.|$)/;

/**
 * The line as it was written, without its last line end: the whole of it where the message is only a part; the
 * attributes as JSON where there is neither.
 */
export function messageText({ source }: StoredDocument): string {
  const message = inner(source, 'event')['original'] ?? source['message'];
  if (typeof message === 'string') return message.replace(/\n$/, '');
  return JSON.stringify(source['attributes'] ?? {});
}

/**
 * The lines that a stack trace was printed as, and how many nanoseconds after the first each came. Of any other
 * document the one line that it is, whatever line breaks are in it.
 */
export function printedLines(document: StoredDocument): { readonly text: string; readonly offsetNs: number }[] {
  const text = messageText(document);
  const log = inner(document.source, 'log');
  const offsets: unknown = log['line_offsets'];
  const offsetOf = (line: number): number => {
    const offset: unknown = Array.isArray(offsets) ? offsets[line] : 0;
    return typeof offset === 'number' ? offset : 0;
  };
  const count = log['lines'];
  const lines = typeof count === 'number' && count > 1 ? text.split('\n') : [text];
  if (lines.length > 1 && lines.length !== count) return [{ text, offsetNs: 0 }];
  return lines.map((line, n) => ({ text: line, offsetNs: offsetOf(n) }));
}

/** The document as if nothing but its last lines had been printed; the whole where it has no more than these. */
export function lastLines(document: StoredDocument, count: number): StoredDocument {
  const { length } = printedLines(document);
  return length <= count ? document : someLines(document, length - count, length);
}

/** The document as if nothing but some of its lines had been printed, from one on to before another. */
export function someLines(document: StoredDocument, from: number, to: number): StoredDocument {
  const left = printedLines(document).slice(from, to);
  const { source } = document;
  const { original: _original, ...event } = inner(source, 'event');
  const log = { ...inner(source, 'log'), lines: left.length, line_offsets: left.map(({ offsetNs }) => offsetNs) };
  return { ...document, source: { ...source, message: left.map(({ text }) => text).join('\n'), event, log } };
}

/** For a terminal, which needs no carriage return to end a line. Elsewhere all bytes are printed as they came. */
export function withoutReturns(lines: string): string {
  return lines.replaceAll(/\r(?=\n|$)/g, '');
}

/** Container, else service, else tag: the shortest name that `sluice logs` takes. */
export function originName({ source }: StoredDocument): string {
  return oneLine(
    text(inner(source, 'container')['name']) ||
      text(inner(source, 'service')['name']) ||
      text(inner(source, 'fluentd')['tag']),
  );
}

export function timestampText({ source }: StoredDocument): string {
  return text(source['@timestamp']);
}

/**
 * When the line arrived, or one of the document's that came so many nanoseconds later; as docker prints times, with
 * nine digits of fraction: lines then stand below each other. The line's own time is another one, where it has one.
 */
export function fullTimestampText(document: StoredDocument, offsetNs = 0): string {
  const text = laterText(arrivalText(document), offsetNs);
  const [, second, fraction = ''] = /^(.*:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  return second === undefined ? text : `${second}.${fraction.padEnd(9, '0')}Z`;
}

function laterText(time: string, offsetNs: number): string {
  const ns = offsetNs === 0 || !Number.isInteger(offsetNs) ? null : parseInstant(time);
  const later = ns === null ? -1n : ns + BigInt(offsetNs);
  return later < INSTANT_MIN || later > INSTANT_MAX ? time : formatInstant(later);
}

/** `event.created` where there is one, else `@timestamp`. */
export function arrivalText(document: StoredDocument): string {
  return text(inner(document.source, 'event')['created']) || timestampText(document);
}

/** Ms since the epoch, or 0. */
export function ingestedMs({ source }: StoredDocument): number {
  const ingested = inner(source, 'event')['ingested'];
  return (typeof ingested === 'number' ? ingested : Date.parse(text(ingested))) || 0;
}

export function isStderr({ source }: StoredDocument): boolean {
  return source['stream'] === 'stderr';
}

/**
 * The attributes as `docker logs --details` shows labels: `key=value,key=value`. Of a line that Docker's own file has,
 * what Docker shows: the labels and variables that it was told to write there.
 */
export function detailsText({ source }: StoredDocument): string {
  const attributes = inner(source, 'attributes');
  if (DOCKERS_FILE.test(text(inner(inner(source, 'log'), 'file')['path']))) {
    const attrs = Object.entries(inner(attributes, 'attrs')).toSorted(([a], [b]) =>
      Buffer.from(a).compare(Buffer.from(b)),
    );
    return attrs.map(([key, value]) => `${queryEscaped(key)}=${queryEscaped(text(value))}`).join(',');
  }
  return Object.entries(attributes)
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' ? value : (exactNumberText(value) ?? JSON.stringify(value))}`,
    )
    .join(',');
}

/** As Docker writes them: all but letters, digits, and `-_.~`, and `+` for a space. */
function queryEscaped(words: string): string {
  const rest = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(words.toWellFormed())
    .replaceAll(/[!'()*]/g, rest)
    .replaceAll('%20', '+');
}

/** What a path of keys leads to; undefined where there is nothing. */
export function valueAt(source: Fields, path: string): unknown {
  let value: unknown = source;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Fields)[name];
  }
  return value;
}

function inner(fields: Fields, name: string): Fields {
  const value = fields[name];
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
