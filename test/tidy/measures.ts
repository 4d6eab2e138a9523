// What is measured against a limit. Who is above it today is on the list of exceptions (exceptions.json), with its
// measure. That list only shrinks: nobody joins it, nobody on it grows, and who no longer needs it must leave.

import { posix } from 'node:path';
import { circularImports, twoWayFolders } from './graph.ts';
import type { Tree } from './tree.ts';

const COLUMNS_MAX = 120;
/** Of characters, not of the halves that JavaScript makes of some. */
const TOO_WIDE = new RegExp(`.{${COLUMNS_MAX + 1}}`, 'u');
const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 60;
const FOLDER_FILES_MAX = 16;
const COMMENT_PERCENT_MAX = 18;

/** Rule → who breaks it → by how much. */
export type Measures = Readonly<Record<string, Readonly<Record<string, number>>>>;

const advice: Readonly<Record<string, string>> = {
  columns: `lines of more than ${COLUMNS_MAX} columns in its files; break them`,
  fileLines: `lines, at most ${FILE_LINES_MAX}; move something out`,
  functionLines: `lines, at most ${FUNCTION_LINES_MAX}; split the function`,
  folderFiles: `files, at most ${FOLDER_FILES_MAX}; make folders of it`,
  circularImports: 'import of a circle; move what both need below them',
  twoWayFolders: 'imports against the direction of the others; move what both need below them',
  commentPercent: `percent of the lines are comments, at most ${COMMENT_PERCENT_MAX}; say why, not what`,
};

export function measure(tree: Tree): Measures {
  return {
    columns: above(0, longLines(tree)),
    fileLines: above(
      FILE_LINES_MAX,
      [...tree.values()].map(({ path, lines }) => [path, lines.length]),
    ),
    functionLines: above(FUNCTION_LINES_MAX, functionLines(tree)),
    folderFiles: above(FOLDER_FILES_MAX, folderFiles(tree)),
    circularImports: above(
      0,
      circularImports(tree).map((one) => [one, 1]),
    ),
    twoWayFolders: above(0, twoWayFolders(tree)),
    commentPercent: above(COMMENT_PERCENT_MAX, [['services, shared', commentPercent(tree)]]),
  };
}

/** What is worse than the list allows, and what on the list is there no more. */
export function compare(measured: Measures, exceptions: Measures): string[] {
  const found: string[] = [];
  for (const [rule, offenders] of Object.entries(measured)) {
    const allowed = exceptions[rule] ?? {};
    for (const [name, count] of Object.entries(offenders)) {
      const before = allowed[name];
      if (before === undefined) found.push(`${name}: ${count} ${advice[rule]}`);
      else if (count > before) found.push(`${name}: ${count} ${advice[rule]}: it had ${before}, and must not grow`);
    }
    for (const name of Object.keys(allowed)) {
      if (!(name in offenders)) found.push(`${name}: needs no exception to ${rule} any more; run npm run tidy`);
    }
  }
  return found;
}

/** The list as it may be from now on: whoever left is gone, whoever shrank keeps the smaller measure, nobody joins. */
export function lowered(measured: Measures, exceptions: Measures): Measures {
  return Object.fromEntries(
    Object.entries(measured).map(([rule, offenders]) => {
      const kept = Object.entries(exceptions[rule] ?? {}).filter(([name]) => name in offenders);
      return [rule, Object.fromEntries(kept.map(([name, count]) => [name, Math.min(count, offenders[name] ?? count)]))];
    }),
  );
}

/** Lines with a comment and nothing else, of all lines that are not empty. */
export function commentPercent(tree: Tree): number {
  let [comments, all] = [0, 0];
  for (const { path, lines } of tree.values()) {
    if (!/^(services|shared)\//.test(path)) continue;
    for (const line of lines) {
      if (line.trim() !== '') all += 1;
      if (/^\s*(\/\/|\/\*|\*)/.test(line)) comments += 1;
    }
  }
  return all === 0 ? 0 : Math.ceil((comments / all) * 100);
}

/** By folder, so that a file with its exceptions can be renamed. */
function longLines(tree: Tree): Map<string, number> {
  const found = new Map<string, number>();
  for (const { path, lines } of tree.values()) {
    add(found, posix.dirname(path), lines.filter((line) => TOO_WIDE.test(line)).length);
  }
  return found;
}

function functionLines(tree: Tree): Map<string, number> {
  const found = new Map<string, number>();
  for (const { path, functions } of tree.values()) {
    for (const { name, lines } of functions) {
      const key = `${path} ${name}`;
      found.set(key, Math.max(lines, found.get(key) ?? 0));
    }
  }
  return found;
}

function folderFiles(tree: Tree): Map<string, number> {
  const found = new Map<string, number>();
  for (const path of tree.keys()) add(found, posix.dirname(path), 1);
  return found;
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function above(limit: number, counts: Iterable<readonly [string, number]>): Record<string, number> {
  return Object.fromEntries([...counts].filter(([, count]) => count > limit).sort(([a], [b]) => (a < b ? -1 : 1)));
}
