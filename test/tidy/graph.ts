// Who imports whom: circles of files, pairs of folders that import each other, and files that nobody needs.

import { posix } from 'node:path';
import type { Tree } from './tree.ts';

/** Each import that is part of a circle, as `from -> to`. Types count: their circles have no place to begin either. */
export function circularImports(tree: Tree): string[] {
  const found = new Set<string>();
  for (const { path, imports } of tree.values()) {
    for (const { target } of imports) {
      if (target !== null && reachesOf(tree, target).has(path)) found.add(`${path} -> ${target}`);
    }
  }
  return [...found];
}

/** Folders of one service that import each other, with the imports of the direction that has fewer. */
export function twoWayFolders(tree: Tree): Map<string, number> {
  const imports = new Map<string, number>();
  for (const { path, imports: own } of tree.values()) {
    const from = posix.dirname(path);
    for (const { target } of own) {
      const to = posix.dirname(target ?? '');
      if (target === null || to === from || serviceOf(path) === null || serviceOf(path) !== serviceOf(target)) continue;
      imports.set(`${from} <-> ${to}`, (imports.get(`${from} <-> ${to}`) ?? 0) + 1);
    }
  }
  const pairs = new Map<string, number>();
  for (const [pair, there] of imports) {
    const [from = '', to = ''] = pair.split(' <-> ');
    const back = imports.get(`${to} <-> ${from}`);
    if (back !== undefined && from < to) pairs.set(pair, Math.min(there, back));
  }
  return pairs;
}

/** Files that no entry leads to; of what is shipped, those that only tests need. */
export function unneeded(tree: Tree, isEntry: (path: string) => boolean): string[] {
  const entries = [...tree.keys()].filter(isEntry);
  const needed = reachable(tree, entries);
  const shipped = reachable(
    tree,
    entries.filter((path) => !path.startsWith('test/')),
  );
  return [...tree.keys()].flatMap((path) => {
    if (!needed.has(path)) return [`${path}: nobody imports it`];
    return path.startsWith('test/') || shipped.has(path) ? [] : [`${path}: only tests import it`];
  });
}

const reaches = new WeakMap<Tree, Map<string, Set<string>>>();

/** `reachable` of one file, computed once. */
function reachesOf(tree: Tree, path: string): Set<string> {
  const known = reaches.getOrInsertComputed(tree, () => new Map<string, Set<string>>());
  return known.getOrInsertComputed(path, () => reachable(tree, [path]));
}

function reachable(tree: Tree, from: readonly string[]): Set<string> {
  const reached = new Set(from);
  for (const path of reached) {
    for (const { target } of tree.get(path)?.imports ?? []) if (target !== null) reached.add(target);
  }
  return reached;
}

function serviceOf(path: string): string | null {
  return /^(services\/[^/]+|shared)\//.exec(path)?.[1] ?? null;
}
