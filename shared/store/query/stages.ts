// What is made of the documents that a query finds, behind its bars:
//
//   | count by log.level, 5m       | stats avg(took), p99(took) by url.path      | top 5 container.name
//   | sort -took                   | fields @timestamp, level, message           | head 20
//
// Documents become rows by `count`, `top` or `stats`, which come first; `sort`, `fields` and `head` apply to what there
// is by then. Pure and total: a tree, or a mistake and its place.

import { fieldNamed } from './fields.ts';
import type { Field } from '../where.ts';
import { Mistake } from './query-mistake.ts';

export interface Measure {
  /** `count`, `avg`, …, or `p` with a number up to 100. */
  readonly name: string;
  /** Of which field; `count` alone has none. */
  readonly field: Field | null;
  /** Of its column: as it was written. */
  readonly column: string;
}

export interface Grouping {
  readonly fields: readonly Field[];
  /** Spans of time, in milliseconds. */
  readonly everyMs: number | null;
}

export interface SortKey {
  readonly name: string;
  readonly descending: boolean;
}

export type Stage =
  | { readonly kind: 'stats'; readonly measures: readonly Measure[]; readonly by: Grouping }
  | { readonly kind: 'sort'; readonly keys: readonly SortKey[] }
  | { readonly kind: 'fields'; readonly names: readonly string[] }
  | { readonly kind: 'head'; readonly count: number };

const COUNT: Measure = { name: 'count', field: null, column: 'count' };
const TOP_DEFAULT = 10;
const STAGES_MAX = 10;
const ITEMS_MAX = 20;
/** More is not sorted, nor shown. */
const HEAD_MAX = 10_000;

const TOKEN = /\s*(?:([|,()])|"([^"]*)"|((?:[^\s|,()"\\]|\\.)+))/sy;
const SPAN = /^(\d{1,6})(s|m|h|d)$/;
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MEASURES: readonly string[] = ['count', 'avg', 'sum', 'min', 'max', 'uniq'];
const PERCENTILE = /^p(\d{1,2}(?:\.\d+)?|100)$/;
const FORMS = 'count by …, top N …, stats avg(…) by …, sort …, fields … or head N';

/** `start`: of the first bar, or where nothing follows. */
export function parseStages(text: string, start: number): Stage[] {
  const tokens = tokensOf(text, start);
  const stages: Stage[] = [];
  while (tokens.next() === '|') {
    const at = tokens.at;
    if (stages.length >= STAGES_MAX) throw new Mistake(`it has more than ${STAGES_MAX} bars`, at);
    const made = stageOf(tokens);
    if (made[0]?.kind === 'stats' && stages.length > 0)
      throw new Mistake('count, top and stats are about documents: they come first, and once', at);
    stages.push(...made);
  }
  return stages;
}

class Tokens {
  readonly #tokens: readonly { readonly text: string; readonly at: number; readonly isSign: boolean }[];
  readonly #end: number;
  #next = 0;

  constructor(
    tokens: readonly { readonly text: string; readonly at: number; readonly isSign: boolean }[],
    end: number,
  ) {
    this.#tokens = tokens;
    this.#end = end;
  }

  /** Where the next one stands. */
  get at(): number {
    return this.#tokens[this.#next]?.at ?? this.#end;
  }

  next(): string {
    return this.#tokens[this.#next++]?.text ?? '';
  }

  /** Takes the next one if it is this word or sign. */
  takes(text: string): boolean {
    const token = this.#tokens[this.#next];
    if (token?.text !== text) return false;
    this.#next++;
    return true;
  }

  /** Takes the next one, which has to be a name or a number. */
  word(what: string): string {
    const token = this.#tokens[this.#next];
    if (token === undefined || token.isSign) throw new Mistake(`here ${what} is missing`, this.at);
    this.#next++;
    return token.text;
  }

  get isStageEnd(): boolean {
    const token = this.#tokens[this.#next];
    return token === undefined || (token.isSign && token.text === '|');
  }
}

function tokensOf(text: string, start: number): Tokens {
  const tokens: { text: string; at: number; isSign: boolean }[] = [];
  TOKEN.lastIndex = start;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [all, sign, quoted, bare = ''] = match;
    const at = match.index + all.length - all.trimStart().length;
    tokens.push({ text: sign ?? quoted ?? bare.replaceAll(/\\(.)/gsu, '$1'), at, isSign: sign !== undefined });
    start = TOKEN.lastIndex;
  }
  const rest = text.slice(start).trimStart();
  if (rest !== '') throw new Mistake('this cannot be read', text.length - rest.length);
  return new Tokens(tokens, text.length);
}

function stageOf(tokens: Tokens): Stage[] {
  const { at } = tokens;
  const name = tokens.word('what to do').toLowerCase();
  const stages = stagesNamed(name, tokens);
  if (stages === null) throw new Mistake(`there is no "${name}": write ${FORMS}`, at);
  if (!tokens.isStageEnd) throw new Mistake(`${name} ends here`, tokens.at);
  return stages;
}

