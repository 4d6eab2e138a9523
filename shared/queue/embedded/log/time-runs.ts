// Runs of records whose times are in order (append-times.ts): where they begin is in a table, and times are found run
// by run.
//
// Guarantees: the first record at or after a time is found whatever the clock did, and a record that came before
// another is never taken for younger than that one. A log of an earlier version is one run.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What is asked of the table of records. */
export interface TimedRecords {
  first(): number;
  end(): number;
  /** The first record at or after the offset. */
  from(offset: number): { readonly offset: number; readonly timeMs: number } | null;
  /** The last record before the offset. */
  before(offset: number): { readonly timeMs: number } | null;
}

export class TimeRuns {
  readonly #records: TimedRecords;
  readonly #begins: StatementSync | null;
  readonly #note: StatementSync | null;
  readonly #forget: StatementSync | null;
  readonly #topic: string;

  constructor(database: DatabaseSync, topic: string, records: TimedRecords) {
    this.#records = records;
    this.#topic = topic;
    // One that is only read may be of an earlier version.
    const table = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'time_runs'").get();
    const prepare = (sql: string): StatementSync | null => (table === undefined ? null : database.prepare(sql));
    this.#begins = prepare('SELECT start FROM time_runs WHERE of = ? AND start > ? ORDER BY start');
    this.#note = prepare('INSERT OR IGNORE INTO time_runs (of, start) VALUES (?, ?)');
    this.#forget = prepare('DELETE FROM time_runs WHERE of = ? AND start <= ?');
  }

  static makeTable(database: DatabaseSync): void {
    database.exec(
      'CREATE TABLE IF NOT EXISTS time_runs (of TEXT NOT NULL, start INTEGER NOT NULL, PRIMARY KEY (of, start)) ' +
        'STRICT, WITHOUT ROWID',
    );
  }

  /** The record at this offset, which is about to be appended, begins a new run. */
  start(offset: number): void {
    this.#note?.run(this.#topic, offset);
  }

  /** Records up to this one were removed. */
  removedUpTo(offset: number): void {
    this.#forget?.run(this.#topic, offset);
  }

  /** The first record at or after the time; the end where there is none. */
  offsetAt(timeMs: number): number {
    for (const [start, end] of this.#runs(this.#records.first())) {
      const last = this.#records.before(end);
      if (last !== null && last.timeMs >= timeMs) return this.#bisect(start, end, timeMs);
    }
    return this.#records.end();
  }

  /** The offset from which on all records are at or after the time; the end where the last one is before. */
  endBefore(timeMs: number): number {
    for (const [start, end] of this.#runs(this.#records.first()).toReversed()) {
      const first = this.#records.from(start);
      if (first !== null && first.offset < end && first.timeMs < timeMs) return this.#bisect(start, end, timeMs);
    }
    return this.#records.first();
  }

  /** By when the first record at or after the offset was there; null where there is none. */
  thereSince(offset: number): number | null {
    let sinceMs: number | null = null;
    for (const [start] of this.#runs(offset)) {
      const record = this.#records.from(start);
      if (record !== null) sinceMs = Math.min(sinceMs ?? record.timeMs, record.timeMs);
    }
    return sinceMs;
  }

  /** Start and end of each run from the offset on. */
  #runs(from: number): (readonly [start: number, end: number])[] {
    const end = this.#records.end();
    const begins = (this.#begins?.all(this.#topic, from) ?? []).map((row) => Number(row['start']));
    const starts = [from, ...begins.filter((start) => start < end)];
    return starts.map((start, i) => [start, starts[i + 1] ?? end]);
  }

  #bisect(start: number, end: number, timeMs: number): number {
    let low = start;
    let high = end;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const record = this.#records.from(middle);
      if (record === null || record.offset >= high || record.timeMs >= timeMs) high = middle;
      else low = record.offset + 1;
    }
    return low;
  }
}
