// Finds the files that the rules ask for, and what rotation may have made of them: other files of the same folders,
// whose names show it. Folders are listed once a walk, however many patterns lead there.
//
// Guarantees: whoever may write to a folder can fill it with names; so they are read and gone through in steps, between
// which others have a turn, and only so many of a folder, and files of all folders, are looked at. Of these, every rule
// has a share that the trees of other rules cannot take, and so has every tree of a rule. Where not all is looked at,
// folders in which files are known come first, and known files that are not come upon are asked for by their names: so
// none is taken for gone that is there.

import { basename, dirname } from 'node:path';
import { ANY_FOLDERS, matchesName, matchesPath, type Segment } from '../../decode/files/path-pattern.ts';
import { pathsBeforeRotation } from '../../decode/files/source-path.ts';
import { roundRobin } from '../sources/round-robin.ts';
import type { SourceRule } from '../sources/source-form.ts';
import { bytesOfNames, LIMITS, shareOf, type WalkLimits } from '../walk/limits.ts';
import { Listings } from '../walk/listings.ts';
import { firstWild, Patterns } from '../walk/patterns.ts';
import { Steps } from '../walk/steps.ts';
import { isBehindLink, isFile, isFolder, isLink } from '../walk/what-is-there.ts';

/** As many are asked for at once. */
const STATS_AT_ONCE = 32;
/** Of these the names are kept, to be told. */
const OVERFULL_MAX = 1000;

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

export interface WalkOptions {
  readonly limits?: Partial<WalkLimits>;
  /** Paths that were asked for, and may be there. */
  readonly known?: () => Iterable<string>;
}

export class FileWalker {
  readonly #rules: readonly Patterns[];
  /** What the last walk found: names are gone through once. */
  #last: ReadonlyMap<string, FoundPath> = new Map();
  /** Whether it did not look at all. */
  #wasFull = false;
  readonly #limits: WalkLimits;
  readonly #known: () => Iterable<string>;

  constructor(rules: readonly SourceRule[], { limits = {}, known = () => [] }: WalkOptions = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#known = known;
    this.#rules = rules.map((rule) => new Patterns(rule));
  }

  /** Whether a rule asks for the path. */
  covers(path: string): boolean {
    return this.#rules.some((rule) => rule.covers(path));
  }

  async walk(): Promise<Walk> {
    const listings = new Listings();
    const steps = new Steps();
    let known = this.#wasFull ? await this.#knownPaths(steps) : null;
    let walk = await this.#pass(listings, steps, known);
    if (walk.overfull.size > 0) {
      if (known === null) {
        known = await this.#knownPaths(steps);
        if (known.size > 0) walk = await this.#pass(listings, steps, known);
      }
      await this.#keep(known, walk.paths);
    }
    this.#wasFull = walk.overfull.size > 0;
    this.#last = walk.paths;
    return walk;
  }

  /** `known`: their folders come first. */
  async #pass(listings: Listings, steps: Steps, known: ReadonlyMap<string, FoundPath> | null): Promise<FullWalk> {
    const walk = { paths: new Map(), folders: new Set<string>(), overfull: new Set<string>(), links: [] };
    const used = { bytes: 0 };
    const folders = known === null ? [] : [...new Set([...known.keys()].map(folderOf))];
    for (const [n, patterns] of this.#rules.entries()) {
      const limits = shareOf({ files: 0, folders: 0, bytes: 0 }, this.#limits, n, this.#rules.length);
      const visiting = { ...walk, patterns, listings, steps, limits, used, last: this.#last, isTop: true };
      for (const segments of patterns.include) await visitKnown(folders, segments, visiting);
      for (const segments of patterns.include) await visit('', segments, 0, visiting);
    }
    for (const folder of listings.overfull) walk.overfull.add(folder === '/' ? '' : folder);
    return walk;
  }

  async #knownPaths(steps: Steps): Promise<Map<string, FoundPath>> {
    const known = new Map(this.#last);
    for (const path of this.#known()) {
      if (steps.isOver()) await steps.next();
      const patterns = known.has(path) ? undefined : this.#rules.find((rule) => rule.covers(path));
      if (patterns === undefined || (await isBehindLink(path, patterns.rootDepth))) continue;
      known.set(path, { path, rule: patterns.rule, isAsked: true, before: pathsBeforeRotation(path) });
    }
    return known;
  }

  /** Known files that were not come upon, and are there: as many again as a walk finds, and of each folder some. */
  async #keep(known: ReadonlyMap<string, FoundPath>, paths: Map<string, FoundPath>): Promise<void> {
    const missing = roundRobin(
      [...known.values()].filter(({ path }) => !paths.has(path)),
      ({ path }) => dirname(path),
    );
    let { files, bytes } = this.#limits;
    for (let at = 0; at < missing.length && files > 0 && bytes > 0; at += STATS_AT_ONCE) {
      const some = missing.slice(at, at + STATS_AT_ONCE);
      const are = await Promise.all(some.map(({ path, rule }) => isFile(path, rule.form !== undefined)));
      for (const found of some.filter((_, i) => are[i])) {
        files -= 1;
        bytes -= bytesOfNames([found.path, ...found.before]);
        if (files >= 0 && bytes >= 0) paths.set(found.path, found);
      }
    }
  }
}

interface FullWalk extends Walk {
  readonly paths: Map<string, FoundPath>;
  readonly folders: Set<string>;
  readonly overfull: Set<string>;
  readonly links: string[];
}

