// What stands behind the bars of a query, done the plainest way: stage after stage, over all documents or rows that are
// there by then, none of it in bounded memory. The command's own counting (services/sluice/search) is held against it.

import { fieldNamed, shortName } from '#shared/store/query/fields.ts';
import type { Grouping, Measure, SortKey, Stage } from '#shared/store/query/stages.ts';
import { compareDecimals, decimalIn } from './decimals.ts';
import { type PlainDocument, plainInstant, plainNamedValues } from './plain-document.ts';

export type PlainRow = Readonly<Record<string, string | number | null>>;

const DEFAULT_COLUMNS = ['@timestamp', 'container.name', 'log.level', 'message'];
const GROUPS_OF_DOCUMENT_MAX = 100;
const FILLED_MAX = 2000;

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly PlainRow[];
}

/** `documents`: in the order in which they are read. Null where a column is named that is not there. */
export function plainRows(documents: readonly PlainDocument[], stages: readonly Stage[]): PlainRow[] | null {
  const [first, ...rest] = stages;
  const table =
    first?.kind === 'stats'
      ? arranged(grouped(documents, first.measures, first.by), rest)
      : arrangedDocuments(documents, stages);
  if (table === null) return null;
  const { columns, rows } = table;
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column] ?? null])));
}

function arranged(table: Table, stages: readonly Stage[]): Table | null {
  let { columns, rows } = table;
  const found = (name: string): string | undefined =>
    [name, shortName(fieldNamed(name))].find((one) => columns.includes(one));
  for (const stage of stages) {
    if (stage.kind === 'head') rows = rows.slice(0, stage.count);
    else if (stage.kind === 'fields') {
      const names = stage.names.map(found);
      if (names.includes(undefined)) return null;
      columns = names as string[];
    } else if (stage.kind === 'sort') {
      const keys = stage.keys.map(({ name, descending }) => ({ name: found(name), descending }));
      if (keys.some(({ name }) => name === undefined)) return null;
      rows = sorted(rows, keys as SortKey[]);
    }
  }
  return { columns, rows };
}

/** Documents may be sorted by what is not shown, and shown by what was not shown before. */
function arrangedDocuments(documents: readonly PlainDocument[], stages: readonly Stage[]): Table {
  let left = documents;
  let columns: readonly string[] = DEFAULT_COLUMNS;
  for (const stage of stages) {
    if (stage.kind === 'head') left = left.slice(0, stage.count);
    else if (stage.kind === 'fields') columns = stage.names;
    else if (stage.kind === 'sort') {
      const names = stage.keys.map(({ name }) => name);
      const before = left;
      const rows = before.map((document, at) => ({ ...rowOf(document, names), at }));
      left = sorted(rows, stage.keys).flatMap(({ at }) => before[Number(at)] ?? []);
    }
  }
  return { columns, rows: left.map((document) => rowOf(document, columns)) };
}

function rowOf(document: PlainDocument, names: readonly string[]): PlainRow {
  return Object.fromEntries(
    names.map((name) => {
      const values = plainNamedValues(document, fieldNamed(name));
      const text = values.join(', ');
      if (values.length === 0) return [name, null];
      const isNumber = values.length === 1 && decimalIn(text) !== null && String(Number(text)) === text;
      return [name, isNumber ? Number(text) : text];
    }),
  );
}

