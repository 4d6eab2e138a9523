// Every package that the lock file names is held to its content by a hash, also those for platforms that nobody here
// has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const text = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8');
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, { readonly integrity?: string }>> };

test('every entry has a hash of its content', () => {
  for (const [path, { integrity }] of Object.entries(packages)) {
    if (path !== '') assert.match(integrity ?? '', /^sha512-[A-Za-z0-9+/]{86}==$/, path);
  }
});

test('nothing comes from elsewhere than the registry', () => {
  assert.doesNotMatch(text, /"resolved"|git\+|file:/);
});
