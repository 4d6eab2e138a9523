// What the paths of a walk are now: files, with their identities, and the sources that their names tell.

import { type FileStat, statOf } from './file-identity.ts';
import type { FoundPath, Walk } from './file-walk.ts';

/** A file that the walk found, and what it is now. */
export interface FoundFile extends FoundPath, FileStat {
  /** What its source is called; the path itself if it was not rotated. */
  readonly base: string;
}

/** As many are asked for at once. */
const STATS_AT_ONCE = 32;

export interface FindOptions {
  /** Whether the path has to be looked at. */
  readonly isDue: (path: string) => boolean;
  /** Whether a source is known by this path. */
  readonly isSource: (path: string) => boolean;
}

export async function foundFiles({ paths }: Walk, { isDue, isSource }: FindOptions): Promise<FoundFile[]> {
  // A name that rotation gives is one only where a file has, or had, the name before.
  const baseOf = ({ path, before }: FoundPath): string => before.find((one) => paths.has(one) || isSource(one)) ?? path;
  const due = [...paths.values()].filter(({ path }) => isDue(path));
  const found: FoundFile[] = [];
  for (let at = 0; at < due.length; at += STATS_AT_ONCE) {
    const some = due.slice(at, at + STATS_AT_ONCE);
    const stats = await Promise.all(some.map(({ path }) => statOf(path)));
    for (const [i, path] of some.entries()) {
      const stat = stats[i] ?? null;
      if (stat !== null) found.push({ ...path, ...stat, base: baseOf(path) });
    }
  }
  return found;
}

/**
 * What was rotated comes first, the oldest before the others: so its generations come before those of what is written
 * now, whoever reads them, and whenever.
 */
export function inOrder(files: readonly FoundFile[]): FoundFile[] {
  const age = ({ base, path, writtenMs }: FoundFile): number => (base === path ? Number.MAX_VALUE : writtenMs);
  return files.toSorted((a, b) => age(a) - age(b) || (a.path < b.path ? -1 : 1));
}
