// The files that the arguments of `sluice import` name: paths, and patterns where there is no file of that very name.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FileWalker } from '#forwarder/collect/walk/file-walk.ts';
import { fileRuleMistakes } from '#shared/config/settings/file-rules.ts';
import { SluiceError } from '#shared/errors.ts';

const SPECIAL = /[*?[{]/;

/** Absolute, each once. Throws usage_wrong for a pattern that is none, or matches nothing. */
export async function namedFiles(names: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const name of names) {
    const path = resolve(name);
    if (!SPECIAL.test(name) || existsSync(path)) paths.add(path);
    else for (const one of await matching(path)) paths.add(one);
  }
  return [...paths];
}

async function matching(pattern: string): Promise<string[]> {
  const rule = { include: [pattern] };
  const [mistake] = fileRuleMistakes([rule]);
  if (mistake !== undefined) throw new SluiceError('usage_wrong', `Cannot import: ${mistake}; see --help`);
  const { paths, overfull } = await new FileWalker([rule]).walk();
  if (overfull.size > 0)
    throw new SluiceError(
      'usage_wrong',
      `Cannot import: ${pattern} matches too many files or folders; import fewer at once`,
    );
  const asked = [...paths.values()].filter(({ isAsked }) => isAsked).map(({ path }) => path);
  if (asked.length > 0) return asked.toSorted();
  throw new SluiceError('usage_wrong', `Cannot import: no file matches ${pattern}; name files that are there`);
}
