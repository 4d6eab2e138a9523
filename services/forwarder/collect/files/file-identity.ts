// What tells a file from every other, whatever its name is and was; and opening the one that was found. Between the
// two anybody who may write to the folder may put something else there, so it is asked again of the descriptor: a FIFO
// would be waited for in one of the few threads that read files, and a device would be read without end.

import { type BigIntStats, constants, type Stats } from 'node:fs';
import { type FileHandle, open, readlink, realpath, stat } from 'node:fs/promises';
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

export interface OpenOptions {
  /** The folder that no link may lead out of; null: links are followed. */
  readonly root?: string | null;
}

/**
 * Every file that is collected is opened here. Rejects, as where it cannot be read, where no regular file is there, or
 * one that a link has led to out of the root.
 */
export async function openRegular(path: string, { root = null }: OpenOptions = {}): Promise<FileHandle> {
  const links = root === null ? 0 : constants.O_NOFOLLOW;
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | links);
  try {
    if (!(await statusOf(handle, path)).isFile()) throw refusal(path, 'it is no regular file');
    if (root !== null && !(await isBelow(handle, root))) throw refusal(path, `a link leads out of ${root}`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * What the system says of an open file. A sparse file takes no disk and may say that it has 8 EiB, to which no place
 * can be counted: rejects as where it cannot be read.
 */
export async function statusOf(file: FileHandle, path: string): Promise<Stats> {
  return withSafeSize(await file.stat(), path);
}

/** What `statusOf` does with what the system says. */
export function withSafeSize(found: Stats, path: string): Stats {
  if (found.size > Number.MAX_SAFE_INTEGER) throw refusal(path, `it says that it has ${found.size} bytes`);
  return found;
}

/**
 * By what the system says of the descriptor: folders of the path may be links for a moment only, so that whoever asks
 * for the path sees none. The root itself may be a link, and what is above it.
 */
async function isBelow({ fd }: FileHandle, root: string): Promise<boolean> {
  const lies = await readlink(`/proc/self/fd/${fd}`);
  return lies.startsWith(`${await realpath(root)}/`);
}

function refusal(path: string, why: string): Error {
  return Object.assign(new Error(`${why}: open '${path}'`), { code: 'EINVAL', syscall: 'open' });
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
