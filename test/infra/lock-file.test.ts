// Every package that the lock file names is held to its content by a hash; what may lack one is listed here, with the reason.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const text = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8');
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, Locked>> };

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
}

/**
 * Binaries of the linter and of knip for platforms on which the lock file was never made: the registry at hand had none of them, so
 * their hashes are not known. They are tools of development, and no machine that builds, tests or runs what is shipped installs one.
 */
const UNKNOWN = /^node_modules\/(?:@oxc-parser\/binding|@oxlint\/binding|@oxlint-tsgolint\/)[\w-]*/;
const UNKNOWN_MAX = 36;
const SHIPPING = ['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64', 'linux-arm64'];

test('every entry has a hash of its content', () => {
  const unknown: string[] = [];
  for (const [path, { integrity, dev, optional }] of Object.entries(packages)) {
    if (path === '') continue;
    if (integrity !== undefined) {
      assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, path);
      continue;
    }
    assert.match(path, UNKNOWN);
    assert.ok(dev === true && optional === true, `${path} is more than a tool for some platform`);
    assert.ok(
      !SHIPPING.some((platform) => path.endsWith(`/binding-${platform}`) || path.endsWith(`/${platform}`)),
      path,
    );
    unknown.push(path);
  }
  assert.ok(unknown.length <= UNKNOWN_MAX, `more entries without a hash than are known: ${unknown.join(', ')}`);
});

test('nothing comes from elsewhere than the registry', () => {
  assert.doesNotMatch(text, /"resolved"|git\+|file:/);
});
