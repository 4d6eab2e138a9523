// Folders and files of a walk are limited; of what there may be, every rule has a share.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { FileWalker } from '#forwarder/collect/files/file-walk.ts';
import { FileWorld } from './file-world.ts';

test('a tree that fills its rule leaves the files of other rules, wherever it is among them', async () => {
  await using world = new FileWorld();
  for (let n = 0; n < 200; n++) {
    mkdirSync(world.path(`huge/${n}`), { recursive: true });
    writeFileSync(world.path(`huge/${n}/a.log`), '');
  }
  for (const name of ['b', 'c']) {
    for (let n = 0; n < 5; n++) {
      mkdirSync(world.path(`${name}/${n}`), { recursive: true });
      writeFileSync(world.path(`${name}/${n}/a.log`), '');
    }
  }
  const huge = { include: [world.path('huge/**/*.log')] };
  const [b, c] = ['b', 'c'].map((name) => ({ include: [world.path(`${name}/*/*.log`)] }));
  assert.ok(b && c);
  const check = async (rules: (typeof b)[], limits: { files: number; folders: number }): Promise<void> => {
    const { paths, folders, overfull } = await new FileWalker(rules, limits).walk();
    const found = [...paths.values()];
    assert.equal(found.filter(({ rule }) => rule === b).length, 5);
    assert.equal(found.filter(({ rule }) => rule === c).length, 5);
    assert.ok(overfull.size > 0);
    assert.ok(paths.size <= limits.files && folders.size <= limits.folders, `${paths.size} in ${folders.size}`);
    assert.ok(found.filter(({ rule }) => rule === huge).length >= limits.folders / 2 - 1);
  };
  for (const limits of [
    { files: 1000, folders: 60 },
    { files: 60, folders: 60 },
  ]) {
    await check([huge, b, c], limits);
    await check([b, huge, c], limits);
    await check([b, c, huge], limits);
  }
});
