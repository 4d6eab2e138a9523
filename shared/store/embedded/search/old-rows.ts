// Documents of an older store: a row each, in the table `documents`, until they are blocks (conversion in database.ts).
// Whoever converts them has given the table another name, so that no program of before writes to it any more.
// Meanwhile they are found by their time, and each is asked. The full-text index that stood beside them is not used any
// more, and goes with the last of them.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { reasonOf } from '#shared/errors.ts';
import { isDamaged } from '#shared/sqlite/database.ts';
import { parseExactJson } from '../../exact-json.ts';
import { clampInstant, formatInstant } from '../../instant.ts';
import type { Document } from '../../query/document-values.ts';
import type { BlockDocument } from '../blocks/encode-block.ts';
import type { Candidate } from './first-ones.ts';
import type { Row, Rows } from './row-page.ts';
import { hasTable, KEPT_TABLE, OLD_TABLE } from '../tables/old-tables.ts';
import type { SearchPlan } from './search-plan.ts';

const rowOf = (table: string): string => `SELECT d.rowid AS rowid, d.id AS id, o.stream AS stream,
  CAST(d.time AS TEXT) AS time, d.sequence AS sequence, d.source AS source
  FROM ${table} d JOIN origins o ON o.rowid = d.origin WHERE d.rowid = ?`;

/** What the full-text index is made of, and how many rows of it go at once: about 2 MiB. */
const INDEX_TABLES = [
  { table: 'words_data', key: 'id', rows: 500 },
  { table: 'words_idx', key: 'segid, term', rows: 20_000 },
  { table: 'words_docsize', key: 'id', rows: 20_000 },
] as const;

export class OldRows {
  readonly #database: DatabaseSync;
  /** They never come again. */
  #areGone = false;
  /** As it was called when it was last looked for. */
  #table: string = OLD_TABLE;
  readonly #tell: (message: string) => void;
  #has: StatementSync | null = null;
  #isToldOfDamage = false;

  /** `tell`: that a document is damaged; for whoever converts them. */
  constructor(database: DatabaseSync, tell: (message: string) => void = () => undefined) {
    this.#database = database;
    this.#tell = tell;
  }

  get areThere(): boolean {
    if (this.#areGone) return false;
    const table = [KEPT_TABLE, OLD_TABLE].find((name) => hasTable(this.#database, name));
    this.#areGone = table === undefined;
    this.#table = table ?? OLD_TABLE;
    return !this.#areGone;
  }

  /** The first of them in the order of the plan, at most so many; each is to be asked. */
  candidates(plan: SearchPlan, limit: number): Candidate[] {
    return this.areThere ? this.#readable([], () => this.#candidates(plan, limit)) : [];
  }

  #candidates(plan: SearchPlan, limit: number): Candidate[] {
    const { conditions, values } = this.#conditions(plan);
    const columns = plan.byArrival ? ['d.sequence', 'd.time', 'd.rowid'] : ['d.time', 'd.sequence', 'd.rowid'];
    if (plan.after !== null) {
      conditions.push(`(${columns.join(', ')}) ${plan.isNewest ? '<' : '>'} (?, ?, ?)`);
      const { time, sequence, row } = plan.after;
      values.push(...(plan.byArrival ? [sequence, time] : [time, sequence]), row);
    }
    const statement = this.#prepared(
      `SELECT d.rowid AS rowid, d.time AS time, d.sequence AS sequence FROM ${this.#table} d ${whereOf(conditions)}
       ORDER BY ${columns.map((column) => `${column} ${plan.isNewest ? 'DESC' : 'ASC'}`).join(', ')} LIMIT ?`,
    );
    return statement.all(...values, limit).map((found) => ({
      time: found['time'] as bigint,
      sequence: Number(found['sequence']),
      row: Number(found['rowid']),
      block: null,
      at: 0,
      isExact: plan.where.kind === 'all' && !plan.asksDocument,
    }));
  }

  /** Of those with these numbers. */
  count(plan: SearchPlan, rows: Rows): number {
    return this.areThere ? this.#readable(0, () => this.#count(plan, rows)) : 0;
  }

  #count(plan: SearchPlan, { after, to }: Rows): number {
    const { conditions, values } = this.#conditions(plan);
    conditions.push('d.rowid > ?', 'd.rowid <= ?');
    values.push(after, to);
    const isAll = plan.where.kind === 'all' && !plan.asksDocument;
    const columns = isAll ? 'count(*) AS n' : 'd.source AS source';
    const statement = this.#prepared(`SELECT ${columns} FROM ${this.#table} d ${whereOf(conditions)}`);
    if (isAll) return Number(statement.get(...values)?.['n'] ?? 0);
    let count = 0;
    for (const { source } of statement.iterate(...values))
      if (plan.isMeant(parseExactJson(String(source)) as Document)) count += 1;
    return count;
  }

  row(row: number): Row | null {
    // The columns are those of Row; the schema is strict about their types.
    return (
      this.#readable(null, () => this.#database.prepare(rowOf(this.#table)).get(row) as unknown as Row | undefined) ??
      null
    );
  }

