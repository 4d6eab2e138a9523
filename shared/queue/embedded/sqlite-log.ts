// A durable log in one SQLite file: topics of records with growing offsets, and offsets of the groups that read them.
// It runs inside a worker thread (queue-thread.ts) and serves the embedded queue; a spool in front of Kafka can use it
// too.
//
// Guarantees: WAL with synchronous=FULL syncs the WAL to the device before COMMIT returns, so what `write` has returned
// for survives a kill and a power cut, and what it has not is there whole or not at all. The file and its WAL stay
// within `bytesMax`, and what dead letters may take beside it: neither takes what is the other's. Only records that
// every group has consumed are removed (log-retention.ts), and never the last record of a topic, so that offsets go on
// after a restart. A group that nobody has joined since the log was opened counts as long as there is room, and for a
// week at most (group-offsets.ts).

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isFull, openDatabase } from '#shared/sqlite/database.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import { DeadLetterAccount, type DeadLettersRefused } from './dead-letter-account.ts';
import type { DeadLetterCharge } from './dead-letter-budget.ts';
import { GroupOffsets } from './group-offsets.ts';
import { LogSpace, NO_SPACE } from './log/log-space.ts';
import { LogTable, type Topic } from './log/log-table.ts';
import { prepareLog } from './log/log-schema.ts';
import { type Stored, storedBytes } from './log/packed-records.ts';
import { LogRetention } from './log-retention.ts';

export interface LogOptions {
  readonly file: string;
  readonly readOnly: boolean;
  /** Most bytes of the file and its WAL together, without the dead letters. */
  readonly bytesMax: number;
  /** Most bytes of the dead letters. */
  readonly deadLettersBytesMax: number;
  /** How long what every group has consumed is kept. */
  readonly retentionMs: number;
  /** Tells what an operator should know. */
  tell(message: string): void;
}

/** One transaction. */
export interface Write {
  readonly now: Moment;
  readonly logs: readonly Stored[];
  readonly deadLetters: readonly Stored[];
  /** What of `deadLetters` is stored together or not at all, in their order. */
  readonly deadLetterCharges: readonly DeadLetterCharge[];
  /** Group → next offset of the logs. */
  readonly commits: readonly (readonly [group: string, next: number])[];
}

export interface Written {
  /** Why the records of the logs were not written; null when they were. */
  readonly refused: string | null;
  /** The same for each of `deadLetterCharges`. */
  readonly deadLettersRefused: readonly (DeadLettersRefused | null)[];
  /** Whether the commits were written, which may be so although the records were refused. */
  readonly isCommitted: boolean;
}

export class SqliteLog implements Disposable {
  readonly #database: DatabaseSync;
  readonly #tables: Record<Topic, LogTable>;
  readonly #space: LogSpace;
  readonly #deadLetters: DeadLetterAccount;
  readonly #groups: GroupOffsets;
  readonly #retention: LogRetention;

