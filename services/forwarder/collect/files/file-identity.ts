// What tells a file from every other, whatever its name is and was.

import { stat } from 'node:fs/promises';

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
    const { ino, dev, birthtimeNs, size, mtimeMs, mtimeNs, isFile } = await fileStat(path);
    if (!isFile) return null;
    const identity = birthtimeNs > 0n ? `${ino}:${birthtimeNs}` : `${ino}@${dev}`;
    return { identity, size: Number(size), writtenMs: Number(mtimeMs) + Number(mtimeNs % 1_000_000n) / 1e6 };
  } catch {
    return null;
  }
}

/** Nanoseconds since the epoch; 0 where nobody knows. */
export function birthOf(identity: string): bigint {
  const [, birth] = identity.split(':');
  return BigInt(birth ?? 0);
}

async function fileStat(path: string) {
  const found = await stat(path, { bigint: true });
  return { ...found, isFile: found.isFile() };
}