  has(id: string): boolean {
    if (!this.areThere) return false;
    const has = (this.#has ??= this.#database.prepare(`SELECT 1 FROM ${this.#table} WHERE id = ?`));
    // Else one damaged page would keep every document out that comes.
    return this.#readable(false, () => has.get(id) !== undefined);
  }

  /** How many there are. */
  total(): number {
    return this.areThere ? Number(this.#database.prepare(`SELECT count(*) AS n FROM ${this.#table}`).get()?.['n']) : 0;
  }

  /** Number of the oldest; null where none is left. */
  firstRow(): number | null {
    const first = this.#database.prepare(`SELECT min(rowid) AS first FROM ${this.#table}`).get()?.['first'];
    return typeof first === 'number' ? first : null;
  }

  /** Number of the newest; 0 where none is left. */
  lastRow(): number {
    if (!this.areThere) return 0;
    const last = this.#database.prepare(`SELECT max(rowid) AS last FROM ${this.#table}`);
    return this.#readable(0, () => Number(last.get()?.['last'] ?? 0));
  }

  /** The oldest by number, up to this row, at most so many and so many bytes, but one at least. */
  oldest(max: { readonly documents: number; readonly bytes: number; readonly row: number }): BlockDocument[] {
    const documents: BlockDocument[] = [];
    let bytes = 0;
    // The first version had one time only.
    const created = this.#hasColumn('created') ? 'created' : 'NULL AS created';
    const statement = this.#prepared(
      `SELECT rowid AS row, id, origin, time, sequence, ingested, ${created}, source FROM ${this.#table}
       WHERE rowid <= ? ORDER BY rowid LIMIT ?`,
    );
    for (const found of statement.iterate(max.row, max.documents)) {
      const source = String(found['source']);
      if (documents.length > 0 && bytes + source.length > max.bytes) break;
      bytes += source.length;
      documents.push({
        id: String(found['id']),
        row: Number(found['row']),
        origin: Number(found['origin']),
        time: found['time'] as bigint,
        sequence: Number(found['sequence']),
        ingestedMs: Number(found['ingested']),
        created: found['created'] === null ? null : (found['created'] as bigint),
        text: this.#checked(String(found['id']), source, found['time'] as bigint),
      });
    }
    return documents;
  }

  /** In the transaction of whoever calls. */
  remove(documents: readonly BlockDocument[]): void {
    const remove = this.#prepared(`DELETE FROM ${this.#table} WHERE rowid = ?`);
    for (const { row } of documents) remove.run(row);
  }

  /**
   * When none is left: the tables too. The index is as large as the documents were, so it goes bit by bit. Returns
   * whether there is more of it. In the transaction of whoever calls.
   */
  dropTables(): boolean {
    this.#has = null;
    // SQLite takes no change to tables of an index; this one is never read again.
    this.#database.enableDefensive(false);
    try {
      for (const { table, key, rows } of INDEX_TABLES) {
        if (!hasTable(this.#database, table)) continue;
        const some = `SELECT ${key} FROM ${table} LIMIT ${rows}`;
        const { changes } = this.#database.prepare(`DELETE FROM ${table} WHERE (${key}) IN (${some})`).run();
        if (changes > 0) return true;
      }
    } finally {
      this.#database.enableDefensive(true);
    }
    this.#database.exec(`DROP TABLE ${this.#table}; DROP TABLE IF EXISTS words`);
    return false;
  }

  /** What is no document any more becomes the message of one. */
  #checked(id: string, source: string, time: bigint): string {
    try {
      const document = parseExactJson(source);
      if (typeof document === 'object' && document !== null && !Array.isArray(document)) return onOneLine(source);
    } catch {
      // Below.
    }
    this.#tell(`The document ${id} of the embedded store is damaged; what is left of it is kept as its message`);
    return JSON.stringify({ '@timestamp': formatInstant(clampInstant(time)), message: source });
  }

  /** `nothing` where a page of them is damaged; that is told once. */
  #readable<T>(nothing: T, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isDamaged(error)) throw error;
      if (!this.#isToldOfDamage) this.#tell(`Cannot read documents of an earlier version: ${reasonOf(error)}`);
      this.#isToldOfDamage = true;
      return nothing;
    }
  }

  #hasColumn(name: string): boolean {
    return (
      this.#database.prepare('SELECT 1 FROM pragma_table_info(?) WHERE name = ?').get(this.#table, name) !== undefined
    );
  }

  #prepared(sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  }

  #conditions(plan: SearchPlan): { conditions: string[]; values: (string | number | bigint)[] } {
    const { bounds, ingested, origins } = plan;
    const hasCreated = plan.boundsArrival && this.#hasColumn('created');
    const time = hasCreated ? 'coalesce(d.created, d.time)' : 'd.time';
    const conditions = [`${time} >= ?`, `${time} <= ?`, 'd.ingested >= ?', 'd.ingested <= ?'];
    const values: (string | number | bigint)[] = [bounds.since, bounds.until - 1n, ingested.since, ingested.until - 1n];
    if (origins !== null) {
      conditions.push('d.origin IN (SELECT value FROM json_each(?))');
      values.push(JSON.stringify([...origins]));
    }
    return { conditions, values };
  }
}

/** As blocks take it, on one line from its first brace to its last; what it says is the same. `json` is an object. */
export function onOneLine(json: string): string {
  const text = json.startsWith('{') && json.endsWith('}') ? json : json.trim();
  return text.includes('\n') ? JSON.stringify(parseExactJson(text)) : text;
}

const whereOf = (conditions: readonly string[]): string => `WHERE ${conditions.join(' AND ')}`;
