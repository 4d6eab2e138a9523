// An operator goes back to the version before, which knows nothing of containers, and later forward again: it can save
// what it reads in the same checkpoints, and what it does not know is neither lost nor taken for what it no longer is.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { dockerRule } from '#forwarder/collect/sources/docker-logs.ts';
import { FileWorld, type Running } from '../files/file-world.ts';
import { DockerTree, PART } from './docker-tree.ts';

function start(world: FileWorld, tree: DockerTree): Running {
  return world.start(dockerRule({ path: tree.path }, 'node-1'));
}

function database(world: FileWorld): DatabaseSync {
  const names = fs.readdirSync(world.dataDir, { recursive: true, encoding: 'utf8' });
  const name = names.find((one) => one.endsWith('files.sqlite'));
  assert.ok(name !== undefined);
  return new DatabaseSync(join(world.dataDir, name));
}

/** As the version before does with what it has loaded: with as many values as its own tables have columns. */
function saveAsBefore(world: FileWorld, bytesMore: number): void {
  using saved = database(world);
  const sources = saved.prepare('SELECT path, next, first_ms FROM source').all();
  const put = saved.prepare('INSERT OR REPLACE INTO source VALUES (?, ?, ?)');
  for (const row of sources) put.run(...Object.values(row));
  const generations = saved
    .prepare(
      `SELECT source, number, identity, offset + ${bytesMore}, chain, crc32, tail, head, size, unfinished_end,
        written_ms, skip_end FROM generation`,
    )
    .all();
  const values = Array.from({ length: 12 }, () => '?').join(', ');
  const putGeneration = saved.prepare(`INSERT OR REPLACE INTO generation VALUES (${values})`);
  for (const row of generations) putGeneration.run(...Object.values(row));
  const examined = saved.prepare('SELECT identity, size FROM examined').all();
  const putExamined = saved.prepare('INSERT OR REPLACE INTO examined VALUES (?, ?)');
  for (const row of examined) putExamined.run(...Object.values(row));
}

test('the version before saves in the same checkpoints, and takes nothing from them', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web', { team: 'shop' });
  tree.log('web', 'a\n', PART);
  {
    await using _ = start(world, tree);
    await world.untilLines(2);
  }
  saveAsBefore(world, 0);
  // Nobody else knows it any more, and the line is still open.
  tree.rename('web', 'other');
  tree.log('web', 'c\n');
  await using _ = start(world, tree);
  await world.untilLines(3);
  const [a, b, c] = [...world.intake.held.values()];
  assert.deepEqual([a?.['container.name'], c?.['container.name']], ['web', 'web']);
  assert.deepEqual(c?.['container.labels'], { team: 'shop' });
  assert.deepEqual([b?.['partial_ordinal'], c?.['partial_ordinal']], ['1', '2']);
  assert.equal(b?.['partial_id'], c?.['partial_id']);
});

test('what the version before has read on is not taken for open', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web');
  tree.log('web', PART);
  {
    await using _ = start(world, tree);
    await world.untilLines(1);
  }
  const count = (): unknown => {
    using saved = database(world);
    return saved.prepare('SELECT count(*) AS n FROM open_lines').get()?.['n'];
  };
  assert.equal(count(), 1);
  saveAsBefore(world, 1);
  {
    // Where there is nothing to read.
    await using _ = start(world, new DockerTree(world.path('elsewhere')));
    await world.until(() => world.told.filter(({ event }) => event === 'collecting_files').length === 2);
  }
  assert.equal(count(), 0);
});
