// The log of a queue's thread, and the one that takes its place when it is damaged or gone. Where the owner says so, a
// log whose file is damaged is moved aside and a new one takes its place; the owner hears of it. Where the file, its
// WAL or its folder was deleted, it is made anew with all that it held, for that can still be read.
//
// Guarantees: one process at a time has the folder; where its lock was deleted, it is taken again before anything else
// is written.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import {
  isDamaged,
  lockFolder,
  makeAnew,
  makeFolder,
  setAside,
  watchDatabase,
  watchPresence,
  whatFailed,
} from '#shared/sqlite/database.ts';
import { type LogOptions, SqliteLog } from './sqlite-log.ts';

/** What the owner hears unasked. */
export type Notice =
  /** The log began anew; sent before the answer to what found the damage. `aside`: where the damaged file lies now. */
  | { readonly aside: string }
  | { readonly warning: string }
  /** Why nothing can be stored, since its file is gone; null where it is there again. */
  | { readonly unhealthyReason: string | null };

export interface KeeperOptions extends LogOptions {
  readonly folder: string;
  /** Whether a damaged log is moved aside, rather than refused. */
  readonly setDamagedAside: boolean;
}

export class LogKeeper implements Disposable {
  readonly #options: KeeperOptions;
  readonly #tell: (notice: Notice) => void;
  #lock: Disposable | null;
  #lockPresence: () => string;
  #log: SqliteLog;
  #presence: () => string;
  #unhealthyReason: string | null = null;
  /** Groups that have joined: they count in a log that takes the place of this one as well. */
  readonly #groups = new Set<string>();

  constructor(options: KeeperOptions, tell: (notice: Notice) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#lock = options.readOnly ? null : lockFolder(options.folder);
    this.#lockPresence = watchPresence(join(options.folder, 'lock'));
    try {
      this.#log = new SqliteLog(options);
    } catch (error) {
      if (!this.#isToGo(error)) {
        this.#lock?.[Symbol.dispose]();
        throw error;
      }
      this.#log = this.#anew();
    }
    this.#presence = watchDatabase(options.file);
  }

  /** Does something with the log. Throws queue_damaged where the log had to go. */
  do<T>(work: (log: SqliteLog) => T): T {
    try {
      return work(this.#log);
    } catch (error) {
      const { folder, file } = this.#options;
      const what = whatFailed(error, folder);
      if (!this.#isToGo(error)) throw new Error(what, { cause: error });
      const damaged = this.#log;
      this.#log = this.#anew();
      this.#presence = watchDatabase(file);
      damaged[Symbol.dispose]();
      throw new SluiceError('queue_damaged', `Cannot use ${file}: ${what}`, { cause: error });
    }
  }

  join(group: string): number {
    this.#groups.add(group);
    return this.do((log) => log.join(group));
  }

  start(group: string): { next: number; tries: number } {
    this.#groups.add(group);
    return this.do((log) => log.start(group));
  }

  /** To be called after what must stay, and now and then. Throws where the file is gone and cannot be made anew. */
  requirePresence(): void {
    const presence = this.#presence();
    if (presence === 'there') return this.#requireLock();
    let unhealthyReason: string;
    try {
      if (presence === 'gone') return this.#restore();
      unhealthyReason = `another file has taken the place of ${this.#options.file}`;
    } catch (error) {
      unhealthyReason = `${this.#options.file} is gone, and cannot be made anew: ${reasonOf(error)}`;
    }
    this.#note(
      `${unhealthyReason}. What it held can be read by this process only: let it be consumed before a restart`,
    );
    throw new Error(unhealthyReason);
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
    this.#lock?.[Symbol.dispose]();
  }

  #restore(): void {
    const { folder, file, tell } = this.#options;
    makeFolder(folder);
    if (this.#lockPresence() !== 'there') this.#holdLock(lockFolder(folder));
    const deleted = existsSync(file) ? `${file}-wal` : file;
    const presence = makeAnew(file, (made) => this.#log.copyTo(made));
    const made = new SqliteLog(this.#options);
    if (presence() !== 'there') {
      // Whoever deletes is at it still: what was opened is a new file, and empty.
      made[Symbol.dispose]();
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
      throw new Error('it was deleted again');
    }
    const former = this.#log;
    this.#log = made;
    this.#presence = watchDatabase(file, presence);
    former[Symbol.dispose]();
    for (const group of this.#groups) this.#log.join(group);
    tell(
      `${deleted} was deleted while it was used. The log was made anew with all that it held; leave the data folder ` +
        'to Sluice',
    );
    this.#note(null);
  }

  /** Whoever finds no lock takes the folder, and writes to the same log. Throws where somebody has. */
  #requireLock(): void {
    if (this.#lock === null || this.#lockPresence() === 'there') return this.#note(null);
    const { folder, tell } = this.#options;
    try {
      using taken = new DisposableStack();
      const lock = taken.use(lockFolder(folder));
      // Somebody else may have written meanwhile: what was known of the log is read again.
      const log = new SqliteLog(this.#options);
      taken.move();
      const former = this.#log;
      this.#log = log;
      this.#holdLock(lock);
      former[Symbol.dispose]();
      for (const group of this.#groups) this.#log.join(group);
    } catch (error) {
      const unhealthyReason = `${join(folder, 'lock')} was deleted, and cannot be taken again: ${reasonOf(error)}`;
      this.#note(unhealthyReason);
      throw new Error(unhealthyReason, { cause: error });
    }
    tell(`${join(folder, 'lock')} was deleted while it was used, and made anew; leave the data folder to Sluice`);
    this.#note(null);
  }

  /** In place of one whose file was deleted: that keeps nobody out. */
  #holdLock(lock: Disposable): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = lock;
    this.#lockPresence = watchPresence(join(this.#options.folder, 'lock'));
  }

  #note(unhealthyReason: string | null): void {
    if (unhealthyReason === this.#unhealthyReason) return;
    this.#unhealthyReason = unhealthyReason;
    this.#tell({ unhealthyReason });
  }

  #isToGo(error: unknown): boolean {
    return this.#options.setDamagedAside && isDamaged(error);
  }

  #anew(): SqliteLog {
    const aside = setAside(this.#options.file, new Date());
    const log = new SqliteLog(this.#options);
    this.#tell({ aside });
    return log;
  }
}
