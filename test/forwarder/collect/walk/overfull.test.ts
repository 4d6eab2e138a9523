// Whoever fills a walk with names takes nothing from the files that were known before, or that are next to them: they
// are read on, and none of them is taken for a new one.

import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { FileWalker } from '#forwarder/collect/walk/file-walk.ts';
import type { WalkLimits } from '#forwarder/collect/walk/limits.ts';
import { FileWorld } from '../files/file-world.ts';

const LIMITS: Partial<WalkLimits> = { files: 40, folders: 40 };

function fill(world: FileWorld, folder: string, files: number, folders: number): void {
  mkdirSync(world.path(folder), { recursive: true });
  for (let n = 0; n < folders; n++) mkdirSync(world.path(`${folder}/d${n}`));
  for (let n = 0; n < files; n++) writeFileSync(world.path(`${folder}/f${n}.log`), 'x\n');
}

const honest = (n: number): string => `h${n}/app.log`;
const HONEST = Array.from({ length: 8 }, (_, n) => honest(n));

function makeHonest(world: FileWorld): void {
  for (const name of HONEST) {
    mkdirSync(world.path(name.slice(0, 2)));
    writeFileSync(world.path(name), 'line\n');
  }
}

test('what was found before is found while the walk is full, and what is new beside it', async () => {
  const check = async (pattern: string, how: { files: number; folders: number }): Promise<void> => {
    await using world = new FileWorld();
    makeHonest(world);
    const walker = new FileWalker([{ include: [world.path(pattern)] }], { limits: LIMITS });
    const before = await walker.walk();
    assert.equal(before.overfull.size, 0);
    for (const folder of ['a', 'zzz', 'h0/a']) fill(world, folder, how.files, how.folders);
    for (let walk = 0; walk < 3; walk++) {
      writeFileSync(world.path(`h7/new${walk}.log`), 'line\n');
      renameSync(world.path(honest(5)), world.path(`h5/app.log.${walk + 1}`));
      writeFileSync(world.path(honest(5)), 'line\n');
      const { paths, overfull } = await walker.walk();
      assert.ok(overfull.size > 0);
      assert.ok(paths.size <= 2 * (LIMITS.files ?? 0), `${paths.size} files`);
      for (const name of [...HONEST, `h7/new${walk}.log`, `h5/app.log.${walk + 1}`])
        assert.ok(paths.has(world.path(name)), `${name} in walk ${walk} of ${pattern}`);
    }
    // What is gone is gone, though there is no room to look at all.
    rmSync(world.path(honest(3)));
    assert.ok(!(await walker.walk()).paths.has(world.path(honest(3))));
    for (const folder of ['a', 'zzz', 'h0/a']) rmSync(world.path(folder), { recursive: true });
    const after = await walker.walk();
    assert.equal(after.overfull.size, 0);
    assert.equal([...after.paths.values()].filter(({ isAsked }) => isAsked).length, 7 + 3);
  };
  await check('**/*.log', { files: 100, folders: 0 });
  await check('**/*.log', { files: 0, folders: 100 });
  await check('*/*.log', { files: 100, folders: 0 });
});

test('at the start, what the checkpoints have is found first; and each tree has a share', async () => {
  await using world = new FileWorld();
  for (const folder of ['a', 'zzz']) fill(world, folder, 100, 100);
  makeHonest(world);
  const known = [world.path(honest(7)), world.path('h1/gone.log'), '/elsewhere/app.log'];
  const rules = [{ include: [world.path('**/*.log')] }];
  const { paths } = await new FileWalker(rules, { limits: LIMITS, known: () => known }).walk();
  assert.ok(paths.has(world.path(honest(7))));
  for (const gone of known.slice(1)) assert.ok(!paths.has(gone), gone);
  const { paths: shared } = await new FileWalker([{ include: [world.path('*/*.log')] }], { limits: LIMITS }).walk();
  for (const name of HONEST) assert.ok(shared.has(world.path(name)), name);
});

test('a tree that is larger than its share has what the others leave', async () => {
  await using world = new FileWorld();
  fill(world, 'a', 30, 0);
  makeHonest(world);
  const { paths, overfull } = await new FileWalker([{ include: [world.path('*/*.log')] }], { limits: LIMITS }).walk();
  assert.equal(paths.size, 38);
  assert.equal(overfull.size, 0);
});

test('names that are long take room from their tree, not from others', async () => {
  await using world = new FileWorld();
  const long = 'x'.repeat(200);
  for (const tree of ['a', 'b']) {
    mkdirSync(world.path(tree));
    for (let n = 0; n < 100; n++) writeFileSync(world.path(`${tree}/${long}${n}.log`), '');
  }
  const rules = ['a', 'b'].map((tree) => ({ include: [world.path(`${tree}/*.log`)] }));
  const { paths, overfull } = await new FileWalker(rules, { limits: { bytes: 50_000 } }).walk();
  assert.equal(overfull.size, 2);
  assert.ok(paths.size * (2 * long.length) < 100_000 && paths.size > 50, `${paths.size} files`);
  for (const rule of rules) assert.ok([...paths.values()].some((found) => found.rule === rule));
});

test('names that nobody asks for keep no tree, and no other rule, from being looked at', async () => {
  await using world = new FileWorld();
  for (const tree of ['many/a0', 'many/a1', 'many/a2', 'many/z', 'few/z'])
    mkdirSync(world.path(tree), { recursive: true });
  for (const tree of ['many/a0', 'many/a1', 'many/a2'])
    for (let n = 0; n < 100; n++) writeFileSync(world.path(`${tree}/none${n}`), '');
  const files = ['many/z/app.log', 'few/z/app.log'].map((name) => world.path(name));
  for (const file of files) writeFileSync(file, 'line\n');
  const check = async (patterns: readonly string[], found: readonly string[]): Promise<void> => {
    const rules = patterns.map((pattern) => ({ include: [world.path(pattern)] }));
    const walker = new FileWalker(rules, { limits: { names: 250 } });
    for (let walk = 0; walk < 3; walk++) {
      const { paths, overfull } = await walker.walk();
      assert.deepEqual([...paths.keys()], found, `walk ${walk} of ${patterns.join()}`);
      assert.ok(overfull.size > 0);
    }
  };
  await check(['many/**/*.log'], files.slice(0, 1));
  await check(['many/*/*.log', 'few/*/*.log'], files);
});

test('a file that no walk has room for any more is read on, and is the same one when there is room', async () => {
  await using world = new FileWorld();
  makeHonest(world);
  const rule = { include: [world.path('**/*.log')] };
  const checkAll = async (lines: number): Promise<void> => {
    for (const name of HONEST) appendFileSync(world.path(name), 'more\n');
    await world.until(() => world.intake.lines.filter((line) => line === 'more').length === lines);
  };
  const isFull = (): boolean => world.told.some(({ event }) => event === 'file_unreadable');
  {
    await using _ = world.start(rule, { walkLimits: LIMITS });
    await world.untilLines(8);
    for (const folder of ['a', 'zzz']) fill(world, folder, 0, 100);
    await world.until(isFull);
    await checkAll(8);
  }
  {
    await using running = world.start(rule, { walkLimits: LIMITS });
    await checkAll(16);
    for (const folder of ['a', 'zzz']) rmSync(world.path(folder), { recursive: true });
    await checkAll(24);
    await world.until(() => running.input.figures.open === 8);
  }
  assert.equal(world.intake.held.size, 8 + 24);
  assert.equal(world.intake.repeats, 0);
});
