// Runs the stages behind a query's bars: reads the documents that the query finds, page by page, and gives the rows
// that come of them. Documents are counted in this process, unless they are those of another Sluice: each is read once,
// and none is kept.

import type { SortKey, Stage } from '#shared/store/query/stages.ts';
import type { ReadableStore, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { Aggregate } from './aggregate.ts';
import { FirstRows } from './first-rows.ts';
import { arranged, documentRow, type Table } from './rows.ts';

/** A store that is searched; one that is far away makes the rows of a whole table there. */
export interface Searched extends ReadableStore {
  table?(wanted: TablesWanted, reader: TableReader): Promise<Table>;
}

export interface TablesWanted {
  readonly store: Searched;
  readonly query: Omit<StoreQuery, 'limit'>;
  readonly stages: readonly Stage[];
  /** Of rows; Infinity for all. */
  readonly limit: number;
  readonly signal: AbortSignal;
  /** What may be kept while documents are counted or sorted; as much as a command may, if not given. */
  readonly memoryBytes?: number;
}

export interface TableReader {
  /** Further documents were read. */
  read(documents: number): void;
  /** Something about the rows that whoever sees them should know. */
  warn(line: string): void;
  /** Whether nobody wants any more. */
  readonly isGone: boolean;
}

/** What is kept while documents are sorted. */
const SORTED_MAX = 10_000;
/** Of values, in UTF-16 units. */
const SORTED_BYTES = 64 * 1024 * 1024;
const DEFAULT_COLUMNS = ['@timestamp', 'container.name', 'log.level', 'message'];

/** Whether its rows come as documents are read; else all at once, at the end. */
export function isStreamed(stages: readonly Stage[]): boolean {
  return stages[0]?.kind !== 'stats' && !stages.some(({ kind }) => kind === 'sort');
}

/** Of a query whose rows come as documents are read: a table for each page. */
export async function* streamedTables(wanted: TablesWanted, reader: TableReader): AsyncGenerator<Table, void, void> {
  const columns = columnsOf(wanted.stages);
  for await (const documents of pagesOf(wanted, Math.min(wanted.limit, headOf(wanted.stages)), reader))
    yield { columns, rows: documents.map(({ source }) => documentRow(source, columns)) };
}

/** Of any other: all rows. Rejects with usage_wrong where a column is asked for that is not there. */
export async function wholeTable(wanted: TablesWanted, reader: TableReader): Promise<Table> {
  if (wanted.store.table !== undefined) return wanted.store.table(wanted, reader);
  const [first, ...rest] = wanted.stages;
  const { columns, rows } =
    first?.kind === 'stats' ? await counted(wanted, first, rest, reader) : await sorted(wanted, reader);
  return { columns, rows: wanted.limit === Infinity ? rows : rows.slice(0, wanted.limit) };
}

async function* pagesOf(
  { store, query, signal }: TablesWanted,
  limit: number,
  reader: TableReader,
): AsyncGenerator<readonly StoredDocument[], void, void> {
  for await (const { documents } of store.pages({ ...query, limit }, signal)) {
    reader.read(documents.length);
    yield documents;
    if (reader.isGone) return;
  }
}

async function counted(
  wanted: TablesWanted,
  { measures, by }: Stage & { readonly kind: 'stats' },
  rest: readonly Stage[],
  reader: TableReader,
): Promise<Table> {
  const aggregate = new Aggregate(measures, by, wanted.memoryBytes);
  // A wrong column is told before all is read.
  arranged({ columns: aggregate.columns, rows: [] }, rest);
  if (!(await addCounts(aggregate, by.everyMs, wanted, reader)))
    for await (const documents of pagesOf(wanted, Infinity, reader))
      for (const { source } of documents) aggregate.add(source);
  const { leftOut } = aggregate;
  if (leftOut > 0)
    reader.warn(`there are too many groups: ${leftOut} documents are in none; narrow the query, or group by less`);
  if (aggregate.isCut) reader.warn('there are too many values: uniq and percentiles are of a part of them');
  return arranged({ columns: aggregate.columns, rows: aggregate.rows() }, rest);
}

/** What the store counts without reading documents; false where they have to be read. */
async function addCounts(
  aggregate: Aggregate,
  everyMs: number | null,
  { store, query, signal }: TablesWanted,
  reader: TableReader,
): Promise<boolean> {
  const counts = aggregate.isOfCounts ? await store.counts?.(query, everyMs, signal) : null;
  if (counts === null || counts === undefined) return false;
  for (const [startMs, documents] of counts) {
    aggregate.addCounted(startMs, documents);
    reader.read(documents);
  }
  return true;
}

/** Documents in the order that is asked for: of those that a `head` before it leaves, the first ones. */
async function sorted(wanted: TablesWanted, reader: TableReader): Promise<Table> {
  const { stages, limit } = wanted;
  const columns = columnsOf(stages);
  const isHead = ({ kind }: Stage): boolean => kind === 'head';
  const start = stages.findIndex(({ kind }) => kind === 'sort');
  const end = stages.findIndex((stage, i) => i > start && isHead(stage));
  const [before, behind] = [stages.slice(0, start), end < 0 ? [] : stages.slice(end)];
  // Of several orders, the last decides, and those before it where it does not.
  const keys = sortKeysOf(stages.slice(start, end < 0 ? undefined : end).toReversed());
  const names = [...new Set([...columns, ...sortKeysOf(stages).map(({ name }) => name)])];
  const most = Math.min(end < 0 ? limit : headOf(behind.slice(0, 1)), SORTED_MAX);
  // Of UTF-16 units, in twice as many bytes.
  const bytesMax = Math.min(SORTED_BYTES, (wanted.memoryBytes ?? Infinity) / 2);
  const first = new FirstRows({ keys, rowsMax: most, bytesMax });
  for await (const documents of pagesOf(wanted, headOf(before), reader))
    for (const { source } of documents) first.add(documentRow(source, names));
  const found = first.rows();
  const { isCutByBytes, dropped } = first;
  if (isCutByBytes && found.length < most)
    reader.warn(
      `only the first ${found.length} are shown: their values take too much memory; choose \`fields\`, or give -n`,
    );
  else if (dropped > 0 && most === SORTED_MAX) reader.warn(`only the first ${SORTED_MAX} are shown`);
  const orders = behind.filter(({ kind }) => kind !== 'fields');
  return { columns, rows: arranged({ columns: names, rows: found }, orders).rows };
}

const sortKeysOf = (stages: readonly Stage[]): readonly SortKey[] =>
  stages.flatMap((stage) => (stage.kind === 'sort' ? stage.keys : []));

function columnsOf(stages: readonly Stage[]): readonly string[] {
  return stages.findLast((stage) => stage.kind === 'fields')?.names ?? DEFAULT_COLUMNS;
}

const headOf = (stages: readonly Stage[]): number =>
  Math.min(Infinity, ...stages.map((stage) => (stage.kind === 'head' ? stage.count : Infinity)));
