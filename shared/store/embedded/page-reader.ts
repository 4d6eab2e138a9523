// Reads pages of documents: first which rows are meant, in their order, then one document after another until the page
// is large enough. Never more than that is in memory, and one document beyond it.
//
// Guarantees: both are of the same moment of the database, also where another process writes to it.

import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '#shared/errors.ts';
import { parseExactJson } from '../exact-json.ts';
import type { Document } from '../query/document-values.ts';
import { matches } from '../query/matches.ts';
import type { Where } from '../where.ts';
import type { StoreQuery } from '../store.ts';
import { versionOf } from './document-file.ts';
import { containersSql, countSql, type EraseCursor, eraseSql, originsSql, searchSql, type SqlQuery } from './query.ts';

export interface Row {
  readonly rowid: number;
  readonly id: string;
  readonly stream: string;
  readonly time: string;
  readonly sequence: number;
  readonly source: string;
}

/** A document that is to be erased. */
interface DoomedRow extends EraseCursor {
  readonly id: string;
  readonly origin: number;
  /** Of the document. */
  readonly bytes: number;
}

export interface RowPage {
  readonly rows: readonly Row[];
  /** Of the documents, in characters. */
  readonly bytes: number;
  /** Whether nothing comes after it, apart from the limit. */
  readonly isLast: boolean;
  /** Where to go on, if not after its last row. */
  readonly next?: readonly [time: string, sequence: number, rowid: number];
}

/** Of a page, what is looked at: whoever writes in the same thread waits, and nobody can interrupt it. */
const SCANNED_MAX = 10_000;
const SCANNED_BYTES_MAX = 32 * 1024 * 1024;

const DOCUMENT = `SELECT d.rowid AS rowid, d.id AS id, o.stream AS stream, CAST(d.time AS TEXT) AS time, d.sequence AS sequence,
  d.source AS source FROM documents d JOIN origins o ON o.rowid = d.origin WHERE d.rowid = ?`;

export class PageReader {
  readonly #database: DatabaseSync;
  /**
   * Of the file. Another program may have made it, and none have written to it since: before version 2 all documents
   * have one time only, before version 3 no pod is among the names.
   */
  readonly #version: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#version = versionOf(database);
  }

  /** Throws usage_wrong where a bound of the query is no time. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    this.#database.exec('BEGIN');
    try {
      const origins = this.#origins(query);
      if (origins?.length === 0) return { rows: [], bytes: 0, isLast: true };
      const { by: _, ...byTime } = query;
      const { sql, values, isToBeRead } = checked(searchSql(this.#version === 1 ? byTime : query, origins));
      if (isToBeRead && query.where !== undefined)
        return this.#scan(this.#database.prepare(sql).iterate(...values), query, query.where, bytesMax);
      const found = this.#database.prepare(sql).all(...values);
      return this.#read(
        found.map((row) => Number(row['rowid'])),
        query.limit,
        bytesMax,
      );
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

  /** Those of the candidates that are meant. Ends early after so many that are not. */
  #scan(candidates: Iterable<Record<string, unknown>>, { limit }: StoreQuery, where: Where, bytesMax: number): RowPage {
    const document = this.#database.prepare(DOCUMENT);
    const rows: Row[] = [];
    let bytes = 0;
    let scanned = 0;
    let scannedBytes = 0;
    let next: [string, number, number] | undefined;
    for (const { rowid } of candidates) {
      if (rows.length >= limit || scanned >= SCANNED_MAX || scannedBytes >= SCANNED_BYTES_MAX)
        return { rows, bytes, isLast: false, ...(next && { next }) };
      const row = document.get(Number(rowid)) as unknown as Row | undefined;
      if (row === undefined) continue;
      scanned += 1;
      scannedBytes += row.source.length;
      if (matches(where, parsedDocument(row.source))) {
        if (rows.length > 0 && bytes + row.source.length > bytesMax)
          return { rows, bytes, isLast: false, ...(next && { next }) };
        rows.push(row);
        bytes += row.source.length;
      }
      next = [row.time, row.sequence, row.rowid];
    }
    return { rows, bytes, isLast: true };
  }

  /** How many documents there are of the query, whatever its limit. Throws as `page` does. */
  count(query: StoreQuery): number {
    const origins = this.#origins(query);
    if (origins?.length === 0) return 0;
    const { sql, values } = checked(countSql(query, origins));
    return Number(this.#database.prepare(sql).get(...values)?.['n'] ?? 0);
  }

  /** The next documents of the query after the cursor, to be erased; at most its `limit`. Throws as `page` does. */
  doomed(query: StoreQuery, after: EraseCursor | null): DoomedRow[] {
    const origins = this.#origins(query);
    if (origins?.length === 0) return [];
    const { sql, values } = checked(eraseSql(query, origins, after));
    // The columns are those of DoomedRow; the schema is strict about their types.
    return this.#database.prepare(sql).all(...values) as unknown as DoomedRow[];
  }

  /** Null where the query names none. */
  #origins({ name, container }: StoreQuery): number[] | null {
    const named = name === undefined ? null : this.#originsOf(originsSql(name, this.#version >= 3));
    if (container === undefined) return named;
    const ofContainer = this.#originsOf(containersSql(container));
    return named === null ? ofContainer : named.filter((row) => ofContainer.includes(row));
  }

  #originsOf({ sql, values }: SqlQuery): number[] {
    const found = this.#database.prepare(sql).all(...values);
    return found.map((row) => Number(row['rowid']));
  }
}

function checked<Q extends SqlQuery>(built: Q | null): Q {
  if (built === null) throw new SluiceError('usage_wrong', 'Cannot search: a bound is no ISO 8601 time');
  return built;
}

/** What `write` took is an object. */
function parsedDocument(source: string): Document {
  return parseExactJson(source) as Document;
}
