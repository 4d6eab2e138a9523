// The tree as the rules of tidiness see it: each TypeScript file parsed once, with its imports and its functions.
// Rules take a Tree, so a planted violation needs no file: `treeOf({ 'shared/x.ts': 'import …' })`.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Comment, type Program, parseSync } from 'oxc-parser';
import { type FunctionSpan, functionsOf } from './functions.ts';
import { type Import, importsOf } from './imports.ts';

export const root = join(import.meta.dirname, '../..');

export interface SourceFile {
  readonly path: string;
  readonly lines: readonly string[];
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSpan[];
  /** The number of the line, from 1, that an offset of the parser lies on. */
  lineAt(offset: number): number;
}

/** By path from the root, with forward slashes. */
export type Tree = ReadonlyMap<string, SourceFile>;

/** All that is ours: tests included, fixtures and installed packages not. */
export function readTree(): Tree {
  const paths = globSync(['{services,shared,infra,test}/**/*.ts', 'services/**/*.js'], {
    cwd: root,
    exclude: ['**/node_modules/**', 'test/fixtures/**'],
  });
  return treeOf(Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(root, path), 'utf8')])));
}

export function treeOf(texts: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(texts).map(([path, text]) => [path, parsed(path, text)]));
}

function parsed(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`Cannot parse ${path}: ${errors[0].message}`);
  const lines = text.replace(/\n$/, '').split('\n');
  const lineAt = lineFinder(text);
  return {
    path,
    lines,
    program,
    comments,
    imports: importsOf(path, program, lineAt),
    functions: functionsOf(program, lineAt),
    lineAt,
  };
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
