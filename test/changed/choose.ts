// Chooses the tests that a change can reach, by what modules name of each other (named-files.ts). Pure.
//
// Guarantee: where that cannot tell, all tests are chosen, and the reason is said. What a test reads by a name that it
// computes is not seen; `npm test` without --changed is what decides.

import { isModule, namedFiles, treeOf } from './named-files.ts';

export interface Change {
  /** Files that differ, those that are gone too; from the root, with slashes. */
  readonly changed: readonly string[];
  readonly tests: readonly string[];
  /** Every file of the tree, and those that are gone. */
  readonly files: readonly string[];
  /** The text of each module that is there. */
  readonly texts: ReadonlyMap<string, string>;
}

export type Choice =
  | { readonly kind: 'all'; readonly why: string }
  | {
      readonly kind: 'some';
      /** Each test, and the first changed file that it reaches. */
      readonly tests: ReadonlyMap<string, string>;
      /** Changed files that no test reaches. */
      readonly unreached: readonly string[];
    };

/** What every test stands on, or reads in ways that no module shows. */
const CONCERNS_ALL =
  /^(?:package\.json|package-lock\.json|tsconfig\.json|\.npmrc|test\/run\.ts|test\/changed\/[^.]+\.ts|test\/fixtures\/.*)$/;

export function chooseTests({ changed, tests, files, texts }: Change): Choice {
  const concerning = changed.find((file) => CONCERNS_ALL.test(file));
  if (concerning !== undefined) return { kind: 'all', why: `${concerning} concerns every test` };
  const namedBy = reversed(files, texts);
  const isTest = new Set(tests);
  const chosen = new Map<string, string>();
  const unreached: string[] = [];
  for (const file of changed) {
    const reached = reach(file, namedBy).filter((one) => isTest.has(one));
    for (const test of reached) if (!chosen.has(test)) chosen.set(test, file);
    if (reached.length > 0) continue;
    // Prose, and modules that only people start (benchmarks), may well be in no test.
    if (!isModule(file) && !file.endsWith('.md')) {
      return { kind: 'all', why: `no module names ${file}, so nothing tells which tests read it` };
    }
    unreached.push(file);
  }
  return { kind: 'some', tests: new Map([...chosen].sort(([a], [b]) => (a < b ? -1 : 1))), unreached };
}

/** File → the modules that name it. */
function reversed(
  files: readonly string[],
  texts: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  const tree = treeOf(files);
  const namedBy = new Map<string, string[]>();
  for (const [file, text] of texts) {
    for (const named of namedFiles(file, text, tree)) {
      const modules = namedBy.get(named);
      if (modules) modules.push(file);
      else namedBy.set(named, [file]);
    }
  }
  return namedBy;
}

/** The file and all that name it, over any number of steps. */
function reach(file: string, namedBy: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set([file]);
  for (const one of found) for (const module of namedBy.get(one) ?? []) found.add(module);
  return [...found];
}
