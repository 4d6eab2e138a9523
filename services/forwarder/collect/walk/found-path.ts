// What a walk finds: paths of files, with the rule that asks for each, and what it did not look at. Pure.

import { dirname } from 'node:path';
import type { SourceRule } from '../sources/source-form.ts';

export interface FoundPath {
  readonly path: string;
  readonly rule: SourceRule;
  /** False: no pattern asks for it, but it may be a rotated file of one that a pattern asks for. */
  readonly isAsked: boolean;
  /** What it may have been called before it was rotated, the likeliest first. */
  readonly before: readonly string[];
}

export interface Walk {
  readonly paths: ReadonlyMap<string, FoundPath>;
  /** Folders whose files matter. */
  readonly folders: ReadonlySet<string>;
  /** Folders of which not all names were looked at. */
  readonly overfull: ReadonlySet<string>;
  /** Links that lead from folders of containers, and are not followed. */
  readonly links: readonly string[];
}

export interface FullWalk extends Walk {
  readonly paths: Map<string, FoundPath>;
  readonly folders: Set<string>;
  readonly overfull: Set<string>;
  readonly links: string[];
}

/** The folder of a path as the walk names it. */
export function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '/' ? '' : folder;
}
