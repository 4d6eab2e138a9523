// Documents → the rows of `count`, `top` and `stats`: one for each group, in memory that does not grow with the
// documents. What has several values in the field of a group counts in the group of each; what has none, in one of
// null.
//
// Pure. Beyond a number of groups, and a number of bytes, new groups and new values are left out, and that is told:
// `leftOut` and `isCut`.

import { parseInstant } from '#shared/store/instant.ts';
import { type Document, namedValues } from '#shared/store/query/document-values.ts';
import { fieldNamed, shortName } from '#shared/store/query/fields.ts';
import { CODE_END, numberIn, orderedNumber } from '#shared/store/query/number-order.ts';
import type { Grouping, Measure } from '#shared/store/query/stages.ts';
import { Percentiles } from './percentiles.ts';

/** By column. Null: there was nothing. */
export type Row = Readonly<Record<string, string | number | null>>;

const GROUPS_MAX = 50_000;
/** That one document may be counted in. */
const GROUPS_OF_DOCUMENT_MAX = 100;
/** Of all groups with their values; about. */
const BYTES_MAX = 256 * 1024 * 1024;
const GROUP_BYTES = 500;
/** Of each measure of a group, before there are values. */
const MEASURE_BYTES = 400;
/** Spans of a chart. */
const FILLED_MAX = 2000;
const TIME = fieldNamed('@timestamp');
const NS_PER_MS = 1_000_000n;

interface Group {
  readonly names: readonly (string | null)[];
  readonly sums: readonly Sum[];
}

export class Aggregate {
  /** Documents that are in no group, for there were too many groups. */
  leftOut = 0;
  readonly #memory: Memory;
  readonly columns: readonly string[];
  readonly #measures: readonly Measure[];
  readonly #by: Grouping;
  readonly #groups = new Map<string, Group>();

  constructor(measures: readonly Measure[], by: Grouping, bytesMax = BYTES_MAX) {
    this.#memory = { left: bytesMax, isCut: false };
    this.#measures = measures;
    const measured = measures.map(({ column }) => column);
    // Twice the same field is one, by whatever names.
    const fields = by.fields.filter(({ path }, i) => by.fields.findIndex((other) => other.path === path) === i);
    this.#by = { everyMs: by.everyMs, fields };
    const time = by.everyMs === null ? [] : [TIME.path];
    const names = fields.map((field) => (measured.includes(shortName(field)) ? field.path : shortName(field)));
    this.columns = [...time, ...names, ...new Set(measured)];
  }

  add(document: Document): void {
    const values = this.#measures.map(({ field }) => (field === null ? [] : namedValues(document, field)));
    let isLeftOut = false;
    for (const names of this.#groupsOf(document)) {
      const group = this.#group(names);
      if (group === null) isLeftOut = true;
      else for (const [i, sum] of group.sums.entries()) sum.add(values[i] ?? []);
    }
    if (isLeftOut) this.leftOut += 1;
  }

  /** Whether it is about nothing but how many documents there are, in spans of time or all together. */
  get isOfCounts(): boolean {
    return this.#by.fields.length === 0 && this.#measures.every(({ field }) => field === null);
  }

  /** So many documents, of the span of time that begins there; where `isOfCounts`. */
  addCounted(startMs: number, documents: number): void {
    const group = this.#group(this.#by.everyMs === null ? [] : [timeText(startMs)]);
    if (group === null) this.leftOut += documents;
    else for (const sum of group.sums) sum.addCounted(documents);
  }

