// Which names are taken, so that a document is there once, however late and often it comes again. Names of a batch that
// count up are one row, so a batch of a thousand takes as much as a batch of one. They stay as long as their documents.
//
//   names    batch, first, last: the indices `first` to `last` of a batch are taken. Ranges of a batch never overlap
//
// For whoever has a transaction open. A row that a flipped bit makes contradict its place in the table is damage, told
// as SQLite tells what it finds: a loop would not end by it.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BatchKey, NameRun } from '../blocks/document-ids.ts';

export const NAMES_TABLE = `
  CREATE TABLE IF NOT EXISTS names (
    batch ANY NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (batch, first)
  ) STRICT, WITHOUT ROWID;
`;

const SQLITE_CORRUPT = 11;
const SQLITE_CONSTRAINT = 19;
/** Names that are taken at once. */
const SOME = 32;

interface Range {
  readonly first: number;
  readonly last: number;
}

export class DocumentNames {
  readonly #statements: Readonly<
    Record<'before' | 'insert' | 'insertFirst' | 'insertSome' | 'extend' | 'remove', StatementSync>
  >;

  constructor(database: DatabaseSync) {
    this.#statements = {
      before: database.prepare(
        'SELECT first, last FROM names WHERE batch = ? AND first <= ? ORDER BY first DESC LIMIT 1',
      ),
      insert: database.prepare('INSERT INTO names VALUES (?, ?, ?)'),
      insertFirst: database.prepare('INSERT INTO names VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
      insertSome: database.prepare(
        `INSERT INTO names VALUES ${Array.from({ length: SOME }, () => '(?, 0, 0)').join()}`,
      ),
      extend: database.prepare('UPDATE names SET last = ? WHERE batch = ? AND first = ?'),
      remove: database.prepare('DELETE FROM names WHERE batch = ? AND first = ?'),
    };
  }

  /** The same of each of the runs. */
  takeAll(runs: readonly NameRun[]): Range[][] {
    const taken: Range[][] = [];
    for (let at = 0; at < runs.length; at += SOME) {
      const some = runs.slice(at, at + SOME);
      if (this.#takeFirsts(some)) for (const { first, last } of some) taken.push([{ first, last }]);
      else for (const run of some) taken.push(this.take(run));
    }
    return taken;
  }

  /** At once. False, and nothing is changed, where one is taken, or there are others than the first of batches. */
  #takeFirsts(runs: readonly NameRun[]): boolean {
    if (runs.length !== SOME || runs.some(({ last }) => last !== 0)) return false;
    try {
      this.#statements.insertSome.run(...runs.map(({ key }) => key));
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  }

  /** Takes those of the run that are free, and returns them. */
  take({ key, first, last }: NameRun): Range[] {
    // A range that has the first index begins there.
    if (last === 0) return this.#statements.insertFirst.run(key, 0, 0).changes === 0 ? [] : [{ first, last }];
    const free: Range[] = [];
    for (let end = last; end >= first;) {
      const before = this.#before(key, end);
      const start = before === null ? first : Math.max(first, before.last + 1);
      if (start <= end) free.push({ first: start, last: end });
      end = before === null ? first - 1 : Math.min(start, before.first) - 1;
    }
    for (const range of free) this.#insert(key, range);
    return free.toReversed();
  }

  /** The documents of these names are gone. */
  release({ key, first, last }: NameRun): void {
    for (let range = this.#before(key, last); range !== null && range.last >= first; range = this.#before(key, last)) {
      if (this.#statements.remove.run(key, range.first).changes === 0) throw damage();
      if (range.last > last) this.#statements.insert.run(key, last + 1, range.last);
      if (range.first < first) this.#statements.insert.run(key, range.first, first - 1);
    }
  }

  /** The last range that begins there or before. */
  #before(key: BatchKey, index: number): Range | null {
    const row = this.#statements.before.get(key, index);
    if (row === undefined) return null;
    const { first, last } = row;
    if (typeof first !== 'number' || typeof last !== 'number' || first > index || last < first) throw damage();
    return { first, last };
  }

  /** Those of a batch that was cut in pieces come one after another, and are one range again. */
  #insert(key: BatchKey, { first, last }: Range): void {
    const before = first === 0 ? null : this.#before(key, first - 1);
    if (before !== null && before.last === first - 1) this.#statements.extend.run(last, key, before.first);
    else this.#statements.insert.run(key, first, last);
  }
}

/** Names that were left, for their documents could not be read when they went; null: an older store never counted. */
export function namesLeft(database: DatabaseSync): number | null {
  const value = database.prepare("SELECT CAST(value AS REAL) AS value FROM counters WHERE name = 'names_left'").get()?.[
    'value'
  ];
  return typeof value === 'number' ? value : null;
}

export function leaveNames(database: DatabaseSync, count: number): void {
  if (count > 0) database.prepare("UPDATE counters SET value = value + ? WHERE name = 'names_left'").run(count);
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_CONSTRAINT;
}

function damage(): Error {
  return Object.assign(new Error('the table of names contradicts itself'), { errcode: SQLITE_CORRUPT });
}
