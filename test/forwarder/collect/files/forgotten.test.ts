// Names of files come and go: what is known of them must not grow for ever, and a name that comes again after it was
// forgotten must not have a number that was used.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { CheckpointChanges } from '#forwarder/collect/checkpoints/checkpoint-thread.ts';
import { forgettable, GONE_MS_MAX } from '#forwarder/collect/checkpoints/forgetting.ts';
import { Generations, type Source } from '#forwarder/collect/checkpoints/generations.ts';
import { FileWorld } from './file-world.ts';

const DAY_MS = 86_400_000;
const NOBODY = { isHeld: () => false, isWalked: () => true };

/** Sources `0`, `1`, … with a file each, which are gone since then; 0: they are there. */
function known(goneMs: readonly number[]): Generations {
  const generations = new Generations(0);
  for (const [n, ms] of goneMs.entries()) {
    const generation = generations.add(generations.addSource(`/${n}`, 1), `${n}:1`, 'salt');
    if (ms > 0) generations.detach(generation, ms);
  }
  changesOf(generations);
  return generations;
}

/** Of few rows: all that has changed. */
function changesOf(generations: Generations): CheckpointChanges {
  const [changes] = generations.takeChanges();
  assert.ok(changes);
  return changes;
}

function paths(sources: readonly Source[]): string[] {
  return sources.map(({ path }) => path);
}

suite('what is forgotten', () => {
  const nowMs = 100 * DAY_MS;

  test('sources that are gone for long; of too many, the longest gone; never one that is there or held', () => {
    const { sources } = known([nowMs - GONE_MS_MAX - 1, nowMs - DAY_MS, 0, nowMs - 2 * DAY_MS]);
    const all = [...sources];
    assert.deepEqual(paths(forgettable(all, { ...NOBODY, nowMs }).sources), ['/0']);
    const few = forgettable(all, { ...NOBODY, nowMs, bytesMax: 2000 });
    assert.deepEqual(paths(few.sources), ['/0', '/3']);
    const none = forgettable(all, { ...NOBODY, nowMs, bytesMax: 0 });
    assert.deepEqual(paths(none.sources), ['/0', '/3', '/1']);
    const held = forgettable(all, { ...NOBODY, isHeld: (path) => path === '/0', nowMs, bytesMax: 0 });
    assert.deepEqual(paths(held.sources), ['/3', '/1']);
    // What was only imported is gone for nobody: the earliest go where there are too many.
    assert.deepEqual(paths(forgettable(all, { ...NOBODY, isWalked: () => false, nowMs, bytesMax: 0 }).sources), [
      '/0',
      '/3',
      '/1',
      '/2',
    ]);
  });

  test('of a source that is there, generations that are gone, where there are too many', () => {
    const generations = known([0]);
    const source = generations.sourceOf('/0');
    assert.ok(source);
    for (let n = 1; n < 20; n += 1) {
      for (const one of source.generations) if (one.identity !== '') generations.detach(one, nowMs);
      generations.add(source, `${n}:2`, 'salt');
    }
    generations.forget({ ...NOBODY, nowMs, bytesMax: 1000 });
    assert.deepEqual(
      source.generations.map(({ number }) => number),
      [16, 17, 18, 19],
    );
    assert.equal(changesOf(generations).removedGenerations.length, 16);
  });

  test('times of a clock that was ahead are set right when it is', () => {
    const generations = known([nowMs + DAY_MS, 0]);
    for (const source of generations.sources) source.firstMs = nowMs + 2 * DAY_MS;
    assert.equal(generations.forget({ ...NOBODY, nowMs }), 0);
    assert.deepEqual(
      changesOf(generations).sources.map(({ firstMs, goneMs }) => [firstMs, goneMs]),
      [
        [0, nowMs],
        [0, 0],
      ],
    );
    generations.forget({ ...NOBODY, nowMs: nowMs + 1 });
    assert.ok(!generations.hasChanges);
  });

  test('numbers of what comes again are above all that were forgotten, also after a save that failed', () => {
    const generations = known([nowMs - 40 * DAY_MS, 0]);
    const [gone] = generations.sources;
    assert.ok(gone);
    for (let n = 0; n < 4; n += 1) {
      generations.detach(generations.add(gone, `again ${n}`, 'salt'), nowMs - 40 * DAY_MS);
    }
    assert.equal(generations.forget({ ...NOBODY, nowMs }), 1);
    const lost = changesOf(generations);
    assert.deepEqual([lost.forgotten, lost.firstNumber], [['/0'], 5]);
    // Nothing that still points to it is saved.
    for (const one of gone.generations) generations.changed(one);
    assert.equal(generations.hasChanges, false);
    generations.putBack(lost);
    const again = generations.add(generations.addSource('/0', nowMs), 'x', 'salt');
    const other = generations.add(generations.addSource('/new', nowMs), 'y', 'salt');
    assert.deepEqual([again.number, other.number], [5, 5]);
    const changes = changesOf(generations);
    assert.deepEqual([changes.forgotten, changes.firstNumber], [['/0'], 5]);
    assert.deepEqual(
      changes.sources.map(({ path, nextGeneration }) => [path, nextGeneration]),
      [
        ['/0', 6],
        ['/new', 6],
      ],
    );
    assert.throws(() => generations.add(gone, 'z', 'salt'), /was forgotten/);
  });
});

