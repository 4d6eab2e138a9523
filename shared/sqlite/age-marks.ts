// How old the rows of a table are, by the time that has passed (passed-time.ts) and not by what is written in them: now
// and then the highest row number is noted with the time, so all rows up to it are at least that old.
//
//   passed 100  last 2000     at 700, all rows up to 2000 are older than 500 ms; those from 2001 on may not be
//   passed 400  last 2600
//
// Guarantees: a row is never taken for older than it is. Row numbers of a table must only grow, and so do those noted
// here: a mark that is above a later one, or above the last row there is, is damaged, and is not believed.

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
  readonly #deleteWrong: StatementSync;
  readonly #lastRow: () => number;
  readonly #from: StatementSync;

  /** `table`: whose rows; marks of several tables lie together. `lastRow`: the highest number that was given. */
  constructor(
    database: DatabaseSync,
    table: string,
    retentionMs: number,
    lastRow: () => number = () => Number.MAX_SAFE_INTEGER,
  ) {
    database.exec(`CREATE TABLE IF NOT EXISTS age_marks (
      of TEXT NOT NULL, passed INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (of, passed)) STRICT, WITHOUT ROWID`);
    this.#table = table;
    this.#lastRow = lastRow;
    this.#retentionMs = retentionMs;
    this.#everyMs = retentionMs / MARKS;
    this.#insert = database.prepare(
      'INSERT INTO age_marks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last = excluded.last',
    );
    this.#newest = database.prepare(
      'SELECT passed, last FROM age_marks WHERE of = ? AND last <= ? AND passed <= ? ORDER BY passed DESC LIMIT 1',
    );
    // None is believed beyond those after it.
    this.#old = database.prepare(
      'SELECT min(last) AS last FROM age_marks WHERE of = ?1 AND last <= ?2 AND passed >= ' +
        '(SELECT max(passed) FROM age_marks WHERE of = ?1 AND last <= ?2 AND passed <= ?3)',
    );
    this.#from = database.prepare('SELECT min(last) AS last FROM age_marks WHERE of = ? AND last >= ?');
    this.#delete = database.prepare(
      'DELETE FROM age_marks WHERE of = ? AND passed < ' +
        '(SELECT max(passed) FROM age_marks WHERE of = ? AND passed <= ?)',
    );
    const isWrong = 'of = ? AND (last > ? OR passed > ? OR last < 0)';
    this.#deleteWrong = database.prepare(`DELETE FROM age_marks WHERE ${isWrong}`);
    // Its rows may come to be there: then it would be believed.
    const wrong = [table, lastRow(), Number.MAX_SAFE_INTEGER];
    if (database.prepare(`SELECT 1 FROM age_marks WHERE ${isWrong}`).get(...wrong)) this.#deleteWrong.run(...wrong);
  }

  /** Whether `last`, the highest row number, is to be noted. */
  isDue(last: number, passedMs: number): boolean {
    const newest = this.#newest.get(this.#table, last, passedMs);
    if (newest === undefined) return last >= 0;
    return last > Number(newest['last']) && passedMs >= Number(newest['passed']) + this.#everyMs;
  }

  /** Notes that all rows up to `last` are there, in the transaction of whoever calls. */
  note(last: number, passedMs: number): void {
    this.#deleteWrong.run(this.#table, last, passedMs);
    this.#insert.run(this.#table, passedMs, last);
    this.#delete.run(this.#table, this.#table, passedMs - this.#retentionMs);
  }

  /** The highest row number that is noted; -1 where none is. */
  newest(): number {
    return Number(this.#newest.get(this.#table, this.#lastRow(), Number.MAX_SAFE_INTEGER)?.['last'] ?? -1);
  }

  /** The first noted row number that is not below this one; null where none is. */
  at(row: number): number | null {
    const last = this.#from.get(this.#table, row)?.['last'];
    return typeof last === 'number' ? last : null;
  }

  /** All rows up to this one are older than the retention; -1 where none is. */
  expired(passedMs: number): number {
    const last = this.#old.get(this.#table, this.#lastRow(), passedMs - this.#retentionMs)?.['last'];
    return typeof last === 'number' ? last : -1;
  }
}
