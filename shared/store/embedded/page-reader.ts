// Reads pages of documents: first which rows are meant, in their order, then one document after another until the page
// is large enough. Never more than that is in memory, and one document beyond it.
//
// Guarantees: both are of the same moment of the database, also where another process writes to it.

import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '#shared/errors.ts';
import type { StoreQuery } from '../store.ts';
import { originsSql, searchSql } from './query.ts';

export interface Row {
  readonly rowid: number;
  readonly id: string;
  readonly stream: string;
  readonly time: string;
  readonly sequence: number;
  readonly source: string;
}

export interface RowPage {
  readonly rows: readonly Row[];
  /** Of the documents, in characters. */
  readonly bytes: number;
  /** Whether nothing comes after it, apart from the limit. */
  readonly isLast: boolean;
}

const DOCUMENT = `SELECT d.rowid AS rowid, d.id AS id, o.stream AS stream, CAST(d.time AS TEXT) AS time, d.sequence AS sequence,
  d.source AS source FROM documents d JOIN origins o ON o.rowid = d.origin WHERE d.rowid = ?`;

export class PageReader {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws usage_wrong where a bound of the query is no time. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    this.#database.exec('BEGIN');
    try {
      return this.#read(this.#rowids(query), query.limit, bytesMax);
    } finally {
      if (this.#database.isTransaction) this.#database.exec('COMMIT');
    }
  }

  #read(rowids: readonly number[], limit: number, bytesMax: number): RowPage {
    const document = this.#database.prepare(DOCUMENT);
    const rows: Row[] = [];
    let bytes = 0;
    for (const rowid of rowids) {
      // The columns are those of Row; the schema is strict about their types.
      const row = document.get(rowid) as unknown as Row | undefined;
      if (row === undefined) continue;
      if (rows.length > 0 && bytes + row.source.length > bytesMax) return { rows, bytes, isLast: false };
      rows.push(row);
      bytes += row.source.length;
    }
    return { rows, bytes, isLast: rowids.length < limit };
  }

  #rowids(query: StoreQuery): number[] {
    const origins = query.name === undefined ? null : this.#originsNamed(query.name);
    if (origins?.length === 0) return [];
    const built = searchSql(query, origins);
    if (built === null) throw new SluiceError('usage_wrong', 'Cannot search: a bound is no ISO 8601 time');
    const found = this.#database.prepare(built.sql).all(...built.values);
    return found.map((row) => Number(row['rowid']));
  }

  #originsNamed(name: string): number[] {
    const { sql, values } = originsSql(name);
    const found = this.#database.prepare(sql).all(...values);
    return found.map((row) => Number(row['rowid']));
  }
}
