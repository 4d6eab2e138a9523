// Goes through the folders that a pattern leads to, from its first segment on, and notes the files that are asked for.
//
// Guarantees: names are gone through in steps, between which others have a turn; each tree has its share of what a walk
// looks at (limits.ts); links are followed only where a rule allows it.

import { basename } from 'node:path';
import { ANY_FOLDERS, matchesName, matchesPath, type Segment } from '../../decode/files/path-pattern.ts';
import { pathsBeforeRotation } from '../../decode/files/source-path.ts';
import { roundRobin } from '../sources/round-robin.ts';
import type { FoundPath, FullWalk } from './found-path.ts';
import { bytesOfNames, shareOf, type WalkLimits } from './limits.ts';
import type { Listings, Name } from './listings.ts';
import { firstWild, type Patterns } from './patterns.ts';
import type { Steps } from './steps.ts';
import { isBehindLink, isFolder, isLink } from './what-is-there.ts';

/** Of these the names are kept, to be told. */
const OVERFULL_MAX = 1000;

interface Visit extends FullWalk {
  readonly patterns: Patterns;
  readonly listings: Listings;
  readonly steps: Steps;
  readonly limits: WalkLimits;
  readonly used: { bytes: number; names: number };
  readonly last: ReadonlyMap<string, FoundPath>;
  /** Before the first segment that matches names: what it leads to are the trees of the rule. */
  readonly isTop: boolean;
}

/** Folders in which files are known, those of each tree in turn. */
export async function visitKnown(
  folders: readonly string[],
  segments: readonly Segment[],
  visiting: Visit,
): Promise<void> {
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
    if (isFull(folder, { ...visiting, limits })) continue;
    await files(folder, last, { ...visiting, limits });
  }
}

export async function visit(folder: string, segments: readonly Segment[], at: number, visiting: Visit): Promise<void> {
  const segment = segments[at];
  if (segment === undefined) return;
  if (isFull(folder, visiting)) return tooMany(folder, visiting);
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
  const { patterns, links, limits, used } = visiting;
  const found: string[] = [];
  let bytes = 0;
  for await (const { name, kind } of namesIn(folder, visiting)) {
    if (kind !== 'folder' && kind !== 'link') continue;
    const path = `${folder}/${name}`;
    if (segment === null) {
      // A link may lead back to where it is.
      if (kind === 'link' || name.startsWith('.')) continue;
    } else {
      if (!matchesName(segment, name)) continue;
      if (kind === 'link' && patterns.rule.form !== undefined) {
        links.push(path);
        continue;
      }
      if (kind === 'link' && !(await isFolder(path))) continue;
    }
    bytes += bytesOfNames([path]);
    if (found.length >= limits.folders || used.bytes + bytes > limits.bytes) {
      tooMany(folder, visiting);
      break;
    }
    found.push(path);
  }
  return found;
}

/** In steps, as far as the limits go. */
async function* namesIn(folder: string, visiting: Visit): AsyncGenerator<Name, void, void> {
  const { listings, steps, used, limits } = visiting;
  for await (const page of listings.in(folder || '/')) {
    for (const name of page) {
      if (used.names >= limits.names) return tooMany(folder, visiting);
      used.names += 1;
      if (steps.isOver()) await steps.next();
      yield name;
    }
  }
}

async function files(folder: string, segment: Segment, visiting: Visit): Promise<void> {
  const { limits, links, patterns, paths, used } = visiting;
  addFolder(folder, visiting);
  for await (const { name, kind } of namesIn(folder, visiting)) {
    if (kind === 'folder') continue;
    if (paths.size >= limits.files || used.bytes >= limits.bytes) return tooMany(folder, visiting);
    const path = `${folder}/${name}`;
    if (patterns.rule.form !== undefined && kind !== 'file') {
      if (kind === 'link') links.push(path);
      continue;
    }
    const found = foundPath(path, segment, visiting);
    if (found === null) continue;
    if (!paths.has(path)) used.bytes += bytesOfNames([path, ...found.before]);
    paths.set(path, found);
  }
}

function usedBy({ paths, folders, used }: Visit): WalkLimits {
  return { files: paths.size, folders: folders.size, ...used };
}

function isFull(folder: string, { folders, used, limits }: Visit): boolean {
  const isBeyond = folders.size >= limits.folders || used.bytes >= limits.bytes;
  return used.names >= limits.names || (isBeyond && !folders.has(folder));
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
