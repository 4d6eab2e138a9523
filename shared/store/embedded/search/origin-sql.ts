// Which origins (source-names.ts) the names of a query mean, as SQL. Pure.

import { CONTAINER_ID_MIN } from '../../store.ts';

export interface SqlQuery {
  readonly sql: string;
  readonly values: readonly string[];
}

/**
 * Which origins a name means: see StoreQuery.name. A column that is empty has no name, whatever the pattern. `hasPods`:
 * whether the table has a column for them.
 */
export function originsSql(name: string, hasPods: boolean): SqlQuery {
  const columns = ['container_name', 'service', ...(hasPods ? ['pod'] : []), 'tag'];
  if (name.includes('*')) {
    const glob = name.replaceAll(/[?[]/g, '[$&]');
    const matches = columns.map((column) => `(${column} GLOB ? AND ${column} <> '')`);
    return { sql: `SELECT rowid FROM origins WHERE ${matches.join(' OR ')}`, values: columns.map(() => glob) };
  }
  const byId = name.length >= 4 ? 'substr(container_id, 1, length(?)) = ?' : 'container_id = ? AND container_id = ?';
  const matches = [...columns.map((column) => `${column} = ?`), `(${byId})`];
  return {
    sql: `SELECT rowid FROM origins WHERE ? <> '' AND (${matches.join(' OR ')})`,
    values: [name, ...columns.map(() => name), name, name],
  };
}

/** The same for StoreQuery.container: neither services nor tags. */
export function containersSql(name: string): SqlQuery {
  if (name.includes('*')) {
    const glob = name.replaceAll(/[?[]/g, '[$&]');
    return { sql: "SELECT rowid FROM origins WHERE container_name GLOB ? AND container_name <> ''", values: [glob] };
  }
  const byId =
    name.length >= CONTAINER_ID_MIN
      ? 'substr(container_id, 1, length(?)) = ?'
      : 'container_id = ? AND container_id = ?';
  return {
    sql: `SELECT rowid FROM origins WHERE ? <> '' AND (container_name = ? OR (${byId}))`,
    values: [name, name, name, name],
  };
}
