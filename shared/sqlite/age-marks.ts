// How old the rows of a table are, by the time that has passed (passed-time.ts) and not by what is written in them: now
// and then the highest row number is noted with the time, so all rows up to it are at least that old.
//
//   passed 100  last 2000     at 700, all rows up to 2000 are older than 500 ms; those from 2001 on may not be
//   passed 400  last 2600
//
// Guarantees: a row is never taken for older than it is. Row numbers of a table must only grow.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Marks for the whole retention: a row is kept longer than that by at most one in so many. */
const MARKS = 256;

export class AgeMarks {
  readonly #table: string;
  readonly #everyMs: number;
  readonly #retentionMs: number;
  readonly #insert: StatementSync;
  readonly #newest: StatementSync;
  readonly #old: StatementSync;
  readonly #delete: StatementSync;
  readonly #from: StatementSync;

  /** `table`: whose rows; marks of several tables lie together. */
  constructor(database: DatabaseSync, table: string, retentionMs: number) {
    database.exec(`CREATE TABLE IF NOT EXISTS age_marks (
      of TEXT NOT NULL, passed INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (of, passed)) STRICT, WITHOUT ROWID`);
    this.#table = table;
    this.#retentionMs = retentionMs;
    this.#everyMs = retentionMs / MARKS;
    this.#insert = database.prepare(
      'INSERT INTO age_marks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last = excluded.last',
    );
    this.#newest = database.prepare('SELECT passed, last FROM age_marks WHERE of = ? ORDER BY passed DESC LIMIT 1');
    this.#old = database.prepare('SELECT max(last) AS last FROM age_marks WHERE of = ? AND passed <= ?');
    this.#from = database.prepare('SELECT min(last) AS last FROM age_marks WHERE of = ? AND last >= ?');
    this.#delete = database.prepare(
      'DELETE FROM age_marks WHERE of = ? AND passed < ' +
        '(SELECT max(passed) FROM age_marks WHERE of = ? AND passed <= ?)',
    );
  }

  /** Whether `last`, the highest row number, is to be noted. */
  isDue(last: number, passedMs: number): boolean {
    const newest = this.#newest.get(this.#table);
    if (newest === undefined) return last >= 0;
    return last > Number(newest['last']) && passedMs >= Number(newest['passed']) + this.#everyMs;
  }

  /** Notes that all rows up to `last` are there, in the transaction of whoever calls. */
  note(last: number, passedMs: number): void {
    this.#insert.run(this.#table, passedMs, last);
    this.#delete.run(this.#table, this.#table, passedMs - this.#retentionMs);
  }

  /** The highest row number that is noted; -1 where none is. */
  newest(): number {
    return Number(this.#newest.get(this.#table)?.['last'] ?? -1);
  }

  /** The first noted row number that is not below this one; null where none is. */
  at(row: number): number | null {
    const last = this.#from.get(this.#table, row)?.['last'];
    return typeof last === 'number' ? last : null;
  }

  /** All rows up to this one are older than the retention; -1 where none is. */
  expired(passedMs: number): number {
    const last = this.#old.get(this.#table, passedMs - this.#retentionMs)?.['last'];
    return typeof last === 'number' ? last : -1;
  }
}