function sorted(rows: readonly PlainRow[], keys: readonly SortKey[]): PlainRow[] {
  return rows.toSorted((a, b) => {
    for (const { name, descending } of keys) {
      const [x, y] = [a[name] ?? null, b[name] ?? null];
      if (x === null && y === null) continue;
      if (x === null || y === null) return x === null ? 1 : -1;
      const order = compared(x, y);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
}

/** Numbers by their size come before texts. */
function compared(x: string | number, y: string | number): number {
  const [a, b] = [decimalIn(String(x)), decimalIn(String(y))];
  if (a !== null && b !== null) return compareDecimals(a, b);
  if (a !== null || b !== null) return a === null ? 1 : -1;
  return String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0;
}

interface Group {
  readonly names: readonly (string | null)[];
  readonly documents: PlainDocument[];
}

function grouped(documents: readonly PlainDocument[], measures: readonly Measure[], written: Grouping): Table {
  const fields = [...new Map(written.fields.map((field) => [field.path, field])).values()];
  const by = { ...written, fields };
  const isMeasure = (name: string): boolean => measures.some(({ column }) => column === name);
  const fieldColumns = fields.map((field) => (isMeasure(shortName(field)) ? field.path : shortName(field)));
  const nameColumns = [...(by.everyMs === null ? [] : ['@timestamp']), ...fieldColumns];
  const groups: Group[] = [];
  for (const document of documents)
    for (const names of groupsOf(document, by)) {
      const known = groups.find((group) => group.names.every((name, i) => name === names[i]));
      if (known === undefined) groups.push({ names, documents: [document] });
      else known.documents.push(document);
    }
  if (nameColumns.length === 0 && groups.length === 0) groups.push({ names: [], documents: [] });
  if (by.everyMs !== null && by.fields.length === 0) groups.push(...emptySpans(groups, by.everyMs));
  const rows = groups.map((group) =>
    Object.fromEntries([
      ...group.names.map((name, i) => [nameColumns[i], name] as const),
      ...measures.map((measure) => [measure.column, measured(measure, group.documents)] as const),
    ]),
  );
  const key = { name: nameColumns[0] ?? '', descending: false };
  const order = by.everyMs === null ? { name: measures[0]?.column ?? '', descending: true } : key;
  const columns = [...new Set([...nameColumns, ...measures.map(({ column }) => column)])];
  return { columns, rows: sorted(rows as PlainRow[], [order]) };
}

function groupsOf(document: PlainDocument, { everyMs, fields }: Grouping): (string | null)[][] {
  let groups: (string | null)[][] = [everyMs === null ? [] : [spanOf(document, everyMs)]];
  for (const field of fields) {
    const values = new Set<string | null>(plainNamedValues(document, field));
    if (values.size === 0) values.add(null);
    groups = groups.flatMap((group) => [...values].map((value) => [...group, value])).slice(0, GROUPS_OF_DOCUMENT_MAX);
  }
  return groups;
}

function spanOf(document: PlainDocument, everyMs: number): string {
  const time = plainInstant(plainNamedValues(document, fieldNamed('@timestamp'))[0] ?? '') ?? 0n;
  const length = BigInt(everyMs) * 1_000_000n;
  return spanText(Number((time - (time % length)) / 1_000_000n));
}

const spanText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

/** Of no documents, between those that have some. */
function emptySpans(groups: readonly Group[], everyMs: number): Group[] {
  const there = groups.map(({ names }) => Date.parse(names[0] ?? '')).toSorted((a, b) => a - b);
  const [first = 0, last = first] = [there[0], there.at(-1)];
  if ((last - first) / everyMs > FILLED_MAX) return [];
  const empty: Group[] = [];
  for (let ms = first; ms < last; ms += everyMs)
    if (!there.includes(ms)) empty.push({ names: [spanText(ms)], documents: [] });
  return empty;
}

function measured({ name, field }: Measure, documents: readonly PlainDocument[]): number | null {
  if (field === null) return documents.length;
  const values = documents.flatMap((document) => plainNamedValues(document, field));
  if (name === 'count') return values.length;
  if (name === 'uniq') return new Set(values).size;
  const numbers = values.filter((value) => decimalIn(value) !== null).map(Number);
  if (numbers.length === 0) return null;
  const sum = numbers.reduce((all, number) => all + number, 0);
  if (name === 'sum') return sum;
  if (name === 'avg') return sum / numbers.length;
  const ascending = numbers.toSorted((a, b) => a - b);
  if (name === 'min') return ascending[0] ?? null;
  if (name === 'max') return ascending.at(-1) ?? null;
  const rank = Math.max(1, Math.ceil((Number(name.slice(1)) / 100) * ascending.length));
  return Number((ascending[rank - 1] ?? 0).toPrecision(4));
}
