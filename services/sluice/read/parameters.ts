// The parameters of a request to the read API → what is asked for. Pure and total: a request, or an error that says
// which parameter is wrong, and of a query the place. What is not known is refused: a misspelt filter must not be one
// that is not there.

import { SluiceError } from '#shared/errors.ts';
import { parseQuery, type ParsedQuery } from '#shared/store/query/parser.ts';
import { mistakeText } from '#shared/store/query/query-mistake.ts';
import type { Store } from '#shared/store/store.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { chosenWhere } from '../search/chosen.ts';
import { cursorOf } from './wire/cursor.ts';
import type {
  FieldsRequest,
  Format,
  HistogramRequest,
  Range,
  SearchRequest,
  StoreRequest,
  TailRequest,
} from './request.ts';

export type Parameters = Readonly<Record<string, unknown>>;

export interface Asker {
  /** The tenant that it may read; null: all there is. */
  readonly tenant: string | null;
  readonly nowMs: number;
  /** Which one is asked: each has cursors of its own. */
  readonly store: Store['kind'];
}

/** With the place of a mistake in the query, in UTF-16 units. */
export class QueryError extends SluiceError {
  readonly at: number;

  constructor(message: string, at: number) {
    super('query_wrong', message);
    this.at = at;
  }
}

const RANGE = ['q', 'from', 'to', 'name', 'tenant', 'level', 'pod', 'namespace'] as const;
/** By endpoint: all that it takes. */
export const PARAMETERS = {
  search: [...RANGE, 'limit', 'order', 'after'],
  histogram: [...RANGE, 'every', 'by'],
  fields: [...RANGE, 'sample'],
  tail: [...RANGE.filter((name) => name !== 'from' && name !== 'to'), 'last'],
  store: [],
} as const;

/** Of an answer that is one JSON text. One of lines may have any number. */
export const DOCUMENTS_MAX = 10_000;
export const SEARCH_DEFAULT = 100;
export const SAMPLE_DEFAULT = 500;
export const SAMPLE_MAX = 1000;
export const LAST_MAX = 1000;
/** Spans of time in a histogram. */
const SPANS_MAX = 2000;
const SPANS_WANTED = 60;
const HISTOGRAM_MS = 3_600_000;
const BY_MAX = 3;
const NAME_MAX = 1024;
const COUNT_MAX = 1e9;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Spans that people read. */
const SPANS = [
  ...[1, 5, 10, 30].map((n) => n * SECOND),
  ...[1, 5, 10, 30].map((n) => n * MINUTE),
  ...[1, 3, 12].map((n) => n * HOUR),
  ...[1, 7].map((n) => n * DAY),
];
const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/** Each throws query_wrong or tenant_refused. */
export function searchRequest(given: Parameters, asker: Asker, format: Format): SearchRequest {
  const read = textsOf(given, PARAMETERS.search);
  const { range, stages } = readRange(read, asker);
  const isCounted = stages[0]?.kind === 'stats';
  const most = format === 'json' && stages.length === 0 ? DOCUMENTS_MAX : COUNT_MAX;
  const limit = read.limit === undefined ? null : countOf('limit', read.limit, most);
  const after = read.after === undefined ? undefined : cursorOf(read.after, asker.store);
  if (after === null) throw wrong('Cannot read after: give the `next` of the answer before, as it was');
  if (after !== undefined && stages.length > 0)
    throw wrong('Cannot search: after goes on with documents, and behind a bar there are rows');
  return {
    kind: 'search',
    range,
    stages,
    order: orderOf(read.order ?? 'newest'),
    limit: limit ?? (isCounted ? Infinity : SEARCH_DEFAULT),
    ...(after === undefined ? {} : { after }),
    format,
  };
}

export function histogramRequest(given: Parameters, asker: Asker): HistogramRequest {
  const read = textsOf(given, PARAMETERS.histogram);
  const { range, stages } = readRange(read, asker);
  noStages(stages, 'the histogram counts by itself');
  const { nowMs } = asker;
  const toMs = range.until === undefined ? nowMs : Date.parse(range.until);
  const since = range.since ?? new Date(toMs - HISTOGRAM_MS).toISOString();
  const spanMs = toMs - Date.parse(since);
  if (!(spanMs > 0)) throw wrong('Cannot make a histogram: from has to be before to');
  const everyMs = read.every === undefined ? readableSpan(spanMs) : spanOf(read.every);
  if (spanMs / everyMs > SPANS_MAX)
    throw wrong(`Cannot make a histogram: every gives more than ${SPANS_MAX} spans; give a longer one, or less time`);
  const by = read.by === undefined ? [] : read.by.split(',').map((name) => name.trim());
  if (by.length > BY_MAX || by.includes('')) throw wrong(`Cannot read by: give up to ${BY_MAX} fields, with commas`);
  return { kind: 'histogram', range: { ...range, since }, by, everyMs };
}