function stagesNamed(name: string, tokens: Tokens): Stage[] | null {
  switch (name) {
    case 'count':
      return [{ kind: 'stats', measures: [COUNT], by: groupingOf(tokens) }];
    case 'stats':
      return [{ kind: 'stats', measures: listOf(tokens, measureOf), by: groupingOf(tokens) }];
    case 'top':
      return top(tokens);
    case 'sort':
      tokens.takes('by');
      return [{ kind: 'sort', keys: listOf(tokens, sortKeyOf) }];
    case 'fields':
      return [{ kind: 'fields', names: listOf(tokens, columnOf) }];
    case 'head':
      return [{ kind: 'head', count: countOf(tokens) }];
    default:
      return null;
  }
}

function top(tokens: Tokens): Stage[] {
  const { at } = tokens;
  const first = tokens.word('a field');
  const isCount = /^\d+$/.test(first);
  if (isCount && Number(first) > HEAD_MAX) throw new Mistake(`this is above ${HEAD_MAX}`, at);
  const fields = isCount ? [fieldOf(tokens)] : [fieldNamed(first)];
  while (tokens.takes(',')) {
    if (fields.length >= ITEMS_MAX) throw tooMany(tokens);
    fields.push(fieldOf(tokens));
  }
  return [
    { kind: 'stats', measures: [COUNT], by: { fields, everyMs: null } },
    { kind: 'sort', keys: [{ name: 'count', descending: true }] },
    { kind: 'head', count: isCount ? Number(first) : TOP_DEFAULT },
  ];
}

function listOf<T>(tokens: Tokens, read: (tokens: Tokens) => T): T[] {
  const items = [read(tokens)];
  while (tokens.takes(',')) {
    if (items.length >= ITEMS_MAX) throw tooMany(tokens);
    items.push(read(tokens));
  }
  return items;
}

const tooMany = (tokens: Tokens): Mistake => new Mistake(`these are more than ${ITEMS_MAX}`, tokens.at);

const fieldOf = (tokens: Tokens): Field => fieldNamed(tokens.word('a field'));

function groupingOf(tokens: Tokens): Grouping {
  if (!tokens.takes('by')) return { fields: [], everyMs: null };
  const fields: Field[] = [];
  let everyMs: number | null = null;
  for (const { text, at } of listOf(tokens, () => ({
    at: tokens.at,
    text: tokens.word('a field or a span of time'),
  }))) {
    const [, count, unit = ''] = SPAN.exec(text) ?? [];
    if (count === undefined) {
      fields.push(fieldNamed(text));
      continue;
    }
    if (everyMs !== null || Number(count) === 0) throw new Mistake('there is one span of time, above 0', at);
    everyMs = Number(count) * (UNITS[unit] ?? 0);
  }
  return { fields, everyMs };
}

export const isMeasure = (name: string): boolean => MEASURES.includes(name) || PERCENTILE.test(name);

function measureOf(tokens: Tokens): Measure {
  const { at } = tokens;
  const name = tokens.word('a measure, such as avg(duration_ms),').toLowerCase();
  if (!isMeasure(name)) throw new Mistake(`there is no measure "${name}": ${MEASURES.join(', ')}, and p50 to p100`, at);
  const isOpen = tokens.takes('(');
  if (name === 'count' && (!isOpen || tokens.takes(')'))) return COUNT;
  if (!isOpen) throw new Mistake(`write ${name}(field)`, at);
  const written = tokens.word('a field');
  if (!tokens.takes(')')) throw new Mistake('here ) is missing', tokens.at);
  return { name, field: fieldNamed(written), column: `${name}(${written})` };
}

function sortKeyOf(tokens: Tokens): SortKey {
  const column = columnOf(tokens);
  const isDown = column.startsWith('-') && column.length > 1;
  return {
    name: isDown ? column.slice(1) : column,
    descending: tokens.takes('desc') || (!tokens.takes('asc') && isDown),
  };
}

/** A field, or a measure as it was written: `avg(took)`. */
function columnOf(tokens: Tokens): string {
  const name = tokens.word('a column');
  if (!tokens.takes('(')) return name;
  const field = tokens.word('a field');
  if (!tokens.takes(')')) throw new Mistake('here ) is missing', tokens.at);
  return `${name}(${field})`;
}

function countOf(tokens: Tokens): number {
  const { at } = tokens;
  const text = tokens.word('a number');
  if (!/^\d{1,9}$/.test(text) || Number(text) > HEAD_MAX) throw new Mistake(`give a number up to ${HEAD_MAX}`, at);
  return Number(text);
}

/** The fields by which documents are grouped, and of which something is measured. */
export function stageFields(stages: readonly Stage[]): Field[] {
  return stages.flatMap((stage) =>
    stage.kind === 'stats' ? [...stage.by.fields, ...stage.measures.flatMap(({ field }) => field ?? [])] : [],
  );
}
