// A durable log in one SQLite file: topics of records with growing offsets, and offsets of the groups that read them.
// It runs inside a worker thread (queue-worker.ts) and serves the embedded queue; a spool in front of Kafka can use it too.
//
// Guarantees: WAL with synchronous=FULL syncs the WAL to the device before COMMIT returns, so what `write` has
// returned for survives a kill and a power cut, and what it has not is there whole or not at all. The file and its
// WAL stay within `bytesMax`. Only records that every group has consumed are ever removed, and never the last record of
// a topic, so that offsets go on after a restart.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isFull, openDatabase } from '#shared/sqlite/database.ts';
import { LogSpace, NO_SPACE } from './log-space.ts';
import { LogTable } from './log-table.ts';
import type { Stored } from './frames.ts';

export type Topic = 'logs' | 'dead-letters';

export interface LogOptions {
  readonly file: string;
  readonly readOnly: boolean;
  /** Most bytes of the file and its WAL together. */
  readonly bytesMax: number;
  /** How long what every group has consumed is kept. */
  readonly retentionMs: number;
}

/** One transaction. */
export interface Write {
  readonly nowMs: number;
  readonly logs: readonly Stored[];
  readonly deadLetters: readonly Stored[];
  /** Group → next offset of the logs. */
  readonly commits: readonly (readonly [group: string, next: number])[];
}

export interface Written {
  /** Why the records were not written; null when they were. */
  readonly refused: string | null;
  /** Whether the commits were written, which may be so although the records were refused. */
  readonly isCommitted: boolean;
}

// Kafka's topic of dead letters is set up with the same age.
const DEAD_LETTERS_KEPT_MS = 7 * 86_400_000;

const FORMAT = 1;

// Larger than SQLite's 4 KiB: large records need fewer overflow pages, while a commit of one small record still writes little.
const PAGE_BYTES = 8192;

// One WAL of this size is copied into the file at a time; it is cut back when a burst made it larger.
const WAL_PAGES = 512;
const WAL_KEPT_BYTES = 8 * 1024 * 1024;