  constructor(options: LogOptions) {
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
    this.#deadLetters = new DeadLetterAccount(this.#database, options);
    this.#groups = new GroupOffsets(this.#database, options);
    this.#retention = new LogRetention(this.#database, {
      ...options,
      tables: this.#tables,
      groups: this.#groups,
      deadLetters: this.#deadLetters,
      transact: (work) => this.#transact(work),
    });
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

  /** The offset from which on no record is before the time. */
  endBefore(topic: Topic, timeMs: number): number {
    return this.#tables[topic].endBefore(timeMs);
  }

  /** By when the first record at or after the offset was there, ms since the epoch; null if there is none. */
  thereSince(topic: Topic, offset: number): number | null {
    return this.#tables[topic].thereSince(offset);
  }

  /** Records from `from` on, at least one if there is any, else as many as fit in `bytesMax`. */
  fetch(topic: Topic, from: number, bytesMax: number): Stored[] {
    return this.#tables[topic].fetch(from, bytesMax);
  }

  /** So many records from `from` on, with their values left out. */
  heads(topic: Topic, from: number, records: number): Stored[] {
    return this.#tables[topic].heads(from, records);
  }

  /** Where the group begins to read: what it committed, or the first record that is still there. */
  next(group: string): number {
    const first = this.first('logs');
    return Math.min(Math.max(this.#groups.committed(group) ?? first, first), this.end('logs'));
  }

  /** As `next`; the group counts for retention from now on. Tells of groups that others have left behind. */
  join(group: string): number {
    const next = this.next(group);
    this.#transact(() => this.#groups.join(group, next, this.#retention.passedMs));
    this.#groups.tellOfOthers(this.end('logs'));
    return next;
  }

  /**
   * As `join`, to read from there on; counts how many times the group began so, without getting on since. 0: there is
   * nothing to be read.
   */
  start(group: string): { readonly next: number; readonly tries: number } {
    const next = this.join(group);
    let tries = 0;
    if (next >= this.end('logs')) return { next, tries };
    try {
      this.#transact(() => {
        // Where the record at which it stood was removed, it begins elsewhere, for the first time.
        this.#groups.commit([[group, next]]);
        tries = this.#groups.try(group);
      });
    } catch (error) {
      // Reading is what makes room on a full device.
      if (!isFull(error)) throw error;
      tries = 0;
    }
    return { next, tries };
  }

  /**
   * Writes in one synced transaction what may be written of it: the logs, the commits, and each append of dead letters.
   */
  write(write: Write): Written {
    const { logs, commits } = write;
    const full = storedBytes(logs) > 0 ? this.#roomFor(storedBytes(logs)) : null;
    const taken = full === null ? logs : [];
    // Not before: a removal that fails has all counted anew, without what is not written yet.
    const deadLetters = this.#deadLetters.admitted(write.deadLetters, write.deadLetterCharges);
    try {
      const bytes = storedBytes(taken) + storedBytes(deadLetters.records);
      const unwritable = bytes > 0 ? this.#writable(bytes) : null;
      if (unwritable !== null) {
        this.#deadLetters.withdraw(deadLetters);
        return this.#commitOnly(commits, refusedAll(unwritable, deadLetters.refused));
      }
      this.#transact(() => {
        this.#tables.logs.append(taken, write.now);
        const first = this.#tables['dead-letters'].end();
        this.#tables['dead-letters'].append(deadLetters.records, write.now);
        this.#deadLetters.append(first, deadLetters);
        this.#groups.commit(commits);
      });
      return { refused: full, deadLettersRefused: deadLetters.refused, isCommitted: true };
    } catch (error) {
      this.#tables.logs.reload();
      this.#tables['dead-letters'].reload();
      this.#deadLetters.reload();
      if (!isFull(error)) throw error;
      return this.#commitOnly(commits, refusedAll(NO_SPACE, deadLetters.refused));
    }
  }

  get deadLetters(): DeadLetterAccount {
    return this.#deadLetters;
  }

  /** Why records of `bytes` do not fit, after removing what all have consumed if it must be; null where they do. */
  makeRoom(bytes: number): string | null {
    return this.#roomFor(bytes) ?? this.#writable(bytes);
  }

  /** Writes something, as an append would. Throws where that cannot be done. */
  probe(): void {
    this.#transact(() => this.#retention.keepTime());
  }

  /**
   * Removes a bounded part of what is past its age, or gives a bounded part of the free pages back. To be called now
   * and then. Returns whether there is more to do.
   */
  tend(moment: Moment): boolean {
    try {
      this.#retention.note(moment);
      return this.#retention.remove({ keepByAge: true }) > 0 || this.#space.giveBack();
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

  /** Writes all that it holds to a new file, also where its own has no name any more. */
  copyTo(file: string): void {
    this.#database.prepare('VACUUM INTO ?').run(file);
  }

  /** Bytes of the file and its WAL. */
  get bytesStored(): number {
    return this.#space.bytesStored;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** Null where the limit lets the logs have so many bytes more, after removals if it must be; else why not. */
  #roomFor(bytes: number): string | null {
    return this.#afterRemovals(() => this.#space.overLimit(bytes, this.#deadLetters.bytesStored));
  }

  /** Null where so many bytes can be written, after removals if it must be; else why not. */
  #writable(bytes: number): string | null {
    return this.#afterRemovals(() => this.#space.unwritable(bytes));
  }

  #afterRemovals(refusal: () => string | null): string | null {
    try {
      for (;;) {
        const refused = refusal();
        if (refused === null || this.#retention.remove({ keepByAge: false }) === 0) return refused;
      }
    } catch (error) {
      if (isFull(error)) return NO_SPACE;
      throw error;
    }
  }

  // A full device has often some bytes left, and a commit of offsets is what gives records free.
  #commitOnly(commits: Write['commits'], refused: Pick<Written, 'refused' | 'deadLettersRefused'>): Written {
    try {
      if (commits.length > 0) this.#transact(() => this.#groups.commit(commits));
      return { ...refused, isCommitted: true };
    } catch (error) {
      if (!isFull(error)) throw error;
      return { ...refused, isCommitted: false };
    }
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

/** Nothing was written: what the budget refused keeps its reason. */
function refusedAll(
  why: string,
  deadLetters: Written['deadLettersRefused'],
): Pick<Written, 'refused' | 'deadLettersRefused'> {
  return { refused: why, deadLettersRefused: deadLetters.map((refused) => refused ?? { space: why }) };
}

function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
