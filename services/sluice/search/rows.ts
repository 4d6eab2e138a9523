// What `sort`, `fields` and `head` make of rows, and documents as rows. Pure.

import { SluiceError } from '#shared/errors.ts';
import { type Document, namedValues } from '#shared/store/query/document-values.ts';
import { fieldNamed, shortName } from '#shared/store/query/fields.ts';
import type { SortKey, Stage } from '#shared/store/query/stages.ts';
import { compareValues, type Row } from './aggregate.ts';

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** The stages in their order. Throws usage_wrong for a column that is not there. */
export function arranged(table: Table, stages: readonly Stage[]): Table {
  let { columns, rows } = table;
  for (const stage of stages) {
    if (stage.kind === 'head') rows = rows.slice(0, stage.count);
    else if (stage.kind === 'fields') columns = stage.names.map((name) => columnOf(columns, name));
    else if (stage.kind === 'sort') {
      const keys = stage.keys.map((key) => ({ ...key, name: columnOf(columns, key.name) }));
      rows = rows.toSorted((a, b) => compareRows(a, b, keys));
    }
  }
  return { columns, rows };
}

/** What has nothing to be sorted by comes last, either way. */
export function compareRows(a: Row, b: Row, keys: readonly SortKey[]): number {
  for (const { name, descending } of keys) {
    const [x, y] = [a[name] ?? null, b[name] ?? null];
    const order = compareValues(x, y);
    if (order !== 0) return x === null || y === null ? -order : descending ? -order : order;
  }
  return 0;
}

function columnOf(columns: readonly string[], name: string): string {
  const found = [name, shortName(fieldNamed(name))].find((one) => columns.includes(one));
  if (found === undefined)
    throw new SluiceError('usage_wrong', `Cannot search: there is no column "${name}", but ${columns.join(', ')}`);
  return found;
}

/** The values of the fields; of several all, with commas between. */
export function documentRow(document: Document, names: readonly string[]): Row {
  return Object.fromEntries(
    names.map((name) => {
      const values = namedValues(document, fieldNamed(name));
      const [only = ''] = values;
      if (values.length !== 1) return [name, values.length === 0 ? null : values.join(', ')];
      // NaN and infinities are texts, as everywhere.
      const number = Number(only);
      return [name, Number.isFinite(number) && String(number) === only ? number : only];
    }),
  );
}
