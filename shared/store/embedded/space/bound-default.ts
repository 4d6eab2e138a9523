// What the embedded store may take where nobody has said it: 10 GiB, or a tenth of its disk if that is less.

import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

const BYTES_MAX = 10 * 2 ** 30;
const DISK_SHARE = 10;
/** Also the least that can be set. */
const BYTES_MIN = 16 * 2 ** 20;

/** `folder` need not be there yet: then it will lie on the disk of the nearest one above it. */
export function defaultBytesMax(folder: string): number {
  let place = folder;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  const { blocks, bsize } = statfsSync(place);
  return defaultOfDisk(blocks * bsize);
}

/** `diskBytes`: 0 where the file system does not tell. */
export function defaultOfDisk(diskBytes: number): number {
  if (!(diskBytes > 0)) return BYTES_MAX;
  return Math.max(BYTES_MIN, Math.min(BYTES_MAX, Math.floor(diskBytes / DISK_SHARE)));
}
