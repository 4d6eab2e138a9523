// The tree holds its own rules: layers, purity, sizes, and nothing that nobody needs. What is above a limit today is
// on a list (exceptions.json) that only shrinks; docs/architecture.md tells how something is taken off it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { test } from 'node:test';
import knip from '../../knip.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };
import { testsWithoutAssertion } from './asserting.ts';
import { readExceptions } from './exceptions.ts';
import { unneeded } from './graph.ts';
import { environmentViolations, layerViolations } from './layers.ts';
import { commentPercent, compare, measure } from './measures.ts';
import { needlesslyImpure, purityViolations } from './purity.ts';
import { readTree, root } from './tree.ts';

const UNUSED: readonly string[] = [];

const tree = readTree();
const none = (problems: readonly string[]): void => assert.equal(problems.join('\n'), '');

test('imports point down the layers', () => none(layerViolations(tree)));

test('arguments and the environment are read at the top', () => none(environmentViolations(tree)));

test('the pure layers are pure, and so is what they import', () => none(purityViolations(tree)));

test('what is on the list of the impure has to be', () => none(needlesslyImpure(tree)));

test('sizes, circles and folders are within their limits, or on the list', (t) => {
  t.diagnostic(`comments: ${commentPercent(tree)} % of the lines of services and shared; 13 to 18 % is the goal`);
  none(compare(measure(tree), readExceptions()));
});

test('messages for standard error are made harmless at one place', () => {
  const writes = /[`']sluice: (?!Cannot start)/;
  const writers = [...tree.values()].filter(({ lines }) => lines.some((line) => writes.test(line)));
  const paths = writers.map(({ path }) => path).filter((path) => path.startsWith('services/'));
  assert.deepEqual(paths, ['services/sluice/output/message-line.ts']);
});

test('every test file asserts something', () => none(testsWithoutAssertion(tree)));

test('every file is needed', () => {
  const scripts = Object.values(manifest.scripts).join(' ');
  const isEntry = (path: string): boolean =>
    path.endsWith('.d.ts') ||
    Object.values<string>(manifest.bin).includes(path) ||
    scripts.split(/\s+/).includes(path) ||
    knip.entry.some((entry) => matchesGlob(path, entry));
  assert.deepEqual(unneeded(tree, isEntry), UNUSED);
});

test('the whole check has all of its parts', () => {
  for (const part of ['typecheck', 'lint', 'format:check', 'deadcode'] as const) {
    assert.ok(manifest.scripts.check.split(' && ').includes(`npm run ${part}`), part);
  }
  assert.equal(manifest.scripts.deadcode, 'knip');
  assert.match(readFileSync(join(root, '.ci/run'), 'utf8'), /^npm run check$/m);
});
