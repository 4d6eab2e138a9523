// Finds the files that the rules ask for, and what rotation may have made of them: other files of the same folders,
// whose names show it. Folders are listed once a walk, however many patterns lead there.
//
// Guarantees: whoever may write to a folder can fill it with names; so they are read and gone through in steps, between
// which others have a turn, and only so many of a folder, and files of all folders, are looked at. Of these, every rule
// has a share that the trees of other rules cannot take.

import type { Dirent } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ANY_FOLDERS, matchesName, matchesPath, type Segment, segmentsOf } from '../../decode/files/path-pattern.ts';
import { pathsBeforeRotation } from '../../decode/files/source-path.ts';
import type { SourceRule } from '../sources/source-form.ts';

/** Of a folder. */
const NAMES_MAX = 100_000;
/** Of a walk. */
const LIMITS: WalkLimits = { files: 100_000, folders: 60_000 };
const NAMES_AT_ONCE = 1024;

export interface WalkLimits {
  readonly files: number;
  readonly folders: number;
}

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

export class FileWalker {
  readonly #rules: readonly Patterns[];
  /** What the last walk found: names are gone through once. */
  #last: ReadonlyMap<string, FoundPath> = new Map();

  readonly #limits: WalkLimits;

  constructor(rules: readonly SourceRule[], limits = LIMITS) {
    this.#limits = limits;
    this.#rules = rules.map((rule) => new Patterns(rule));
  }

  /** Whether a rule asks for the path. */
  covers(path: string): boolean {
    return this.#rules.some((rule) => rule.covers(path));
  }

  async walk(): Promise<Walk> {
    const paths = new Map<string, FoundPath>();
    const folders = new Set<string>();
    const overfull = new Set<string>();
    const links: string[] = [];
    const listings = new Map<string, Promise<Dirent[]>>();
    const list = (folder: string): Promise<Dirent[]> => {
      let listing = listings.get(folder);
      if (listing === undefined) {
        listing = namesIn(folder, overfull);
        listings.set(folder, listing);
      }
      return listing;
    };
    for (const [n, patterns] of this.#rules.entries()) {
      const limits = this.#limitsOf(n);
      for (const segments of patterns.include)
        await visit('', segments, 0, {
          patterns,
          paths,
          folders,
          overfull,
          links,
          list,
          limits,
          last: this.#last,
        });
    }
    this.#last = paths;
    return { paths, folders, links, overfull };
  }

  /** Of the rules up to this one together: half of what there is goes round, the other half is for who comes first. */
  #limitsOf(rule: number): WalkLimits {
    const { files, folders } = this.#limits;
    const left = (this.#rules.length - 1 - rule) / (2 * this.#rules.length);
    return { files: files - Math.floor(files * left), folders: folders - Math.floor(folders * left) };
  }
}

class Patterns {
  readonly rule: SourceRule;
  /** From this segment on no link is followed. */
  readonly rootDepth: number;
  readonly include: readonly (readonly Segment[])[];
  readonly #exclude: readonly { readonly isName: boolean; readonly segments: readonly Segment[] }[];

  constructor(rule: SourceRule) {
    this.rule = rule;
    this.rootDepth = rule.form === undefined ? Infinity : segmentsOf(rule.form.root).length;
    this.include = rule.include.map((pattern) => segmentsOf(pattern.endsWith('/**') ? `${pattern}/*` : pattern));
    this.#exclude = (rule.exclude ?? []).map((pattern) => ({
      isName: !pattern.includes('/'),
      segments: segmentsOf(pattern),
    }));
  }

  covers(path: string): boolean {
    return this.include.some((segments) => matchesPath(segments, path)) && !this.excludes(path);
  }

  excludes(path: string): boolean {
    return this.#exclude.some(({ isName, segments }) => matchesPath(segments, isName ? basename(path) : path));
  }
}

interface Visit {
  readonly patterns: Patterns;
  readonly paths: Map<string, FoundPath>;
  readonly folders: Set<string>;
  readonly overfull: Set<string>;
  readonly links: string[];
  readonly list: (folder: string) => Promise<Dirent[]>;
  readonly limits: WalkLimits;
  readonly last: ReadonlyMap<string, FoundPath>;
}

async function visit(folder: string, segments: readonly Segment[], at: number, visiting: Visit): Promise<void> {
  const segment = segments[at];
  if (segment === undefined) return;
  const isFull = visiting.folders.size >= visiting.limits.folders && !visiting.folders.has(folder);
  if (isFull) return void visiting.overfull.add(folder);
  if (at === segments.length - 1) return files(folder, segment, visiting);
  if (segment === ANY_FOLDERS) {
    await visit(folder, segments, at + 1, visiting);
    visiting.folders.add(folder);
    for (const entry of await visiting.list(folder || '/')) {
      // A link may lead back to where it is.
      if (entry.isDirectory() && !entry.name.startsWith('.')) {
        await visit(`${folder}/${entry.name}`, segments, at, visiting);
      }
    }
    return;
  }
  if (typeof segment === 'string') {
    const path = `${folder}/${segment}`;
    if (at >= visiting.patterns.rootDepth && (await isLink(path))) return void visiting.links.push(path);
    return visit(path, segments, at + 1, visiting);
  }
  visiting.folders.add(folder);
  for (const entry of await visiting.list(folder || '/')) {
    if (!matchesName(segment, entry.name)) continue;
    const path = `${folder}/${entry.name}`;
    if (entry.isSymbolicLink() && visiting.patterns.rule.form !== undefined) visiting.links.push(path);
    else if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(path)))) {
      await visit(path, segments, at + 1, visiting);
    }
  }
}

async function files(folder: string, segment: Segment, visiting: Visit): Promise<void> {
  const { folders, limits, links, overfull, patterns, paths, list } = visiting;
  folders.add(folder);
  for (const [n, entry] of (await list(folder || '/')).entries()) {
    if (n % NAMES_AT_ONCE === NAMES_AT_ONCE - 1) await turn();
    if (entry.isDirectory()) continue;
    if (paths.size >= limits.files) return void overfull.add(folder);
    const path = `${folder}/${entry.name}`;
    if (patterns.rule.form !== undefined && !entry.isFile()) {
      if (entry.isSymbolicLink()) links.push(path);
      continue;
    }
    const found = foundPath(path, segment, visiting);
    if (found !== null) paths.set(path, found);
  }
}

/** Null: the rule does not want it, or an earlier one has it. */
function foundPath(path: string, segment: Segment, { patterns, paths, last }: Visit): FoundPath | null {
  const { rule } = patterns;
  const known = last.get(path);
  if (known?.isAsked === true && known.rule === rule && !paths.has(path)) return known;
  if (paths.get(path)?.isAsked === true || patterns.excludes(path)) return null;
  const before = pathsBeforeRotation(path);
  if (matchesName(segment, basename(path))) return { path, rule, isAsked: true, before };
  if (paths.has(path)) return null;
  const asked = before.filter((one) => matchesName(segment, basename(one)) && !patterns.excludes(one));
  return asked.length > 0 ? { path, rule, isAsked: false, before: asked } : null;
}

/** A folder that is gone, or may not be read, has nothing now. */
async function namesIn(folder: string, overfull: Set<string>): Promise<Dirent[]> {
  const names: Dirent[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: NAMES_AT_ONCE })) {
      if (names.length === NAMES_MAX) {
        overfull.add(folder);
        break;
      }
      names.push(entry);
    }
  } catch {
    return [];
  }
  return names;
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** The folder of a path as the walk names it. */
export function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '/' ? '' : folder;
}
