// Runs the stages behind a query's bars: reads the documents that the query finds, page by page, and prints the rows
// that come of them. Documents are counted in this process, whichever store they come from: each is read once, and
// none is kept.

import type { Clock } from '#shared/clock.ts';
import { harmless } from '#shared/harmless.ts';
import type { SortKey, Stage } from '#shared/store/query/stages.ts';
import type { Store, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import type { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { Aggregate } from './aggregate.ts';
import { FirstRows } from './first-rows.ts';
import { arranged, documentRow, type Table } from './rows.ts';
import { csvText, jsonText, tableText } from './table.ts';

export type Format = 'table' | 'csv' | 'json';

export interface Reading {
  readonly store: Store;
  readonly query: Omit<StoreQuery, 'limit'>;
  readonly stages: readonly Stage[];
  /** Of rows; Infinity for all. */
  readonly limit: number;
  readonly format: Format;
  readonly output: Output;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What is kept while documents are sorted. */
const SORTED_MAX = 10_000;
/** Of values, in UTF-16 units. */
const SORTED_BYTES = 64 * 1024 * 1024;
const DEFAULT_COLUMNS = ['@timestamp', 'container.name', 'log.level', 'message'];

/** Prints what the stages make of it. Resolves to how many documents were read. */
export async function printResult(reading: Reading): Promise<number> {
  const { stages } = reading;
  let read = 0;
  const pages = async function* (limit: number): AsyncGenerator<readonly StoredDocument[]> {
    for await (const { documents } of reading.store.pages({ ...reading.query, limit }, reading.signal)) {
      read += documents.length;
      yield documents;
      if (reading.output.closed) return;
    }
  };
  const [first, ...rest] = stages;
  if (first?.kind !== 'stats' && !stages.some(({ kind }) => kind === 'sort')) {
    await printDocuments(reading, pages);
    return read;
  }
  let table: Table;
  {
    // Away before anything is printed: both may be the same terminal.
    const { output, clock } = reading;
    using progress = new Progress({ stderr: output.stderr, clock }, () => `${read} documents read`);
    const warn = (line: string) => progress.warn(line);
    table = first?.kind === 'stats' ? await counted(first, rest, pages, warn) : await sorted(reading, pages, warn);
  }
  await printRows(reading, table);
  return read;
}

type Pages = (limit: number) => AsyncGenerator<readonly StoredDocument[]>;

async function counted(
  { measures, by }: Stage & { readonly kind: 'stats' },
  rest: readonly Stage[],
  pages: Pages,
  warn: (line: string) => void,
): Promise<Table> {
  const aggregate = new Aggregate(measures, by);
  // A wrong column is told before all is read.
  arranged({ columns: aggregate.columns, rows: [] }, rest);
  for await (const documents of pages(Infinity)) for (const { source } of documents) aggregate.add(source);
  if (aggregate.leftOut > 0)
    warn(`there are too many groups: ${aggregate.leftOut} documents are in none; narrow the query, or group by less`);
  if (aggregate.isCut) warn('there are too many values: uniq and percentiles are of a part of them');
  return arranged({ columns: aggregate.columns, rows: aggregate.rows() }, rest);
}

/** Documents in the order that is asked for: of those that a `head` before it leaves, the first ones. */
async function sorted({ stages, limit }: Reading, pages: Pages, warn: (line: string) => void): Promise<Table> {
  const columns = columnsOf(stages);
  const isHead = ({ kind }: Stage): boolean => kind === 'head';
  const start = stages.findIndex(({ kind }) => kind === 'sort');
  const end = stages.findIndex((stage, i) => i > start && isHead(stage));
  const [before, behind] = [stages.slice(0, start), end < 0 ? [] : stages.slice(end)];
  // Of several orders, the last decides, and those before it where it does not.
  const keys = sortKeysOf(stages.slice(start, end < 0 ? undefined : end).toReversed());
  const names = [...new Set([...columns, ...sortKeysOf(stages).map(({ name }) => name)])];
  const most = Math.min(end < 0 ? limit : headOf(behind.slice(0, 1)), SORTED_MAX);
  const first = new FirstRows({ keys, rowsMax: most, bytesMax: SORTED_BYTES });
  for await (const documents of pages(headOf(before)))
    for (const { source } of documents) first.add(documentRow(source, names));
  const found = first.rows();
  const { isCutByBytes, dropped } = first;
  if (isCutByBytes && found.length < most)
    warn(`only the first ${found.length} are shown: their values take too much memory; choose \`fields\`, or give -n`);
  else if (dropped > 0 && most === SORTED_MAX) warn(`only the first ${SORTED_MAX} are shown`);
  const orders = behind.filter(({ kind }) => kind !== 'fields');
  return { columns, rows: arranged({ columns: names, rows: found }, orders).rows };
}

const sortKeysOf = (stages: readonly Stage[]): readonly SortKey[] =>
  stages.flatMap((stage) => (stage.kind === 'sort' ? stage.keys : []));

async function printDocuments({ stages, limit, format, output }: Reading, pages: Pages): Promise<void> {
  const columns = columnsOf(stages);
  let isFirst = true;
  for await (const documents of pages(Math.min(limit, headOf(stages)))) {
    const rows = documents.map(({ source }) => documentRow(source, columns));
    await output.write(printed(textOf({ columns, rows }, format, isFirst), output));
    isFirst = false;
  }
}

async function printRows({ limit, format, output }: Reading, { columns, rows }: Table): Promise<void> {
  const shown = limit === Infinity ? rows : rows.slice(0, limit);
  await output.write(printed(textOf({ columns, rows: shown }, format, true), output));
}

function textOf({ columns, rows }: Table, format: Format, withHeader: boolean): string {
  if (format === 'json') return jsonText(columns, rows);
  if (format === 'csv') return csvText(columns, rows, withHeader);
  return rows.length === 0 ? '' : tableText(columns, rows, withHeader);
}

const printed = (text: string, { stdout }: Output): string => (stdout.isTTY === true ? harmless(text) : text);

function columnsOf(stages: readonly Stage[]): readonly string[] {
  return stages.findLast((stage) => stage.kind === 'fields')?.names ?? DEFAULT_COLUMNS;
}

const headOf = (stages: readonly Stage[]): number =>
  Math.min(Infinity, ...stages.map((stage) => (stage.kind === 'head' ? stage.count : Infinity)));
