// What the paths of a walk are now: files, with their identities, and the sources that their names tell.

import { rotationOrder } from '../../decode/files/source-path.ts';
import { type FileStat, statOf } from './file-identity.ts';
import type { FoundPath, Walk } from '../walk/found-path.ts';
import type { FileTelemetry } from './telemetry.ts';
import type { SourceRule } from '../sources/source-form.ts';
import { reasonOf } from '#shared/errors.ts';

/** A file that the walk found, and what it is now. */
export interface FoundFile extends FoundPath, FileStat {
  /** What its source is called; the path itself if it was not rotated. */
  readonly base: string;
  /** What its rule's form says of the source; null: it is not wanted. */
  readonly facts: string | null;
}

/** As many are asked for at once. */
const STATS_AT_ONCE = 32;

export interface FindOptions {
  /** Whether the path has to be looked at. */
  readonly isDue: (path: string) => boolean;
  /** Whether a source is known by this path. */
  readonly isSource: (path: string) => boolean;
  /** What is kept of the source with its checkpoint; empty for nothing. */
  readonly keptOf: (path: string) => string;
  readonly telemetry: Pick<FileTelemetry, 'readFailed' | 'linksPassed'>;
}

export async function foundFiles(
  { paths, links }: Walk,
  { isDue, isSource, keptOf, telemetry }: FindOptions,
): Promise<FoundFile[]> {
  // A name that rotation gives is one only where a file has, or had, the name before.
  const baseOf = ({ path, before }: FoundPath): string => before.find((one) => paths.has(one) || isSource(one)) ?? path;
  const due = [...paths.values()].filter(({ path }) => isDue(path));
  const found: FoundFile[] = [];
  telemetry.linksPassed(links);
  for (let at = 0; at < due.length; at += STATS_AT_ONCE) {
    const some = due.slice(at, at + STATS_AT_ONCE);
    const stats = await Promise.all(some.map(({ path }) => statOf(path)));
    const all = some.map(async (path, i): Promise<FoundFile[]> => {
      const stat = stats[i] ?? null;
      if (stat === null) return [];
      const base = baseOf(path);
      return [{ ...path, ...stat, base, facts: await factsOf(base, path.rule, { keptOf, telemetry }) }];
    });
    found.push(...(await Promise.all(all)).flat());
  }
  return found;
}

async function factsOf(
  source: string,
  { form }: SourceRule,
  { keptOf, telemetry }: Pick<FindOptions, 'keptOf' | 'telemetry'>,
): Promise<string | null> {
  if (form?.facts === undefined) return '';
  try {
    return await form.facts(source, keptOf(source));
  } catch (error) {
    telemetry.readFailed(source, reasonOf(error));
    return null;
  }
}

/**
 * What was rotated comes first, the oldest before the others: so its generations come before those of what is written
 * now, whoever reads them, and whenever.
 */
export function inOrder(files: readonly FoundFile[]): FoundFile[] {
  const age = (file: FoundFile): number => (file.base === file.path ? Number.MAX_VALUE : timeOf(file));
  return files.toSorted((a, b) => age(a) - age(b) || (a.path < b.path ? -1 : 1));
}

/** Who compresses a container's file does so later than the next one is written: the names tell which is older. */
function timeOf({ path, rule, writtenMs }: FoundFile): number {
  return (rule.form === undefined ? null : rotationOrder(path)) ?? writtenMs;
}
