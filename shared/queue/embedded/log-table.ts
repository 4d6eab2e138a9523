// One topic of the log: a table of records by offset. Times never go back from one record to the next, even if the
// clock does, so that a time can be found by bisection.

import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Stored } from './frames.ts';

// One removal is bounded, so that appends do not wait long behind it and the WAL stays small.
const REMOVED_RECORDS_MAX = 512;
const REMOVED_BYTES_MAX = 4 * 1024 * 1024;

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
  #end = 0;
  #lastMs = 0;

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
    this.#oldest = prepare(
      `SELECT offset, length(value) AS bytes FROM $table WHERE offset < ? ORDER BY offset LIMIT ${REMOVED_RECORDS_MAX}`,
    );
    this.#deleteOne = prepare('DELETE FROM $table WHERE offset = ?');
    this.#delete = prepare('DELETE FROM $table WHERE offset < ?');
    this.reload();
  }

  /** Reads the end from the table again: after a transaction was undone, or where another process writes. */
  reload(): void {
    const last = this.#bounds.get()?.['last'];
    this.#end = typeof last === 'number' ? last + 1 : 0;
    const row = this.#timeFrom.get(this.#end - 1);
    this.#lastMs = row === undefined ? 0 : Number(row['time']);
  }

  first(): number {
    const first = this.#bounds.get()?.['first'];
    return typeof first === 'number' ? first : this.#end;
  }

  end(): number {
    if (this.#readOnly) this.reload();
    return this.#end;
  }

  append(records: readonly Stored[], nowMs: number): void {
    if (records.length === 0) return;
    this.#lastMs = Math.max(this.#lastMs, Math.floor(nowMs));
    for (const { headers, value } of records) this.#insert.run(this.#end++, this.#lastMs, headers, value);
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

  /** Records with their values left out: most of the pages are not read. */
  heads(from: number, records: number): Stored[] {
    return this.#heads.all(from, records).map(storedOf);
  }

  offsetAt(timeMs: number): number {
    let low = this.first();
    let high = this.end();
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const row = this.#timeFrom.get(middle);
      if (row === undefined || Number(row['time']) >= timeMs) high = middle;
      else low = Number(row['offset']) + 1;
    }
    return low;
  }

  timeAt(offset: number): number | null {
    const time = this.#timeFrom.get(offset)?.['time'];
    return time === undefined ? null : Number(time);
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
    if (removed > 0) this.#delete.run(next);
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