test('what was rotated since a first start by a clock that was ahead is read', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), 'old\n');
  {
    await using _ = world.start();
    await world.untilLines(1);
  }
  {
    using database = new DatabaseSync(join(world.dataDir, 'collect', 'files.sqlite'));
    database.prepare('UPDATE source SET first_ms = ?').run(Date.now() + DAY_MS);
  }
  fs.writeFileSync(world.path('a.log.2.gz'), gzipSync('missed\n'));
  await using _ = world.start();
  await world.untilLines(2);
  assert.deepEqual(world.intake.lines, ['old', 'missed']);
});

suite('files that are gone', { timeout: 60_000 }, () => {
  function database(world: FileWorld): DatabaseSync {
    return new DatabaseSync(join(world.dataDir, 'collect', 'files.sqlite'));
  }

  async function sourcesOf(world: FileWorld, metric: string): Promise<string> {
    world.told.length = 0;
    await using running = world.start();
    await world.until(() => world.told.some(({ event }) => event === 'collecting_files'));
    return (await running.metrics.render()).body.split('\n').find((line) => line.startsWith(`sluice_${metric} `)) ?? '';
  }

  test('are forgotten after a month, and the same content under the same name is other lines', async () => {
    await using world = new FileWorld();
    const [path, kept] = [world.path('a.log'), world.path('kept.log')];
    fs.writeFileSync(kept, 'kept\n');
    {
      await using _ = world.start();
      for (let count = 2; count <= 4; count += 1) {
        fs.writeFileSync(path, 'the same\n');
        await world.untilLines(count);
        fs.unlinkSync(path);
        await world.until(() => !fs.existsSync(path));
      }
    }
    assert.equal(await sourcesOf(world, 'collect_sources'), 'sluice_collect_sources 2');
    {
      using rows = database(world);
      rows.exec(`UPDATE source_added SET gone_ms = gone_ms - ${31 * DAY_MS} WHERE gone_ms > 0`);
    }
    assert.equal(await sourcesOf(world, 'collect_sources'), 'sluice_collect_sources 1');
    {
      using rows = database(world);
      assert.equal(rows.prepare('SELECT count(*) AS count FROM generation').get()?.['count'], 1);
    }
    fs.writeFileSync(path, 'the same\n');
    await using _ = world.start();
    await world.untilLines(5);
    assert.deepEqual([world.intake.entries, world.intake.repeats], [5, 0]);
  });

  test('a database of an earlier version with too many of them is forgotten in part before it is loaded', async () => {
    await using world = new FileWorld();
    fs.mkdirSync(join(world.dataDir, 'collect'));
    const count = 55_000;
    {
      using rows = database(world);
      rows.exec(`
        CREATE TABLE source (path TEXT PRIMARY KEY, next INTEGER NOT NULL, first_ms INTEGER NOT NULL)
          STRICT, WITHOUT ROWID;
        CREATE TABLE generation (
          source TEXT NOT NULL, number INTEGER NOT NULL, identity TEXT NOT NULL, offset INTEGER NOT NULL,
          chain BLOB NOT NULL, crc32 INTEGER NOT NULL, tail TEXT NOT NULL, head TEXT NOT NULL, size INTEGER NOT NULL,
          unfinished_end INTEGER NOT NULL, written_ms REAL NOT NULL, skip_end INTEGER NOT NULL,
          PRIMARY KEY (source, number)
        ) STRICT, WITHOUT ROWID;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
          INSERT INTO source SELECT '${world.folder}/${'n'.repeat(200)}' || i || '.log', 3, 1000 + i FROM n;
        INSERT INTO generation SELECT path, 2, '', 0, x'00', 0, '', '', 0, 0, 0, 0 FROM source;
      `);
    }
    const known = Number((await sourcesOf(world, 'collect_sources')).split(' ')[1]);
    assert.ok(known > 45_000 && known < 51_000, `${known} sources`);
    fs.writeFileSync(world.path('new.log'), 'new\n');
    {
      await using _ = world.start();
      await world.untilLines(1);
    }
    using rows = database(world);
    const number = rows.prepare('SELECT number FROM generation WHERE source = ?').get(world.path('new.log'))?.[
      'number'
    ];
    assert.equal(number, 3);
    const orphans = rows.prepare(
      'SELECT count(*) AS count FROM generation WHERE source NOT IN (SELECT path FROM source)',
    );
    assert.equal(orphans.get()?.['count'], 0);
    // The longest gone are those that are forgotten.
    const first = rows.prepare('SELECT min(first_ms) AS ms FROM source').get()?.['ms'];
    assert.ok(Number(first) > 1000 + count - 51_000, String(first));
  });
});
