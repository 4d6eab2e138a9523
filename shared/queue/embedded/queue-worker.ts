// The worker thread of a log: takes the folder's lock, opens the log, and does what it is asked, one after another.
// Started by `startWorker('queue-worker', …)`; nothing else may import it.

import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { SluiceError } from '#shared/errors.ts';
import { lockFolder, makeFolder } from '#shared/sqlite/database.ts';
import { moved, type Moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import { packFrames, unpackFrames } from './frames.ts';
import { SqliteLog, type Topic, type Write, type Written } from './sqlite-log.ts';

export interface QueueWorkerData {
  readonly folder: string;
  readonly readOnly: boolean;
  readonly bytesMax: number;
  readonly retentionMs: number;
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
  /** Next offset of the group, which counts for retention from now on. */
  join(group: string): { next: number; end: number };
  /** Where the group stands, without a trace. `oldestMs`: append time of its next record; null when caught up. */
  standOf(group: string): { low: number; high: number; next: number; oldestMs: number | null };
  bytesHeld(): number;
}

serveWorker<QueueWorkerData, LogMethods>((data) => {
  using opened = new DisposableStack();
  const file = join(data.folder, 'log.sqlite');
  if (data.readOnly) requireLog(file, data.folder);
  else {
    makeFolder(data.folder);
    opened.use(lockFolder(data.folder));
  }
  const log = opened.use(new SqliteLog({ ...data, file }));
  const held = opened.move();
  return { methods: methodsOf(log), close: () => held.dispose() };
});

function methodsOf(log: SqliteLog): LogMethods {
  return {
    write({ nowMs, logs, deadLetters, commits }) {
      const write = { nowMs, logs: [...unpackFrames(logs)], deadLetters: [...unpackFrames(deadLetters)], commits };
      return { ...log.write(write), end: log.end('logs') };
    },
    makeRoom: ({ bytes, nowMs }) => log.makeRoom(bytes, nowMs),
    tend: (nowMs) => log.tend(nowMs),
    bounds: (topic) => ({ first: log.first(topic), end: log.end(topic) }),
    offsetAt: ({ topic, timeMs }) => log.offsetAt(topic, timeMs),
    fetch({ topic, offset, bytesMax }) {
      const frames = packFrames(log.fetch(topic, offset, bytesMax));
      return moved({ frames, end: log.end(topic) }, [frames.buffer]);
    },
    join(group) {
      const next = log.next(group);
      if (log.committed(group) === null) log.write({ nowMs: 0, logs: [], deadLetters: [], commits: [[group, next]] });
      return { next, end: log.end('logs') };
    },
    standOf(group) {
      const next = log.next(group);
      return { low: log.first('logs'), high: log.end('logs'), next, oldestMs: log.timeAt('logs', next) };
    },
    bytesHeld: () => log.bytesHeld,
  };
}

function requireLog(file: string, folder: string): void {
  if (existsSync(file)) return;
  throw new SluiceError(
    'data_dir_unusable',
    `Cannot read the queue in ${folder}: there is none yet. Start \`sluice run\` first.`,
  );
}