interface Visit extends FullWalk {
  readonly patterns: Patterns;
  readonly listings: Listings;
  readonly steps: Steps;
  readonly limits: WalkLimits;
  readonly used: { bytes: number };
  readonly last: ReadonlyMap<string, FoundPath>;
  /** Before the first segment that matches names: what it leads to are the trees of the rule. */
  readonly isTop: boolean;
}

/** Folders in which files are known, those of each tree in turn. */
async function visitKnown(folders: readonly string[], segments: readonly Segment[], visiting: Visit): Promise<void> {
  const { steps, patterns } = visiting;
  const last = segments.at(-1);
  if (folders.length === 0 || last === undefined) return;
  const matching: string[] = [];
  for (const folder of folders) {
    if (steps.isOver()) await steps.next();
    if (matchesPath(segments.slice(0, -1), folder)) matching.push(folder);
  }
  const depth = firstWild(segments) + 2;
  const inTurn = roundRobin(matching, (folder) => folder.split('/', depth).join('/'));
  const from = usedBy(visiting);
  for (const [n, folder] of inTurn.entries()) {
    if (await isBehindLink(`${folder}/`, patterns.rootDepth)) continue;
    const limits = shareOf(from, visiting.limits, n, inTurn.length);
    if (isFull(folder, visiting, limits)) continue;
    await files(folder, last, { ...visiting, limits });
  }
}

async function visit(folder: string, segments: readonly Segment[], at: number, visiting: Visit): Promise<void> {
  const segment = segments[at];
  if (segment === undefined) return;
  if (isFull(folder, visiting, visiting.limits)) return tooMany(folder, visiting);
  if (at === segments.length - 1) return files(folder, segment, visiting);
  if (segment !== ANY_FOLDERS && typeof segment === 'string') {
    const path = `${folder}/${segment}`;
    if (at >= visiting.patterns.rootDepth && (await isLink(path))) return void visiting.links.push(path);
    return visit(path, segments, at + 1, visiting);
  }
  const isAny = segment === ANY_FOLDERS;
  const below = { ...visiting, isTop: false };
  addFolder(folder, visiting);
  const trees = await foldersIn(folder, isAny ? null : segment, visiting);
  // Files of the folder itself are a tree of their own.
  if (isAny) trees.unshift(folder);
  const from = usedBy(visiting);
  const visitTrees = async (overfull: Set<string>, limitsOf: (tree: number) => WalkLimits): Promise<void> => {
    for (const [n, path] of trees.entries()) {
      if (visiting.steps.isOver()) await visiting.steps.next();
      await visit(path, segments, isAny && path !== folder ? at : at + 1, { ...below, overfull, limits: limitsOf(n) });
    }
  };
  const beyondShare = new Set<string>();
  if (visiting.isTop) await visitTrees(beyondShare, (n) => shareOf(from, visiting.limits, n, trees.length));
  // What the others left is for who comes first.
  if (!visiting.isTop || beyondShare.size > 0) await visitTrees(visiting.overfull, () => visiting.limits);
}

/** `segment`: that their names match; null for those below `**`. */
async function foldersIn(folder: string, segment: Segment | null, visiting: Visit): Promise<string[]> {
  const { listings, steps, patterns, links, limits } = visiting;
  const found: string[] = [];
  for (const entry of await listings.in(folder || '/')) {
    if (steps.isOver()) await steps.next();
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const path = `${folder}/${entry.name}`;
    if (segment === null) {
      // A link may lead back to where it is.
      if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    } else {
      if (!matchesName(segment, entry.name)) continue;
      if (entry.isSymbolicLink() && patterns.rule.form !== undefined) {
        links.push(path);
        continue;
      }
      if (!entry.isDirectory() && !(await isFolder(path))) continue;
    }
    if (found.length >= limits.folders) {
      tooMany(folder, visiting);
      break;
    }
    found.push(path);
  }
  return found;
}

async function files(folder: string, segment: Segment, visiting: Visit): Promise<void> {
  const { limits, links, patterns, paths, listings, steps, used } = visiting;
  addFolder(folder, visiting);
  for (const entry of await listings.in(folder || '/')) {
    if (steps.isOver()) await steps.next();
    if (entry.isDirectory()) continue;
    if (paths.size >= limits.files || used.bytes >= limits.bytes) return tooMany(folder, visiting);
    const path = `${folder}/${entry.name}`;
    if (patterns.rule.form !== undefined && !entry.isFile()) {
      if (entry.isSymbolicLink()) links.push(path);
      continue;
    }
    const found = foundPath(path, segment, visiting);
    if (found === null) continue;
    if (!paths.has(path)) used.bytes += bytesOfNames([path, ...found.before]);
    paths.set(path, found);
  }
}

function usedBy({ paths, folders, used }: Visit): WalkLimits {
  return { files: paths.size, folders: folders.size, bytes: used.bytes };
}

function isFull(folder: string, { folders, used }: Visit, limits: WalkLimits): boolean {
  return (folders.size >= limits.folders || used.bytes >= limits.bytes) && !folders.has(folder);
}

function addFolder(folder: string, { folders, used }: Visit): void {
  if (!folders.has(folder)) used.bytes += bytesOfNames([folder]);
  folders.add(folder);
}

function tooMany(folder: string, { overfull }: Visit): void {
  if (overfull.size < OVERFULL_MAX) overfull.add(folder);
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

/** The folder of a path as the walk names it. */
export function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '/' ? '' : folder;
}
