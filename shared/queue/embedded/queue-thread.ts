// The thread of a log: takes the folder's lock, opens the log, and does what it is asked, one after another. Started by
// `startWorker('queue-thread', …)`; nothing else may import it, but for its types.
//
// Guarantees: no write is answered before the file was seen to be there (log-keeper.ts).

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '#shared/errors.ts';
import { makeFolder } from '#shared/sqlite/database.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import { moved, type Moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import type { DeadLetterFigures } from './dead-letter-account.ts';
import type { Topic } from './log/log-table.ts';
import { packRecords, type Stored, unpackRecords } from './log/packed-records.ts';
import { LogKeeper } from './log-keeper.ts';
import type { Write, Written } from './sqlite-log.ts';

export interface QueueThreadData {
  readonly folder: string;
  readonly readOnly: boolean;
  readonly bytesMax: number;
  readonly deadLettersBytesMax: number;
  readonly retentionMs: number;
  readonly setDamagedAside: boolean;
}

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
  /** As `join`, for who reads from there on; see SqliteLog.start. */
  start(group: string): { next: number; tries: number };
  /** Where the group stands, without a trace. `oldestMs`: by when its next record was there; null when caught up. */
  standOf(group: string): { low: number; high: number; next: number; oldestMs: number | null };
  /** Removes these records of the logs. */
  forget(offsets: readonly number[]): void;
  /** Erases these dead letters. */
  eraseDeadLetters(offsets: readonly number[]): { readonly erased: number; readonly figures: DeadLetterFigures };
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
    start: (group) => keeper.start(group),
    standOf: (group) =>
      keeper.do((log) => {
        const next = log.next(group);
        return { low: log.first('logs'), high: log.end('logs'), next, oldestMs: log.thereSince('logs', next) };
      }),
    forget: (offsets) => keeper.do((log) => log.forget(offsets)),
    eraseDeadLetters: (offsets) => {
      keeper.requirePresence();
      return keeper.do(({ deadLetters }) => {
        const erased = deadLetters.erase(offsets);
        return { erased, figures: deadLetters.figures() };
      });
    },
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
