// What paths say: patterns, rotation, tags.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesPath, segmentsOf } from '#forwarder/decode/files/path-pattern.ts';
import { compressionOf, pathsBeforeRotation, rotationOrder, tagOfPath } from '#forwarder/decode/files/source-path.ts';

test('patterns of paths', () => {
  const check = (pattern: string, path: string, expected: boolean): void => {
    assert.equal(matchesPath(segmentsOf(pattern), path), expected, `${pattern} ${path}`);
  };
  check('/var/log/*.log', '/var/log/a.log', true);
  check('/var/log/*.log', '/var/log/a.log.1', false);
  check('/var/log/*.log', '/var/log/b/a.log', false);
  check('/var/log/*', '/var/log/.hidden', false);
  check('/var/log/.*', '/var/log/.hidden', true);
  check('/var/**/*.log', '/var/a.log', true);
  check('/var/**/*.log', '/var/b/c/a.log', true);
  check('/var/**/x/*.log', '/var/b/x/x/a.log', true);
  check('/var/**/x/*.log', '/var/b/c/a.log', false);
  check('/a/{b,c*}.log', '/a/b.log', true);
  check('/a/{b,c*}.log', '/a/cde.log', true);
  check('/a/{b,c*}.log', '/a/d.log', false);
  check('/a/[0-9]?.log', '/a/12.log', true);
  check('/a/[!0-9].log', '/a/1.log', false);
  check('/a/[!0-9].log', '/a/x.log', true);
  check('/a/[x.log', '/a/[x.log', true);
  check('/a/(x|y)+.log', '/a/x.log', false);
  check('/a/(x|y)+.log', '/a/(x|y)+.log', true);
});

test('many folders cost no more than their number', () => {
  const pattern = segmentsOf(`/${'**/a/'.repeat(30)}b`);
  assert.equal(matchesPath(pattern, `/${'a/'.repeat(200)}c`), false);
});

test('the name before rotation', () => {
  const check = (path: string, ...expected: string[]): void => {
    assert.deepEqual(pathsBeforeRotation(path), expected, path);
  };
  check('/a/app.log');
  check('/a/app.log.1', '/a/app.log');
  check('/a/app.log.12.gz', '/a/app.log', '/a/app.log.12');
  check('/a/app.log.zst', '/a/app.log');
  check('/a/app.log-20261122', '/a/app.log');
  check('/a/app.log-20261122.gz', '/a/app.log', '/a/app.log-20261122');
  check('/a/app.log.2026-11-22-03.1', '/a/app.log');
  check('/a/app.log-1700000000', '/a/app.log');
  check('/a/app-20261122.log.gz', '/a/app.log', '/a/app-20261122.log');
  check('/a/app.log.old', '/a/app.log');
  check('/a/v1.2', '/a/v1');
  check('/a/.1');
});

test('which file of a container was rotated before', () => {
  const check = (...paths: string[]): void => {
    const sorted = paths.toSorted((a, b) => (rotationOrder(a) ?? Number.NaN) - (rotationOrder(b) ?? Number.NaN));
    assert.deepEqual(sorted, paths);
  };
  check('/a-json.log.10.gz', '/a-json.log.9.gz', '/a-json.log.2', '/a-json.log.1');
  check('/0.log.20251231-235959.gz', '/0.log.20260101-000000.gz', '/0.log.20260101-000001');
  for (const path of ['/a.log', '/a.log.gz', '/a.log.old', '/0.log.20260101']) assert.equal(rotationOrder(path), null);
});

test('compression, and tags', () => {
  assert.deepEqual(['/a.gz', '/a.zst', '/a.log'].map(compressionOf), ['gzip', 'zstd', null]);
  assert.equal(tagOfPath('/var/log/app.log'), 'file.var.log.app.log');
  const long = tagOfPath(`/${'ä'.repeat(2000)}`);
  assert.ok(Buffer.byteLength(long) <= 1024 && !long.includes('\uFFFD'));
});
