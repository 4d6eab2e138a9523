// Tools of other languages that the tests of infra need, from the package registries, once, into node_modules/.cache.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const cache = join(import.meta.dirname, '../../node_modules/.cache/sluice-infra');

/** Makes a folder of the cache, whole or not at all; returns where it is. */
export function cached(name: string, make: (folder: string) => void): string {
  const folder = join(cache, name.replaceAll(/[^\w.-]/g, '-'));
  if (existsSync(folder)) return folder;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  make(making);
  renameSync(making, folder);
  return folder;
}

/** A package of PyPI, as "name==version", and what it needs; returns the folder for PYTHONPATH. */
export function pythonPackage(name: string): string {
  return cached(name, (to) => {
    execFileSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', to, name], { stdio: 'pipe' });
  });
}
