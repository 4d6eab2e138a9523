// Rows as text: a table with a bar for each count, CSV, or JSON lines. Pure.

import { oneLine } from '#shared/harmless.ts';
import type { Row } from './aggregate.ts';

const BAR_COLUMNS = 40;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/** A longer value is cut, so that a table stays one. */
const VALUE_MAX = 80;

/** A header and a line a row; numbers to the right; behind it a bar of the column `count`, where there is one. */
export function tableText(columns: readonly string[], rows: readonly Row[], withHeader: boolean): string {
  const cells = rows.map((row) => columns.map((column) => cellText(row[column] ?? null)));
  const widths = columns.map((column, i) =>
    cells.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), column.length),
  );
  const isNumber = columns.map((column) => rows.some((row) => typeof row[column] === 'number'));
  const aligned = (row: readonly string[]): string =>
    row.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ');
  const most = columns.includes('count') ? rows.reduce((max, row) => Math.max(max, Number(row['count'])), 0) : 0;
  let text = withHeader ? `${aligned(columns).trimEnd()}\n` : '';
  for (const [i, row] of cells.entries())
    text += `${`${aligned(row)}  ${barText(Number(rows[i]?.['count']), most)}`.trimEnd()}\n`;
  return text;
}

function barText(count: number, most: number): string {
  if (!(count > 0)) return '';
  const eighths = Math.max(1, Math.round((count / most) * BAR_COLUMNS * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

function cellText(value: string | number | null): string {
  if (value === null) return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  const line = oneLine(value.replaceAll('\t', ' '));
  return line.length > VALUE_MAX ? `${line.slice(0, VALUE_MAX - 1)}…` : line;
}

/** As RFC 4180 has it, with line feeds. What a spreadsheet would take for a formula is quoted with an apostrophe. */
export function csvText(columns: readonly string[], rows: readonly Row[], withHeader: boolean): string {
  const lines = rows.map((row) => columns.map((column) => csvCell(row[column] ?? null)).join(','));
  return [...(withHeader ? [columns.map(quoted).join(',')] : []), ...lines].map((line) => `${line}\n`).join('');
}

function csvCell(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const text = /^[=+@\t\r]|^-(?![\d.]+$)/.test(value) ? `'${value}` : value;
  return quoted(text);
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** An object a line, with the columns in their order. */
export function jsonText(columns: readonly string[], rows: readonly Row[]): string {
  return rows
    .map((row) => `${JSON.stringify(Object.fromEntries(columns.map((column) => [column, row[column] ?? null])))}\n`)
    .join('');
}
