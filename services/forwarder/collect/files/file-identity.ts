// What tells a file from every other, whatever its name is and was; and opening the one that was found. Between the
// two anybody who may write to the folder may put something else there, so it is asked again of the descriptor: a FIFO
// would be waited for in one of the few threads that read files, and a device would be read without end.

import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { SluiceError } from '#shared/errors.ts';

export interface FileStat {
  /** Of the file, not of its name or content: no other has it, before or after. */
  readonly identity: string;
  readonly size: number;
  readonly writtenMs: number;
}

/**
 * Null where there is no regular file. The time of birth tells a file from a later one that has its inode; the device
 * has no part in it, for its number may be another after the machine was started again. Where there are no times of
 * birth, the device has to do.
 */
export async function statOf(path: string): Promise<FileStat | null> {
  try {
    const found = await stat(path, { bigint: true });
    if (!found.isFile()) return null;
    const { size, mtimeMs, mtimeNs } = found;
    const writtenMs = Number(mtimeMs) + Number(mtimeNs % 1_000_000n) / 1e6;
    return { identity: identityIn(found), size: Number(size), writtenMs };
  } catch {
    return null;
  }
}

/** Nanoseconds since the epoch; 0 where nobody knows. */
export function birthOf(identity: string): bigint {
  const [, birth] = identity.split(':');
  return BigInt(birth ?? 0);
}

/** Of the file that is open, whatever lies at its path by now. */
export async function identityOf(file: FileHandle): Promise<string> {
  return identityIn(await file.stat({ bigint: true }));
}

/**
 * Every file that is collected is opened here. Rejects, as where it cannot be read, where no regular file is there, or
 * where a link is that is not to be followed.
 */
export async function openRegular(path: string, { followsLinks = true } = {}): Promise<FileHandle> {
  const links = followsLinks ? 0 : constants.O_NOFOLLOW;
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | links);
  const isRegular = await handle.stat().then(
    (found) => found.isFile(),
    () => false,
  );
  if (isRegular) return handle;
  await handle.close();
  throw Object.assign(new Error(`it is no regular file: open '${path}'`), { code: 'EINVAL', syscall: 'open' });
}

/** Of the system: the file cannot be read, which says nothing of what it holds. */
export function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

const OTHER_FILE = 'another file has its name by now';

/** Between the walk that found it and its opening, it was renamed: the next walk finds where it is. */
export function otherFile(): SluiceError {
  return new SluiceError('body_malformed', OTHER_FILE);
}

export function isOtherFile(error: unknown): boolean {
  return error instanceof SluiceError && error.message === OTHER_FILE;
}

function identityIn({ ino, dev, birthtimeNs }: BigIntStats): string {
  return birthtimeNs > 0n ? `${ino}:${birthtimeNs}` : `${ino}@${dev}`;
}
