// The worker thread of a log: takes the folder's lock, opens the log, and does what it is asked, one after another.
// Started by `startWorker('queue-thread', …)`; nothing else may import it.
//
// Where the owner says so, a log whose file is damaged is moved aside and a new one takes its place; the owner is told.
// Where the file, its WAL or its folder was deleted, it is made anew with all that it held, for that can still be read.
// No write is answered before the file was seen to be there.

import { join } from 'node:path';
import { existsSync, rmSync } from 'node:fs';
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
import type { Moment } from '#shared/sqlite/passed-time.ts';
import { moved, type Moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { DeadLetterFigures } from './dead-letter-account.ts';
import { packRecords, type Stored, unpackRecords } from './log/packed-records.ts';
import { type LogOptions, SqliteLog, type Topic, type Write, type Written } from './sqlite-log.ts';

export interface QueueThreadData {
  readonly folder: string;
  readonly readOnly: boolean;
  readonly bytesMax: number;
  readonly deadLettersBytesMax: number;
  readonly retentionMs: number;
  readonly setDamagedAside: boolean;
}

/** Told unasked. */
export type Notice =
  /** The log began anew; told before the answer to what found the damage. `aside`: where the damaged file lies now. */
  | { readonly aside: string }
  | { readonly warning: string }
  /** Why nothing can be held, since its file is gone; null where it is there again. */
  | { readonly unhealthyReason: string | null };

/** A transaction with its records packed, see packed-records.ts. */
export interface PackedWrite {
  readonly now: Moment;
  readonly logs: Uint8Array<ArrayBuffer>;
  readonly deadLetters: Uint8Array<ArrayBuffer>;
  readonly deadLetterCharges: Write['deadLetterCharges'];
  readonly commits: Write['commits'];
}

export interface Fetched {
  readonly packed: Uint8Array<ArrayBuffer>;
  /** End of the topic as of the fetch. */
  readonly end: number;
}

export interface LogMethods {
  write(write: PackedWrite): Written & { readonly end: number; readonly deadLetters: DeadLetterFigures };
  /** Why records of so many bytes would be refused; null where they would not. Removes what may be removed for them. */
  makeRoom(bytes: number): string | null;
  /** Writes something; throws where that fails. */
  probe(argument: null): void;
  tend(moment: Moment): boolean;
  bounds(topic: Topic): { first: number; end: number };
  /** What a topic has that came between the times, and perhaps more within: records from `first` on, before `end`. */
  between(times: { topic: Topic; fromMs?: number | undefined; toMs?: number | undefined }): {
    first: number;
    end: number;
  };
  fetch(from: { topic: Topic; offset: number; bytesMax: number }): Moved<Fetched>;
  /** So many records without their values. */
  heads(from: { topic: Topic; offset: number; records: number }): Moved<Fetched>;
  /** Next offset of the group, which counts for retention from now on. */
  join(group: string): { next: number; end: number };
  /** As `join`, for who reads from there on; see SqliteLog.begin. */
  begin(group: string): { next: number; tries: number };
  /** Where the group stands, without a trace. `oldestMs`: by when its next record was there; null when caught up. */
  standOf(group: string): { low: number; high: number; next: number; oldestMs: number | null };
  /** Removes these records of the logs. */
  forget(offsets: readonly number[]): void;
  bytesStored(): number;
  deadLetterFigures(argument: null): DeadLetterFigures;
}

serveWorker<QueueThreadData, LogMethods>((data, notify) => {
  using opened = new DisposableStack();
  const file = join(data.folder, 'log.sqlite');
  if (data.readOnly) requireLog(file, data.folder);
  else makeFolder(data.folder);
  const keeper = opened.use(new LogKeeper({ ...data, file, tell: (warning) => notify({ warning }) }, notify));
  const held = opened.move();
  return { methods: methodsOf(keeper), close: () => held.dispose() };
});

type KeeperOptions = LogOptions & Pick<QueueThreadData, 'folder' | 'setDamagedAside'>;

/** The log, and the one that takes its place when it is damaged or gone. */
class LogKeeper implements Disposable {
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

  begin(group: string): { next: number; tries: number } {
    this.#groups.add(group);
    return this.do((log) => log.begin(group));
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
      `${deleted} was deleted while it was used. The log was made anew with all that it held; leave the data folder to Sluice`,
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

function methodsOf(keeper: LogKeeper): LogMethods {
  return {
    write: ({ logs, deadLetters, ...rest }) => {
      keeper.requirePresence();
      return keeper.do((log) => {
        const write = { ...rest, logs: [...unpackRecords(logs)], deadLetters: [...unpackRecords(deadLetters)] };
        const written = log.write(write);
        const end = log.end('logs');
        keeper.requirePresence();
        // They were moved here. Left to the garbage collector of this thread, tens of megabytes of them would lie
        // about.
        for (const packed of [logs, deadLetters]) packed.buffer.transfer(0);
        return { ...written, end, deadLetters: log.deadLetters.figures() };
      });
    },
    makeRoom: (bytes) => keeper.do((log) => log.makeRoom(bytes)),
    probe: () => keeper.do((log) => log.probe()),
    tend: (moment) => {
      keeper.requirePresence();
      return keeper.do((log) => log.tend(moment));
    },
    bounds: (topic) => keeper.do((log) => ({ first: log.first(topic), end: log.end(topic) })),
    between: ({ topic, fromMs, toMs }) =>
      keeper.do((log) => ({
        first: fromMs === undefined ? log.first(topic) : log.offsetAt(topic, fromMs),
        end: toMs === undefined ? log.end(topic) : log.endBefore(topic, toMs),
      })),
    fetch: ({ topic, offset, bytesMax }) =>
      keeper.do((log) => fetched(log.fetch(topic, offset, bytesMax), log.end(topic))),
    heads: ({ topic, offset, records }) =>
      keeper.do((log) => fetched(log.heads(topic, offset, records), log.end(topic))),
    join: (group) => {
      const next = keeper.join(group);
      return { next, end: keeper.do((log) => log.end('logs')) };
    },
    begin: (group) => keeper.begin(group),
    standOf: (group) =>
      keeper.do((log) => {
        const next = log.next(group);
        return { low: log.first('logs'), high: log.end('logs'), next, oldestMs: log.thereSince('logs', next) };
      }),
    forget: (offsets) => keeper.do((log) => log.forget(offsets)),
    bytesStored: () => keeper.do((log) => log.bytesStored),
    deadLetterFigures: () => keeper.do((log) => log.deadLetters.figures()),
  };
}

function fetched(records: readonly Stored[], end: number): Moved<Fetched> {
  const packed = packRecords(records);
  return moved({ packed, end }, [packed.buffer]);
}

function requireLog(file: string, folder: string): void {
  if (existsSync(file)) return;
  throw new SluiceError(
    'data_dir_unusable',
    `Cannot read the queue in ${folder}: there is none yet. Start \`sluice run\` first.`,
  );
}
