// One topic of the log: a table of records by offset, with the times at which they came (append-times.ts,
// time-runs.ts).

import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import { AppendTimes } from './append-times.ts';
import type { Stored } from './packed-records.ts';
import { TimeRuns } from './time-runs.ts';

// One removal is bounded, so that appends do not wait long behind it and the WAL stays small.
const REMOVED_RECORDS_MAX = 512;
const REMOVED_BYTES_MAX = 4 * 1024 * 1024;
/** Headers that are read at once, and those of one record beyond: each may list many batches. */
const HEADS_BYTES_MAX = 4 * 1024 * 1024;

export type Topic = 'logs' | 'dead-letters';

export class LogTable {
  readonly #readOnly: boolean;
  readonly #insert: StatementSync;
  readonly #bounds: StatementSync;
  readonly #records: StatementSync;
  readonly #heads: StatementSync;
  readonly #timeFrom: StatementSync;
  readonly #oldest: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteOne: StatementSync;
  readonly #timeBefore: StatementSync;
  readonly #runs: TimeRuns;
  readonly #times = new AppendTimes();
  #end = 0;

  /** `name` is one of ours, never a user's. */
  constructor(database: DatabaseSync, name: 'logs' | 'dead_letters', readOnly: boolean) {
    const prepare = (sql: string): StatementSync => database.prepare(sql.replace('$table', name));
    this.#readOnly = readOnly;
    this.#insert = prepare('INSERT INTO $table (offset, time, headers, value) VALUES (?, ?, ?, ?)');
    this.#bounds = prepare('SELECT min(offset) AS first, max(offset) AS last FROM $table');
    this.#records = prepare('SELECT offset, time, headers, value FROM $table WHERE offset >= ? ORDER BY offset');
    this.#heads = prepare(
      "SELECT offset, time, headers, x'' AS value FROM $table WHERE offset >= ? ORDER BY offset LIMIT ?",
    );
    this.#timeFrom = prepare('SELECT offset, time FROM $table WHERE offset >= ? ORDER BY offset LIMIT 1');
    this.#timeBefore = prepare('SELECT time FROM $table WHERE offset < ? ORDER BY offset DESC LIMIT 1');
    this.#oldest = prepare(
      `SELECT offset, length(value) AS bytes FROM $table WHERE offset < ? ORDER BY offset LIMIT ${REMOVED_RECORDS_MAX}`,
    );
    this.#deleteOne = prepare('DELETE FROM $table WHERE offset = ?');
    this.#delete = prepare('DELETE FROM $table WHERE offset < ?');
    this.#runs = new TimeRuns(database, name, {
      first: () => this.first(),
      end: () => this.end(),
      from: (offset) => {
        const row = this.#timeFrom.get(offset);
        return row === undefined ? null : { offset: Number(row['offset']), timeMs: Number(row['time']) };
      },
      before: (offset) => {
        const row = this.#timeBefore.get(offset);
        return row === undefined ? null : { timeMs: Number(row['time']) };
      },
    });
    this.reload();
  }

  /** Reads the end from the table again: after a transaction was undone, or where another process writes. */
  reload(): void {
    const last = this.#bounds.get()?.['last'];
    this.#end = typeof last === 'number' ? last + 1 : 0;
    const row = this.#timeFrom.get(this.#end - 1);
    this.#times.reset(row === undefined ? 0 : Number(row['time']));
  }

  first(): number {
    const first = this.#bounds.get()?.['first'];
    return typeof first === 'number' ? first : this.#end;
  }

  end(): number {
    if (this.#readOnly) this.reload();
    return this.#end;
  }

  /** What the clocks show now. To be told now and then. */
  see(now: Moment): void {
    this.#times.see(now);
  }

  append(records: readonly Stored[], now: Moment): void {
    if (records.length === 0) return;
    const { timeMs, isAnew } = this.#times.next(now);
    if (isAnew) this.#runs.start(this.#end);
    for (const { headers, value } of records) this.#insert.run(this.#end++, timeMs, headers, value);
  }

  fetch(from: number, bytesMax: number): Stored[] {
    const records: Stored[] = [];
    let bytes = 0;
    for (const row of this.#records.iterate(from)) {
      const record = storedOf(row);
      bytes += record.headers.length + record.value.length;
      if (records.length > 0 && bytes > bytesMax) break;
      records.push(record);
      if (bytes >= bytesMax) break;
    }
    return records;
  }

  /**
   * Records with their values left out: most of the pages are not read. At least one, and no more than so many bytes.
   */
  heads(from: number, records: number): Stored[] {
    const heads: Stored[] = [];
    let bytes = 0;
    for (const row of this.#heads.iterate(from, records)) {
      const head = storedOf(row);
      heads.push(head);
      bytes += head.headers.length;
      if (bytes >= HEADS_BYTES_MAX) break;
    }
    return heads;
  }

  /** The first record at or after the time; the end where there is none. */
  offsetAt(timeMs: number): number {
    return this.#runs.offsetAt(timeMs);
  }

  /** The offset from which on all records are at or after the time. */
  endBefore(timeMs: number): number {
    return this.#runs.endBefore(timeMs);
  }

  /** By when the first record at or after the offset was there; null where there is none. */
  thereSince(offset: number): number | null {
    return this.#runs.thereSince(offset);
  }

  /** Removes the oldest records below `before`, a bounded number; never the last one. */
  remove(before: number): number {
    let next = 0;
    let removed = 0;
    let bytes = 0;
    for (const row of this.#oldest.iterate(Math.min(before, this.#end - 1))) {
      if (bytes >= REMOVED_BYTES_MAX) break;
      next = Number(row['offset']) + 1;
      removed++;
      bytes += Number(row['bytes']);
    }
    if (removed > 0) {
      this.#delete.run(next);
      this.#runs.removedUpTo(this.first());
    }
    return removed;
  }

  forget(offsets: readonly number[]): void {
    for (const offset of offsets) if (offset < this.#end - 1) this.#deleteOne.run(offset);
  }
}

function storedOf(row: Record<string, SQLOutputValue>): Stored {
  const { headers, value } = row;
  if (!(headers instanceof Uint8Array) || !(value instanceof Uint8Array)) throw new Error('a record is made of bytes');
  return { offset: Number(row['offset']), timeMs: Number(row['time']), headers, value };
}
