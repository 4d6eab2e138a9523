// Opening SQLite databases of the data folder: the folder itself, its lock, and what SQLite's errors mean.
//
// The lock is an exclusive transaction on a small database of its own: the operating system gives it back when the
// process ends, however it ends, so no stale lock can keep anyone out after a kill -9. Once the folder was used, taking
// it writes nothing, so that it can be taken on a full device.

import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { reasonOf, SluiceError } from '../errors.ts';

// Result codes of SQLite, https://www.sqlite.org/rescode.html; the low byte is the primary code.
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
const SQLITE_IOERR_SHMSIZE = 4874;

const PRIVATE = 0o600;

/** Makes the folder if need be, for this user alone. Throws data_dir_unusable where it cannot be written. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/**
 * Takes the folder for this process until the lock is disposed of, or the process ends.
 * Throws data_dir_locked if someone has it.
 */
export function lockFolder(folder: string): Disposable {
  const file = join(folder, 'lock');
  const lock = guarded(folder, () => {
    keepPrivate(file);
    return new DatabaseSync(file, { timeout: 0 });
  });
  try {
    // An empty database would be begun by the transaction.
    if (lock.prepare('PRAGMA user_version').get()?.['user_version'] !== 1) lock.exec('PRAGMA user_version = 1');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (codeOf(error) !== SQLITE_BUSY) throw unusable(folder, error);
    throw new SluiceError(
      'data_dir_locked',
      `Cannot use the data folder ${folder}: another sluice process uses it. Stop that one, or set ` +
        'SLUICE_DATA_DIR to another folder.',
    );
  }
  return { [Symbol.dispose]: () => lock.close() };
}

/** Opens (or makes) a database and runs `prepare` on it. Throws data_dir_unusable. */
export function openDatabase(
  file: string,
  options: { readonly readOnly: boolean; readonly timeoutMs: number },
  prepare: (database: DatabaseSync) => void,
): DatabaseSync {
  return guarded(file, () => {
    if (!options.readOnly) keepPrivate(file);
    const database = new DatabaseSync(file, { readOnly: options.readOnly, timeout: options.timeoutMs });
    try {
      prepare(database);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  });
}

/**
 * Whether the file still has its name: gone, if nothing has it now, or replaced by another. Linux only tells it to
 * those who look.
 */
export type Presence = 'there' | 'gone' | 'replaced';

/** Remembers the file that has this name now; returns what tells where it is. */
export function watchPresence(file: string): () => Presence {
  const identity = identityOf(file);
  return () => presenceOf(file, identity);
}

/**
 * As `watchPresence`, for a database that this process has open in WAL mode: without its WAL it is gone too, for what
 * was committed last lies only there. SQLite keeps the WAL from the first transaction until the last connection is
 * closed, through every checkpoint.
 */
export function watchDatabase(file: string, presence = watchPresence(file)): () => Presence {
  const wal = `${file}-wal`;
  let walIdentity = identityOf(wal);
  return () => {
    const main = presence();
    if (main !== 'there') return main;
    walIdentity ??= identityOf(wal);
    return presenceOf(wal, walIdentity) === 'there' ? 'there' : 'gone';
  };
}

function identityOf(file: string): string | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev} ${stat.ino}`;
}

function presenceOf(file: string, identity: string | null): Presence {
  const present = identityOf(file);
  if (present === identity) return 'there';
  return present === null ? 'gone' : 'replaced';
}

/**
 * Makes the file anew from a database whose file has no name any more, complete and synced before it gets the name.
 * `copy` writes all to the file that it is given. Returns what tells whether this very file is there.
 */
export function makeAnew(file: string, copy: (file: string) => void): () => Presence {
  const made = `${file}.new`;
  for (const suffix of ['', '-journal']) rmSync(made + suffix, { force: true });
  // An empty file is taken for none, and keeps its permissions.
  keepPrivate(made);
  copy(made);
  syncPath(made);
  // What is left of the WAL of the old one belongs to no other.
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
  const identity = identityOf(made);
  renameSync(made, file);
  syncPath(dirname(file));
  return () => presenceOf(file, identity);
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Has the database readable by its owner only: logs hold what nobody else is to read. SQLite gives the WAL and the
 * shared memory the permissions of the database. A file that is there is never opened: to close it would give up this
 * process's locks on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
export function keepPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', PRIVATE));
    return;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  // Made by an older version, which left it to the umask.
  for (const each of [file, `${file}-wal`, `${file}-shm`]) {
    const isOpen = ((statSync(each, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0;
    try {
      if (isOpen) chmodSync(each, PRIVATE);
    } catch {
      // Somebody else's file, or a volume that knows no permissions: it works as before.
    }
  }
}

function guarded<T>(thing: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw error instanceof SluiceError ? error : unusable(thing, error);
  }
}

function unusable(thing: string, error: unknown): SluiceError {
  return new SluiceError('data_dir_unusable', `Cannot use ${thing}: ${whatIs(error)}`, { cause: error });
}

/**
 * As `whatIs`, for an error that came while `folder` was written: SQLite says "disk I/O error", the system knows why.
 */
export function whatFailed(error: unknown, folder: string): string {
  if ((codeOf(error) & 0xff) !== SQLITE_IOERR) return whatIs(error);
  const probe = join(folder, 'probe');
  try {
    writeFileSync(probe, '', { mode: PRIVATE });
    rmSync(probe);
    return whatIs(error);
  } catch (cause) {
    return `${whatIs(error)} (${reasonOf(cause)})`;
  }
}

/** What SQLite's error means, in words of ours where its own say little. */
function whatIs(error: unknown): string {
  switch (codeOf(error) & 0xff) {
    case SQLITE_READONLY:
      return 'it is read-only';
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return `it is damaged or no database of Sluice (${reasonOf(error)})`;
    case SQLITE_CANTOPEN:
      return 'it cannot be opened';
    case SQLITE_FULL:
      return 'no space is left on the device';
    default:
      return reasonOf(error);
  }
}

/**
 * Whether the file is no database any more, or its pages contradict each other. Nothing that it says can be relied
 * upon.
 */
export function isDamaged(error: unknown): boolean {
  const code = codeOf(error) & 0xff;
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return true;
  return error instanceof SluiceError && error.cause !== undefined && isDamaged(error.cause);
}

/** Moves a damaged database and its WAL aside, for someone to look at, and returns its new name. */
export function setAside(file: string, now: Date): string {
  const aside = `${file}.corrupt-${now.toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  }
  return aside;
}

/**
 * Whether a write failed because the device (or the quota) is full. The transaction was undone; another try may
 * succeed.
 */
export function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return (code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE;
}

function codeOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return 0;
  return typeof error.errcode === 'number' ? error.errcode : 0;
}
