// A file that is away for a while, and is back as it was, is read on: nothing of it comes twice.

import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { AbsentFiles } from '#forwarder/collect/files/absent-files.ts';
import { Generations } from '#forwarder/collect/checkpoints/generations.ts';
import { FileWorld } from './file-world.ts';

const HOUR_MS = 3_600_000;

/** Of generations that have a file, as the checkpoints know it. */
function attached(world: FileWorld): number {
  const database = new DatabaseSync(join(world.dataDir, 'collect', 'files.sqlite'), { readOnly: true });
  try {
    return Number(database.prepare("SELECT count(*) AS n FROM generation WHERE identity <> ''").get()?.['n']);
  } finally {
    database.close();
  }
}

test('a folder and a file that were moved, and moved back', async () => {
  await using world = new FileWorld();
  const inside = (name: string): string => world.path(`logs/${name}`);
  mkdirSync(inside('app'), { recursive: true });
  const files = ['app/a.log', 'app/b.log', 'c.log'].map(inside);
  for (const file of files) writeFileSync(file, `${file} 1\n`);
  await using _ = world.start({ include: [inside('**/*.log')] });
  await world.untilLines(3);
  for (const [n, [from, to]] of [
    [inside('app'), world.path('aside')],
    [inside('c.log'), world.path('c.log')],
  ].entries() as Iterable<[number, [string, string]]>) {
    renameSync(from, to);
    await world.until(() => attached(world) < 3);
    // What is written meanwhile is read when it is back.
    if (n === 0) appendFileSync(join(to, 'b.log'), 'while away\n');
    renameSync(to, from);
    await world.until(() => attached(world) === 3);
  }
  for (const file of files) appendFileSync(file, `${file} 2\n`);
  await world.untilLines(7);
  assert.equal(world.intake.repeats, 0);
  assert.deepEqual(
    world.intake.lines.toSorted(),
    [...files.flatMap((file) => [`${file} 1`, `${file} 2`]), 'while away'].toSorted(),
  );
});

test('another file under the name of one that is away is read from its beginning', async () => {
  await using world = new FileWorld();
  const file = world.path('a.log');
  writeFileSync(file, 'one\n');
  await using _ = world.start();
  await world.untilLines(1);
  renameSync(file, world.path('aside'));
  await world.until(() => attached(world) === 0);
  writeFileSync(file, 'two\n');
  await world.untilLines(2);
  rmSync(file);
  await world.until(() => attached(world) === 0);
  // Not what it had, but longer.
  writeFileSync(world.path('aside'), 'other\nthree\n');
  renameSync(world.path('aside'), file);
  await world.untilLines(4);
  assert.deepEqual(world.intake.lines, ['one', 'two', 'other', 'three']);
});

test('not after an hour, without a time of birth, for one that has its file again, or is forgotten', () => {
  const generations = new Generations(0);
  const absent = new AbsentFiles(generations);
  const add = (identity: string) => generations.add(generations.addSource(`/${identity}`, 1), identity, 'salt');
  const check = (
    identity: string,
    afterMs: number,
    meanwhile: (generation: ReturnType<typeof add>) => void,
  ): boolean => {
    const generation = add(identity);
    absent.missed(generation, 0);
    generations.detach(generation, 1);
    meanwhile(generation);
    return absent.back(identity, afterMs) === generation;
  };
  assert.equal(
    check('1:5', HOUR_MS, () => undefined),
    true,
  );
  assert.equal(
    check('2:5', HOUR_MS + 1, () => undefined),
    false,
  );
  assert.equal(
    check('3@7', 0, () => undefined),
    false,
  );
  assert.equal(
    check('4:5', 0, (generation) => generations.attach(generation, '9:9')),
    false,
  );
  const forget = (): unknown =>
    generations.forget({ isHeld: () => false, isWalked: () => true, nowMs: 1e12, bytesMax: 0 });
  assert.equal(check('5:5', 0, forget), false);
});
