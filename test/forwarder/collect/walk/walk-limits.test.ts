// Folders and files of a walk are limited; of what there may be, every rule has a share.

import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FileWalker } from '#forwarder/collect/walk/file-walk.ts';
import { FileWorld } from '../files/file-world.ts';

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
    const { paths, folders, overfull } = await new FileWalker(rules, { limits }).walk();
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

test('names of a folder that many patterns look at take one short turn after another', async () => {
  await using world = new FileWorld();
  const NAMES = 2000;
  const PATTERNS = 30;
  mkdirSync(world.path('deep'));
  for (let n = 0; n < NAMES; n++) writeFileSync(world.path(`deep/${n}`), '');
  const check = async (pattern: (n: number) => string): Promise<void> => {
    const walker = new FileWalker([{ include: Array.from({ length: PATTERNS }, (_, n) => world.path(pattern(n))) }]);
    let turns = 0;
    let isWalking = true;
    const count = (): void => {
      turns += 1;
      if (isWalking) setImmediate(count);
    };
    setImmediate(count);
    await walker.walk();
    isWalking = false;
    // Names are read from the disk once, which has turns as well, but few.
    assert.ok(turns >= (PATTERNS * NAMES) / 1024, `${turns} turns`);
  };
  await check((n) => `deep/*_${n}_*/*.log`);
  await check((n) => `deep/**/x${n}/*.log`);
  await check((n) => `deep/*.${n}.log`);
});

test('who asks for walks all the time leaves a pause between them, in proportion to what they take', async (t) => {
  await using world = new FileWorld();
  const walks: { readonly beganMs: number; readonly endedMs: number }[] = [];
  const { walk } = FileWalker.prototype;
  t.mock.method(FileWalker.prototype, 'walk', async function slow(this: FileWalker) {
    const beganMs = performance.now();
    await delay(20);
    const found = await walk.call(this);
    walks.push({ beganMs, endedMs: performance.now() });
    return found;
  });
  await using _ = world.start();
  let n = 0;
  writeFileSync(world.path('a0'), '');
  await world.until(() => {
    renameSync(world.path(`a${n}`), world.path(`a${n + 1}`));
    n += 1;
    return walks.length === 6;
  });
  for (const [i, { beganMs, endedMs }] of walks.slice(0, -1).entries()) {
    const pauseMs = (walks[i + 1]?.beganMs ?? 0) - endedMs;
    assert.ok(pauseMs >= 4 * (endedMs - beganMs) - 2, `${pauseMs} ms after ${endedMs - beganMs}`);
  }
});