export function fieldsRequest(given: Parameters, asker: Asker): FieldsRequest {
  const read = textsOf(given, PARAMETERS.fields);
  const { range, stages } = readRange(read, asker);
  noStages(stages, 'fields are of documents');
  const sample = read.sample === undefined ? SAMPLE_DEFAULT : countOf('sample', read.sample, SAMPLE_MAX);
  return { kind: 'fields', range, sample };
}

export function tailRequest(given: Parameters, asker: Asker): TailRequest {
  const read = textsOf(given, PARAMETERS.tail);
  const { range, stages } = readRange(read, asker);
  noStages(stages, 'what comes is not counted');
  const last = read.last === undefined ? 0 : countOf('last', read.last, LAST_MAX);
  const query = { ...range, by: range.name === undefined ? 'arrival_time' : 'arrival' } as const;
  return { kind: 'tail', query, isStored: false, last };
}

export function storeRequest(given: Parameters): StoreRequest {
  textsOf(given, PARAMETERS.store);
  return { kind: 'store' };
}

type Texts<K extends string> = Readonly<Partial<Record<K, string>>>;

/** Each once, as text; an empty one is none. */
function textsOf<K extends string>(given: Parameters, known: readonly K[]): Texts<K> {
  const found: Partial<Record<K, string>> = {};
  for (const [name, value] of Object.entries(given)) {
    const key = known.find((one) => one === name);
    if (key === undefined)
      throw wrong(
        `Cannot answer: there is no parameter ${JSON.stringify(name.slice(0, 80))}, but ${known.join(', ') || 'none'}`,
      );
    if (typeof value !== 'string') throw wrong(`Cannot answer: ${key} is there twice; give it once`);
    if (value !== '') found[key] = value;
  }
  return found;
}

function readRange(
  read: Texts<(typeof RANGE)[number]>,
  { tenant: own, nowMs }: Asker,
): { range: Range; stages: Read['stages'] } {
  const { q = '', name, from, to, tenant: asked } = read;
  if (own !== null && asked !== undefined && asked !== own)
    throw new SluiceError('tenant_refused', 'Cannot search: this token is of another tenant');
  const tenant = own ?? asked;
  for (const text of [name, tenant])
    if (text !== undefined && text.length > NAME_MAX)
      throw wrong(`Cannot search: a name has at most ${NAME_MAX} characters`);
  const { where: written, stages } = readQuery(q, nowMs);
  const where = asUsage(() => chosenWhere(written, read, nowMs)) ?? written;
  return {
    stages,
    range: {
      where,
      ...(name === undefined ? {} : { name }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(from === undefined ? {} : { since: asUsage(() => timeArgument('from', from, nowMs)) }),
      ...(to === undefined ? {} : { until: asUsage(() => timeArgument('to', to, nowMs)) }),
    },
  };
}

type Read = Exclude<ParsedQuery, { readonly mistake: unknown }>;

function readQuery(q: string, nowMs: number): Read {
  const parsed = parseQuery(q, { nowMs });
  if (!('mistake' in parsed)) return parsed;
  throw new QueryError(`Cannot read the query: ${mistakeText(q, parsed.mistake)}`, parsed.mistake.at);
}

function noStages(stages: Read['stages'], why: string): void {
  if (stages.length > 0) throw wrong(`Cannot answer: a bar has no place in this query: ${why}; see /api/search`);
}

/** What commands call a wrong usage is a wrong query here. */
function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'usage_wrong') throw wrong(error.message.replace(' --', ' '));
    throw error;
  }
}

function orderOf(text: string): 'newest' | 'oldest' {
  if (text !== 'newest' && text !== 'oldest') throw wrong('Cannot read order: give newest or oldest');
  return text;
}

function countOf(name: string, text: string, max: number): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > max) throw wrong(`Cannot read ${name}: give a number from 1 to ${max}`);
  return count;
}

function spanOf(text: string): number {
  const [, count = '0', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? 0);
  if (ms === 0) throw wrong('Cannot read every: give a span such as 30s, 5m, 1h or 1d');
  return ms;
}

function readableSpan(ms: number): number {
  return SPANS.find((span) => ms / span <= SPANS_WANTED) ?? Math.ceil(ms / SPANS_WANTED / DAY) * DAY;
}

const wrong = (message: string): SluiceError => new SluiceError('query_wrong', message);
