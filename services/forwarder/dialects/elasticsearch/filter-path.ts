// `filter_path` of Elasticsearch's answers: `errors,items.*.status` keeps only what these paths lead to
// (https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options). `*` stands for any characters of a name, `**`
// for any names; arrays are passed through. Pure.

import { matchesGlob } from '#shared/glob.ts';

/** More than any client sends; each costs time for every item. */
const PATHS_MAX = 32;
const NAMES_MAX = 8;

type Path = readonly string[];

/** Null where there are too many paths, or one is too long. */
export function parseFilterPath(text: string): readonly Path[] | null {
  const paths = text
    .split(',')
    .filter((path) => path !== '')
    .map((path) => path.split('.'));
  return paths.length > PATHS_MAX || paths.some((path) => path.length > NAMES_MAX) ? null : paths;
}

/** What is left of the value; an object of which nothing is left is `{}`. */
export function filtered(value: object, paths: readonly Path[]): object {
  return (kept(value, paths) as object | undefined) ?? {};
}

function kept(value: unknown, paths: readonly Path[]): unknown {
  if (paths.some((path) => path.length === 0 || (path.length === 1 && path[0] === '**'))) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const elements = value.map((element: unknown) => kept(element, paths)).filter((element) => element !== undefined);
    return elements.length > 0 ? elements : undefined;
  }
  const pairs: [string, unknown][] = [];
  for (const [name, child] of Object.entries(value)) {
    const further = paths.flatMap((path) => restOf(path, name));
    const rest = further.length > 0 ? kept(child, further) : undefined;
    if (rest !== undefined) pairs.push([name, rest]);
  }
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

/** What is left of a path behind a name that fits; none where it does not fit. */
function restOf(path: Path, name: string): Path[] {
  const [head = '', ...tail] = path;
  if (head === '**') return [path, ...restOf(tail, name)];
  return matchesGlob(head, name) ? [tail] : [];
}