  /** Null where there may be no more. */
  #group(names: readonly (string | null)[]): Group | null {
    const key = JSON.stringify(names);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const bytes = GROUP_BYTES + MEASURE_BYTES * this.#measures.length + 2 * key.length;
    if (this.#groups.size >= GROUPS_MAX || !takes(this.#memory, bytes)) return null;
    const group = { names, sums: this.#measures.map((measure) => new Sum(measure, this.#memory)) };
    this.#groups.set(key, group);
    return group;
  }

  /** Whether values are missing in `uniq` or percentiles. */
  get isCut(): boolean {
    return this.#memory.isCut;
  }

  /** The rows: in the order of time, where it is by time, else the largest first. */
  rows(): Row[] {
    const isByTime = this.#by.everyMs !== null;
    const rows: Row[] = [...this.#groups.values()].map(({ names, sums }) =>
      // Not by assignment: a column may be called __proto__.
      Object.fromEntries([
        ...names.map((name, i) => [this.columns[i] ?? '', name] as const),
        ...sums.map((sum) => [sum.measure.column, sum.value()] as const),
      ]),
    );
    if (rows.length === 0 && !isByTime && this.#by.fields.length === 0)
      return [
        Object.fromEntries(this.#measures.map((measure) => [measure.column, new Sum(measure, this.#memory).value()])),
      ];
    if (isByTime && this.#by.fields.length === 0) this.#fill(rows);
    const first = isByTime ? TIME.path : (this.#measures[0]?.column ?? '');
    return rows.toSorted((a, b) => (isByTime ? 1 : -1) * compareValues(a[first] ?? null, b[first] ?? null));
  }

  /** Spans without documents between those that have some, so that a chart shows them. */
  #fill(rows: Row[]): void {
    const everyMs = this.#by.everyMs ?? 1;
    const there = new Set(rows.map((row) => Date.parse(String(row[TIME.path]))));
    const spans = [...there].filter((ms) => !Number.isNaN(ms)).toSorted((a, b) => a - b);
    const [first = 0] = spans;
    const last = spans.at(-1) ?? 0;
    if ((last - first) / everyMs > FILLED_MAX) return;
    const empty = Object.fromEntries(
      this.#measures.map((measure) => [measure.column, new Sum(measure, this.#memory).value()]),
    );
    for (let ms = first; ms < last; ms += everyMs)
      if (!there.has(ms)) rows.push({ [TIME.path]: timeText(ms), ...empty });
  }

  #groupsOf(document: Document): (string | null)[][] {
    const { everyMs, fields } = this.#by;
    let groups: (string | null)[][] = [everyMs === null ? [] : [spanOf(document, everyMs)]];
    for (const field of fields) {
      const values = [...new Set(namedValues(document, field))];
      const names = values.length === 0 ? [null] : values;
      groups = groups.flatMap((group) => names.map((name) => [...group, name])).slice(0, GROUPS_OF_DOCUMENT_MAX);
    }
    return groups;
  }
}

/** Null first, then numbers by their exact size, then texts by their characters. */
export function compareValues(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  const [x, y] = [codeOf(a), codeOf(b)];
  if (x !== null || y !== null) return x === null ? 1 : y === null || x < y ? -1 : x > y ? 1 : 0;
  return a < b ? -1 : 1;
}

/** What sorts as the number does; null for what is none. */
function codeOf(value: string | number): string | null {
  if (typeof value === 'string') return numberIn(value);
  if (value === Infinity) return CODE_END;
  return value === -Infinity ? '' : orderedNumber(String(value));
}

function spanOf(document: Document, everyMs: number): string | null {
  const ns = parseInstant(namedValues(document, TIME)[0] ?? '');
  if (ns === null) return null;
  const ms = Number(ns / NS_PER_MS);
  return timeText(ms - (ms % everyMs));
}

const timeText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

interface Memory {
  left: number;
  isCut: boolean;
}

function takes(memory: Memory, bytes: number): boolean {
  if (memory.left < bytes) return false;
  memory.left -= bytes;
  return true;
}

const VALUE_BYTES = 64;

class Sum {
  readonly measure: Measure;
  readonly #memory: Memory;
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;
  readonly #unique: Set<string> | null;
  readonly #percentiles: Percentiles | null;

  constructor(measure: Measure, memory: Memory) {
    this.measure = measure;
    this.#memory = memory;
    this.#unique = measure.name === 'uniq' ? new Set() : null;
    this.#percentiles = /^p\d/.test(measure.name) ? new Percentiles() : null;
  }

  addCounted(documents: number): void {
    this.#count += documents;
  }

  add(values: readonly string[]): void {
    if (this.measure.field === null) {
      this.#count += 1;
      return;
    }
    for (const text of values) {
      if (this.measure.name === 'count') this.#count += 1;
      else if (this.#unique === null) this.#addNumber(text);
      else if (!this.#unique.has(text)) {
        if (takes(this.#memory, VALUE_BYTES + 2 * text.length)) this.#unique.add(text);
        else this.#memory.isCut = true;
      }
    }
  }

  #addNumber(text: string): void {
    if (numberIn(text) === null) return;
    const value = Number(text);
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    if (this.#percentiles?.add(value, () => takes(this.#memory, VALUE_BYTES)) === false) this.#memory.isCut = true;
  }

  value(): number | null {
    const { name } = this.measure;
    if (name === 'count') return this.#count;
    if (this.#unique !== null) return this.#unique.size;
    if (this.#percentiles !== null) return rounded(this.#percentiles.at(Number(name.slice(1))));
    if (this.#count === 0) return null;
    if (name === 'sum') return this.#sum;
    if (name === 'avg') return this.#sum / this.#count;
    return name === 'min' ? this.#min : this.#max;
  }
}

/** A percentile is right to two digits; more would look like more. */
const rounded = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(4)));
