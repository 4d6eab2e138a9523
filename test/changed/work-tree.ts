// What git knows of the work tree: what changed since the merge base with main, uncommitted and untracked files
// included.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Change, type Choice, chooseTests } from './choose.ts';
import { isModule } from './named-files.ts';

interface ChosenTests {
  readonly choice: Choice;
  readonly changed: readonly string[];
  /** What the work tree was compared with, in words. */
  readonly since: string;
}

/** Throws where git cannot tell. */
export function testsOfChange(root: string, tests: readonly string[]): ChosenTests {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  const names = (...args: string[]): string[] =>
    git(...args, '-z')
      .split('\0')
      .slice(0, -1);
  const { commit, since } = baseOf(git);
  const untracked = names('ls-files', '--others', '--exclude-standard');
  const changed = [...names('diff', '--name-only', '--no-renames', commit), ...untracked].sort();
  const files = [...new Set([...names('ls-files'), ...untracked, ...changed])];
  const change: Change = { changed, tests, files, texts: textsOf(root, files) };
  return { choice: chooseTests(change), changed, since };
}

function baseOf(git: (...args: string[]) => string): { readonly commit: string; readonly since: string } {
  for (const main of ['main', 'origin/main']) {
    try {
      const commit = git('merge-base', 'HEAD', main).trim();
      return { commit, since: `${commit.slice(0, 8)}, the merge base with ${main}` };
    } catch {
      // There is no such branch, or it has no history in common with this one.
    }
  }
  return { commit: 'HEAD', since: 'HEAD, for there is no branch main' };
}

function textsOf(root: string, files: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const file of files) {
    if (!isModule(file)) continue;
    try {
      texts.set(file, readFileSync(join(root, file), 'utf8'));
    } catch {
      // It is gone; who named it shows that.
    }
  }
  return texts;
}
