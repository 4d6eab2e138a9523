// Names cost their maker nothing: files that are empty take no number and no descriptor, and what there is to save is
// saved in parts.

import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Checkpoints } from '#forwarder/collect/checkpoints/checkpoints.ts';
import { Generations } from '#forwarder/collect/checkpoints/generations.ts';
import { systemClock } from '#shared/clock.ts';
import { FileWorld } from '../files/file-world.ts';

const FILES = 300;

async function started(world: FileWorld): Promise<void> {
  await world.until(() => world.told.some(({ event }) => event === 'collecting_files'));
}

function generationsOf(world: FileWorld): number {
  const database = new DatabaseSync(join(world.dataDir, 'collect', 'files.sqlite'));
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM generation').get()?.['n']);
  } finally {
    database.close();
  }
}

for (const watches of [true, false]) {
  test(`an empty file is nothing until it has something, ${watches ? 'told of' : 'asked for'}`, async () => {
    await using world = new FileWorld();
    const names = Array.from({ length: FILES }, (_, n) => world.path(`a${n}.log`));
    for (const name of names) writeFileSync(name, '');
    const some = names.slice(0, 5);
    {
      await using running = world.start({}, { watches });
      await started(world);
      assert.equal(running.input.figures.open, 0);
      for (const name of some) appendFileSync(name, 'first\n');
      await world.untilLines(5);
      // Rotated while it is empty, and used again.
      renameSync(names[9] ?? '', `${names[9]}.1`);
      writeFileSync(names[9] ?? '', 'anew\n');
      await world.untilLines(6);
    }
    assert.equal(generationsOf(world), 6);
    // Without checkpoints, all have the same names.
    const { repeats } = world.intake;
    await using _ = world.start({}, { watches, dataDir: mkdtempSync(join(world.dataDir, 'other-')) });
    await world.until(() => world.intake.repeats === repeats + 6);
    assert.equal(world.intake.held.size, 6);
  });
}

test('what an empty file has later is read, where only what is new is wanted, also after a restart', async () => {
  await using world = new FileWorld();
  const [one, two, old] = ['one.log', 'two.log', 'old.log'].map((name) => world.path(name)) as [string, string, string];
  writeFileSync(one, '');
  writeFileSync(two, '');
  writeFileSync(old, 'old\n');
  {
    await using _ = world.start({ from: 'end' });
    await started(world);
    appendFileSync(one, 'one\n');
    await world.untilLines(1);
  }
  appendFileSync(two, 'two\n');
  await using _ = world.start({ from: 'end' });
  await world.untilLines(2);
  assert.deepEqual(world.intake.lines, ['one', 'two']);
});

test('what an empty file had, and was copied, moved or cut while nobody looked, is read', async () => {
  await using world = new FileWorld();
  const [moved, copied] = ['moved.log', 'copied.log'].map((name) => world.path(name)) as [string, string];
  for (const name of [moved, copied]) writeFileSync(name, '');
  {
    await using _ = world.start();
    await started(world);
  }
  for (const n of [1, 2]) {
    appendFileSync(moved, `moved ${n}\n`);
    renameSync(moved, `${moved}.${3 - n}`);
    writeFileSync(moved, '');
  }
  appendFileSync(copied, 'copied\n');
  copyFileSync(copied, `${copied}.1`);
  truncateSync(copied);
  await using _ = world.start();
  await world.untilLines(3);
  assert.deepEqual(world.intake.lines.toSorted(), ['copied', 'moved 1', 'moved 2']);
});

const SOURCES = 4500;

function manySources(generations: Generations): void {
  for (let n = 0; n < SOURCES; n++) generations.add(generations.addSource(`/var/log/${n}.log`, 1), `${n}:1`, 'host');
}

test('many changes come in pages, each source before its generations, each as it is by then', () => {
  const generations = new Generations(0);
  manySources(generations);
  const saved = new Set<string>();
  let rows = 0;
  for (const page of generations.takeChanges()) {
    assert.ok(page.sources.length + page.generations.length <= 2000);
    rows += page.sources.length + page.generations.length;
    for (const { path } of page.sources) saved.add(path);
    for (const { source } of page.generations) assert.ok(saved.has(source));
    // What changes meanwhile is for the next time.
    generations.examined(`other ${rows}`, 1);
  }
  assert.equal(rows, 2 * SOURCES);
  assert.ok(generations.hasChanges);
});

test('pages that could not be saved are saved with the next', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pages-'));
  const telemetry = {
    failures: 0,
    checkpointsLost: () => undefined,
    checkpointsWait: () => undefined,
    forgotten: () => undefined,
    saveFailed: () => (telemetry.failures += 1),
  };
  const open = (): Promise<Checkpoints> =>
    Checkpoints.open({ folder, clock: systemClock, signal: new AbortController().signal, telemetry });
  try {
    {
      await using checkpoints = await open();
      const { generations } = checkpoints;
      manySources(generations);
      // Of the second page of generations.
      const broken = generations.ofIdentity('2500:1');
      assert.ok(broken);
      const { place } = broken;
      broken.place = { ...place, chain: 'no bytes' as unknown as Uint8Array };
      Object.defineProperty(broken, 'head', { value: 7n ** 40n, configurable: true, enumerable: true });
      assert.equal(await checkpoints.save(), false);
      assert.equal(telemetry.failures, 1);
      assert.ok(generations.hasChanges);
      Object.defineProperty(broken, 'head', { value: '', enumerable: true });
      broken.place = place;
      assert.equal(await checkpoints.save(), true);
      assert.ok(!generations.hasChanges);
    }
    await using checkpoints = await open();
    assert.equal(checkpoints.generations.count, SOURCES);
    for (const { generations } of checkpoints.generations.sources) assert.equal(generations.length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
