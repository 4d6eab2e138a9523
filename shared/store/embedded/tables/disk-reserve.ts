// A little of the disk that the store keeps for the moment when nothing else of it is left. SQLite makes a file of its
// own beside a database that is opened (`-shm`), and so could not open the store on a full disk: neither to read it,
// nor to delete what is too old or too much.
//
// Guarantees: the store can be opened on a full disk once it was opened on one that was not, unless somebody else takes
// what the reserve gives back in that moment.

import { chmodSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFull } from '#shared/sqlite/database.ts';

const FILE = 'reserve';
/** Of that, SQLite's file takes 32 KiB; the rest is for the log of a few small changes. */
const BYTES = 256 * 1024;

const PRIVATE = 0o600;

/** Makes it, where it is not there. On a full disk that is for another time. */
export function keepReserve(folder: string): void {
  const file = join(folder, FILE);
  try {
    if (statSync(file, { throwIfNoEntry: false })?.size !== BYTES)
      writeFileSync(file, Buffer.alloc(BYTES, 1), { mode: PRIVATE });
    if ((statSync(file).mode & 0o777) !== PRIVATE) chmodSync(file, PRIVATE);
  } catch {
    rmSync(file, { force: true });
  }
}

/** Tries again with what the reserve gives back where `open` finds the disk full. */
export function withReserve<T>(folder: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!isFull(error)) throw error;
    rmSync(join(folder, FILE), { force: true });
    return open();
  }
}
