// Prints the rows that the stages behind a query's bars make of documents: as a table, CSV or JSON lines.

import type { Clock } from '#shared/clock.ts';
import { harmless } from '#shared/harmless.ts';
import type { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { isStreamed, streamedTables, type TableReader, type TablesWanted, wholeTable } from './result-tables.ts';
import type { Table } from './rows.ts';
import { csvText, jsonText, tableText } from './table.ts';

export type Format = 'table' | 'csv' | 'json';

export interface Reading extends TablesWanted {
  readonly format: Format;
  readonly output: Output;
  readonly clock: Clock;
}

/** Prints what the stages make of it. Resolves to how many documents were read. */
export async function printResult(reading: Reading): Promise<number> {
  const { output, clock, stages } = reading;
  let read = 0;
  const readerWith = (warn: (line: string) => void): TableReader => ({
    read: (documents) => void (read += documents),
    warn,
    get isGone() {
      return output.closed;
    },
  });
  if (isStreamed(stages)) {
    let isFirst = true;
    const reader = readerWith(() => undefined);
    for await (const table of streamedTables(reading, reader)) {
      await printTable(reading, table, isFirst);
      isFirst = false;
    }
    return read;
  }
  let table: Table;
  {
    // Away before anything is printed: both may be the same terminal.
    using progress = new Progress({ stderr: output.stderr, clock }, () => `${read} documents read`);
    const reader = readerWith((line) => progress.warn(line));
    table = await wholeTable(reading, reader);
  }
  await printTable(reading, table, true);
  return read;
}

async function printTable({ format, output }: Reading, table: Table, withHeader: boolean): Promise<void> {
  await output.write(printed(textOf(table, format, withHeader), output));
}

function textOf({ columns, rows }: Table, format: Format, withHeader: boolean): string {
  if (format === 'json') return jsonText(columns, rows);
  if (format === 'csv') return csvText(columns, rows, withHeader);
  return rows.length === 0 ? '' : tableText(columns, rows, withHeader);
}

const printed = (text: string, { stdout }: Output): string => (stdout.isTTY === true ? harmless(text) : text);
