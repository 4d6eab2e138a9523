// Which files of the tree a module names in its text: what it imports, but also programs that it starts, workers, and
// data that it reads.
//
//   '#shared/clock.ts'   './x.ts'   'sender.ts' beside it   'docs/errors.md' from the root   'queue-worker'
//   a folder: its data
//
// Text is enough here: an import that is missed would be a defect, a file too many only costs a test. Imports of types
// alone are left out, for nothing of them runs. Pure.

import { dirname, join } from 'node:path/posix';

interface Tree {
  readonly files: ReadonlySet<string>;
  /** What is no module, by each folder that it lies in, at any depth. */
  readonly data: ReadonlyMap<string, readonly string[]>;
}

const MODULE = /\.(?:[cm]?ts|[cm]?js)$/;
const TYPES_ONLY = /^(?:import|export) type\b[^'";]*\bfrom '[^']*';?$/gm;
const COMMENTS = /^\s*(?:\/\/|\/?\*).*$/gm;
const QUOTED = /(['"`])((?:(?!\1)[^\n\\])*)\1/g;
/**
 * Started by name: the module beside the one that starts it (shared/sqlite/worker-thread.ts, shared/child-process.ts).
 */
const STARTED = /^[a-z-]+-(?:worker|child)$/;
/** As package.json has them under `imports`. */
const ALIAS = /^#(forwarder|indexer|lambda|shared|test)\//;
const SERVICES = new Set(['forwarder', 'indexer', 'lambda']);
/** Whatever lies there is made by this. */
const BUNDLER = 'infra/build/bundle.ts';

export function isModule(file: string): boolean {
  return MODULE.test(file);
}

export function treeOf(files: Iterable<string>): Tree {
  const all = new Set(files);
  const data = new Map<string, string[]>();
  for (const file of all) {
    if (isModule(file)) continue;
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
      const inside = data.get(folder);
      if (inside) inside.push(file);
      else data.set(folder, [file]);
    }
  }
  return { files: all, data };
}

/** `file` as seen from the root, with slashes. */
export function namedFiles(file: string, text: string, { files, data }: Tree): Set<string> {
  const named = new Set<string>();
  for (const [, , quoted = ''] of codeOf(text).matchAll(QUOTED)) {
    // Of `infra/prometheus/${name}.yml` the folder is known.
    const [known = ''] = quoted.split('${', 1);
    for (const path of pathsOf(known, dirname(file))) {
      if (files.has(path)) named.add(path);
      // One of the folders at the top, such as `docs`, is a word like any other.
      else if (path.includes('/')) for (const inside of data.get(path) ?? []) named.add(inside);
    }
  }
  named.delete(file);
  return named;
}

function codeOf(text: string): string {
  return text.replace(COMMENTS, '').replace(TYPES_ONLY, '');
}

function pathsOf(text: string, folder: string): string[] {
  const alias = ALIAS.exec(text)?.[1];
  if (alias !== undefined) return [`${SERVICES.has(alias) ? 'services/' : ''}${text.slice(1)}`];
  if (!/^[\w.][\w./-]*$/.test(text)) return [];
  const beside = join(folder, text).replace(/\/$/, '');
  const paths = [beside];
  if (STARTED.test(text)) paths.push(`${beside}.ts`);
  // A word alone may be any word; from the root it names a file or nothing.
  if (!text.startsWith('./') && !text.startsWith('../')) paths.push(text.replace(/\/$/, ''));
  if (paths.some((path) => path.startsWith('dist/'))) paths.push(BUNDLER);
  // A folder that this very file lies in, but not beside, says nothing about what is read of it.
  return paths.filter((path) => path === folder || !`${folder}/`.startsWith(`${path}/`));
}