export class SqliteLog implements Disposable {
  readonly #database: DatabaseSync;
  readonly #options: LogOptions;
  readonly #tables: Record<Topic, LogTable>;
  readonly #space: LogSpace;
  readonly #commit: StatementSync;
  readonly #committed: StatementSync;
  readonly #lowest: StatementSync;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#database = openDatabase(options.file, { readOnly: options.readOnly, timeoutMs: 5000 }, (database) => {
      if (!options.readOnly) prepareLog(database);
    });
    this.#tables = {
      logs: new LogTable(this.#database, 'logs', options.readOnly),
      'dead-letters': new LogTable(this.#database, 'dead_letters', options.readOnly),
    };
    this.#space = new LogSpace(this.#database, {
      folder: dirname(options.file),
      walBytes: () => walBytes(options.file),
      bytesMax: options.bytesMax,
    });
    this.#commit = this.#database.prepare(
      'INSERT INTO group_offsets (name, next) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = excluded.next',
    );
    this.#committed = this.#database.prepare('SELECT next FROM group_offsets WHERE name = ?');
    this.#lowest = this.#database.prepare('SELECT min(next) AS next FROM group_offsets');
  }

  first(topic: Topic): number {
    return this.#tables[topic].first();
  }

  /** Offset after the last record. */
  end(topic: Topic): number {
    return this.#tables[topic].end();
  }

  /** Offset of the first record at or after the time; the end if there is none. */
  offsetAt(topic: Topic, timeMs: number): number {
    return this.#tables[topic].offsetAt(timeMs);
  }

  /** Append time of the first record at or after the offset, ms since the epoch; null if there is none. */
  timeAt(topic: Topic, offset: number): number | null {
    return this.#tables[topic].timeAt(offset);
  }

  /** Records from `from` on, at least one if there is any, else as many as fit in `bytesMax`. */
  fetch(topic: Topic, from: number, bytesMax: number): Stored[] {
    return this.#tables[topic].fetch(from, bytesMax);
  }

  /** So many records from `from` on, with their values left out. */
  heads(topic: Topic, from: number, records: number): Stored[] {
    return this.#tables[topic].heads(from, records);
  }

  /** Next offset of the group, or null if it never committed. */
  committed(group: string): number | null {
    const row = this.#committed.get(group);
    return row === undefined ? null : Number(row['next']);
  }

  /** Where the group begins to read: what it committed, or the first record that is still there. */
  next(group: string): number {
    const first = this.first('logs');
    return Math.min(Math.max(this.committed(group) ?? first, first), this.end('logs'));
  }

  /** Writes all of it in one synced transaction; when the records find no room, the commits alone. */
  write(write: Write): Written {
    const { nowMs, logs, deadLetters, commits } = write;
    const bytes = storedBytes(logs) + storedBytes(deadLetters);
    const refused = bytes > 0 ? this.#roomFor(bytes, nowMs) : null;
    if (refused !== null) return this.#commitOnly(commits, refused);
    try {
      this.#transact(() => {
        this.#tables.logs.append(logs, nowMs);
        this.#tables['dead-letters'].append(deadLetters, nowMs);
        this.#putCommits(commits);
      });
      return { refused: null, isCommitted: true };
    } catch (error) {
      this.#tables.logs.reload();
      this.#tables['dead-letters'].reload();
      if (!isFull(error)) throw error;
      return this.#commitOnly(commits, NO_SPACE);
    }
  }

  /** Whether records of `bytes` fit, after removing what all have consumed if it must be. */
  makeRoom(bytes: number, nowMs: number): boolean {
    return this.#roomFor(bytes, nowMs) === null;
  }

  /**
   * Removes a bounded part of what is past its age, or gives a bounded part of the free pages back. To be called now and then.
   * Returns whether there is more to do.
   */
  tend(nowMs: number): boolean {
    try {
      return this.#removeConsumed(nowMs, { keepByAge: true }) > 0 || this.#space.giveBack();
    } catch (error) {
      // A full device has no room for the WAL of a removal either; the next time will do.
      if (isFull(error)) return false;
      throw error;
    }
  }

  /** Removes single records of the logs, for an owner that is through with them, but never the last one. */
  forget(offsets: readonly number[]): void {
    this.#transact(() => this.#tables.logs.forget(offsets));
  }

  /** Bytes of the file and its WAL. */
  get bytesHeld(): number {
    return this.#space.bytesHeld;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** Null where there is room for so many bytes, or was made; else why not. */
  #roomFor(bytes: number, nowMs: number): string | null {
    try {
      for (;;) {
        const refused = this.#space.refusal(bytes);
        if (refused === null || this.#removeConsumed(nowMs, { keepByAge: false }) === 0) return refused;
      }
    } catch (error) {
      if (isFull(error)) return NO_SPACE;
      throw error;
    }
  }

  // A full device has often some bytes left, and a commit of offsets is what gives records free.
  #commitOnly(commits: Write['commits'], refused: string): Written {
    try {
      if (commits.length > 0) this.#transact(() => this.#putCommits(commits));
      return { refused, isCommitted: true };
    } catch (error) {
      if (!isFull(error)) throw error;
      return { refused, isCommitted: false };
    }
  }

  #putCommits(commits: Write['commits']): void {
    for (const [group, next] of commits) this.#commit.run(group, next);
  }

  #removeConsumed(nowMs: number, { keepByAge }: { keepByAge: boolean }): number {
    const lowest = this.#lowest.get()?.['next'];
    const consumed = typeof lowest === 'number' ? lowest : 0;
    const logsUntilMs = keepByAge ? nowMs - this.#options.retentionMs : Number.POSITIVE_INFINITY;
    let removed = 0;
    this.#transact(() => {
      removed += this.#tables.logs.remove(consumed, logsUntilMs);
      removed += this.#tables['dead-letters'].remove(Number.MAX_SAFE_INTEGER, nowMs - DEAD_LETTERS_KEPT_MS);
    });
    return removed;
  }

  #transact(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite has undone the transaction by itself after some errors.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function prepareLog(database: DatabaseSync): void {
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${WAL_PAGES};
    PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
    PRAGMA cache_size = -4096;
    CREATE TABLE IF NOT EXISTS logs (
      offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS dead_letters (
      offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS group_offsets (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `);
  // Opening a log that is there writes nothing: it must be possible on a full device, or nothing could ever be taken out of it.
  if (database.prepare('PRAGMA user_version').get()?.['user_version'] !== FORMAT) {
    database.exec(`PRAGMA user_version = ${FORMAT}`);
  }
}

function storedBytes(records: readonly Stored[]): number {
  let sum = 0;
  for (const { headers, value } of records) sum += headers.length + value.length + 64;
  return sum;
}

function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
