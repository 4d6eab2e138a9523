// The worker thread of a log: takes the folder's lock, opens the log, and does what it is asked, one after another.
// Started by `startWorker('queue-worker', …)`; nothing else may import it.
//
// Where the owner says so, a log whose file is damaged is moved aside and a new one takes its place; the owner is told.

import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { SluiceError } from '#shared/errors.ts';
import { isDamaged, lockFolder, makeFolder, setAside, whatFailed } from '#shared/sqlite/database.ts';
import { moved, type Moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import { packFrames, type Stored, unpackFrames } from './frames.ts';
import { type LogOptions, SqliteLog, type Topic, type Write, type Written } from './sqlite-log.ts';

export interface QueueWorkerData {
  readonly folder: string;
  readonly readOnly: boolean;
  readonly bytesMax: number;
  readonly retentionMs: number;
  readonly setDamagedAside: boolean;
}

/** Told unasked, after the log began anew, and before the answer to what found the damage. */
export interface DamageNotice {
  /** Where the damaged file lies now. */
  readonly aside: string;
}

/** A transaction with its records packed, see frames.ts. */
export interface PackedWrite {
  readonly nowMs: number;
  readonly logs: Uint8Array<ArrayBuffer>;
  readonly deadLetters: Uint8Array<ArrayBuffer>;
  readonly commits: Write['commits'];
}

export interface Fetched {
  readonly frames: Uint8Array<ArrayBuffer>;
  /** End of the topic as of the fetch. */
  readonly end: number;
}

export interface LogMethods {
  write(write: PackedWrite): Written & { readonly end: number };
  makeRoom(room: { bytes: number; nowMs: number }): boolean;
  tend(nowMs: number): boolean;
  bounds(topic: Topic): { first: number; end: number };
  offsetAt(at: { topic: Topic; timeMs: number }): number;
  fetch(from: { topic: Topic; offset: number; bytesMax: number }): Moved<Fetched>;
  /** So many records without their values. */
  heads(from: { topic: Topic; offset: number; records: number }): Moved<Fetched>;
  /** Next offset of the group, which counts for retention from now on. */
  join(group: string): { next: number; end: number };
  /** Where the group stands, without a trace. `oldestMs`: append time of its next record; null when caught up. */
  standOf(group: string): { low: number; high: number; next: number; oldestMs: number | null };
  /** Removes these records of the logs. */
  forget(offsets: readonly number[]): void;
  bytesHeld(): number;
}

serveWorker<QueueWorkerData, LogMethods>((data, notify) => {
  using opened = new DisposableStack();
  const file = join(data.folder, 'log.sqlite');
  if (data.readOnly) requireLog(file, data.folder);
  else {
    makeFolder(data.folder);
    opened.use(lockFolder(data.folder));
  }
  const keeper = opened.use(new LogKeeper({ ...data, file }, notify));
  const held = opened.move();
  return { methods: methodsOf(keeper), close: () => held.dispose() };
});

type KeeperOptions = LogOptions & Pick<QueueWorkerData, 'folder' | 'setDamagedAside'>;

/** The log, and the one that takes its place when it is damaged. */
class LogKeeper implements Disposable {
  readonly #options: KeeperOptions;
  readonly #tell: (notice: DamageNotice) => void;
  #log: SqliteLog;

  constructor(options: KeeperOptions, tell: (notice: DamageNotice) => void) {
    this.#options = options;
    this.#tell = tell;
    try {
      this.#log = new SqliteLog(options);
    } catch (error) {
      if (!this.#isToGo(error)) throw error;
      this.#log = this.#anew();
    }
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
      damaged[Symbol.dispose]();
      throw new SluiceError('queue_damaged', `Cannot use ${file}: ${what}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
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
    write: ({ nowMs, logs, deadLetters, commits }) =>
      keeper.do((log) => {
        const write = { nowMs, logs: [...unpackFrames(logs)], deadLetters: [...unpackFrames(deadLetters)], commits };
        return { ...log.write(write), end: log.end('logs') };
      }),
    makeRoom: ({ bytes, nowMs }) => keeper.do((log) => log.makeRoom(bytes, nowMs)),
    tend: (nowMs) => keeper.do((log) => log.tend(nowMs)),
    bounds: (topic) => keeper.do((log) => ({ first: log.first(topic), end: log.end(topic) })),
    offsetAt: ({ topic, timeMs }) => keeper.do((log) => log.offsetAt(topic, timeMs)),
    fetch: ({ topic, offset, bytesMax }) =>
      keeper.do((log) => fetched(log.fetch(topic, offset, bytesMax), log.end(topic))),
    heads: ({ topic, offset, records }) =>
      keeper.do((log) => fetched(log.heads(topic, offset, records), log.end(topic))),
    join: (group) =>
      keeper.do((log) => {
        const next = log.next(group);
        if (log.committed(group) === null) log.write({ nowMs: 0, logs: [], deadLetters: [], commits: [[group, next]] });
        return { next, end: log.end('logs') };
      }),
    standOf: (group) =>
      keeper.do((log) => {
        const next = log.next(group);
        return { low: log.first('logs'), high: log.end('logs'), next, oldestMs: log.timeAt('logs', next) };
      }),
    forget: (offsets) => keeper.do((log) => log.forget(offsets)),
    bytesHeld: () => keeper.do((log) => log.bytesHeld),
  };
}

function fetched(records: readonly Stored[], end: number): Moved<Fetched> {
  const frames = packFrames(records);
  return moved({ frames, end }, [frames.buffer]);
}

function requireLog(file: string, folder: string): void {
  if (existsSync(file)) return;
  throw new SluiceError(
    'data_dir_unusable',
    `Cannot read the queue in ${folder}: there is none yet. Start \`sluice run\` first.`,
  );
}
