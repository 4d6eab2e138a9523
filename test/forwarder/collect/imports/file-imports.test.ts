// What an import adds, and what it does not: each line of its files once, by name, whatever was read of them before and
// whatever they are called now.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ImportedFile } from '#forwarder/collect/imports/file-imports.ts';
import { FileWorld } from '../files/file-world.ts';

const nothing = (): void => undefined;

/** Imports the files in a process of its own, which follows nothing. */
async function imported(world: FileWorld, ...names: string[]): Promise<ImportedFile[]> {
  await using running = world.start({}, { collects: false });
  const watch = { signal: new AbortController().signal, progress: nothing };
  return [...(await running.input.import({ paths: names.map((name) => world.path(name)) }, watch))];
}

function numbered(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');
}

/** Lines imported, and lines that were there, of all files together. */
function counts(files: readonly ImportedFile[]): [lines: number, known: number] {
  return [files.reduce((sum, { lines }) => sum + lines, 0), files.reduce((sum, { knownLines }) => sum + knownLines, 0)];
}

test('a second import adds nothing, whatever the file is called and however it is kept', async () => {
  await using world = new FileWorld();
  const content = `${numbered(1, 500)}no end`;
  fs.writeFileSync(world.path('app.log'), content);
  assert.deepEqual(counts(await imported(world, 'app.log')), [501, 0]);
  // Where the content alone tells, a last line without an end is given again, by the same name.
  const again = async (name: string, given = 1): Promise<void> => {
    assert.deepEqual(counts(await imported(world, name)), [given, 501 - given], name);
    assert.equal(world.intake.held.size, 501);
  };
  await again('app.log', 0);
  fs.renameSync(world.path('app.log'), world.path('app.log.1'));
  await again('app.log.1', 0);
  fs.writeFileSync(world.path('app.log.2.gz'), gzipSync(content));
  await again('app.log.2.gz');
  fs.rmSync(world.path('app.log.1'));
  fs.writeFileSync(world.path('app.log-20261122.zst'), zstdCompressSync(Buffer.from(content)));
  await again('app.log-20261122.zst');
  fs.writeFileSync(world.path('app.log'), content);
  await again('app.log');
  // As long, and another one.
  fs.writeFileSync(world.path('app.log.3'), `${numbered(1, 500)}an end`);
  await imported(world, 'app.log.3');
  assert.ok(world.intake.lines.includes('an end'));
});

test('what was collected is not imported, and the other way about', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), numbered(1, 300));
  {
    await using running = world.start();
    await world.untilLines(300);
    const watch = { signal: new AbortController().signal, progress: nothing };
    const both = await running.input.import({ paths: [world.path('a.log')] }, watch);
    assert.deepEqual(counts(both), [0, 300]);
    fs.appendFileSync(world.path('a.log'), numbered(301, 310));
    await world.untilLines(310);
  }
  assert.deepEqual(counts(await imported(world, 'a.log')), [0, 310]);
  fs.writeFileSync(world.path('b.log'), numbered(1, 200));
  assert.deepEqual(counts(await imported(world, 'b.log')), [200, 0]);
  await using _running = world.start();
  fs.appendFileSync(world.path('b.log'), 'one more\n');
  await world.until(() => world.intake.lines.includes('one more'));
  assert.deepEqual([world.intake.held.size, world.intake.entries], [511, 511]);
});

test('a followed file that ends in NULs is imported to its end, and what comes behind them is collected', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), `${numbered(1, 20)}${'\0'.repeat(100_000)}`);
  await using running = world.start();
  await world.untilLines(20);
  const watch = { signal: new AbortController().signal, progress: nothing };
  const [file] = await running.input.import({ paths: [world.path('a.log')] }, watch);
  assert.equal(file?.refusal, null);
  assert.equal(file.lines, 0);
  fs.appendFileSync(world.path('a.log'), numbered(21, 22));
  await world.untilLines(22);
});

test('what a file has got since is added', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), numbered(1, 100));
  await imported(world, 'a.log');
  fs.appendFileSync(world.path('a.log'), numbered(101, 150));
  assert.deepEqual(counts(await imported(world, 'a.log')), [50, 100]);
  assert.equal(world.intake.held.size, 150);
});

test('files that only begin alike are not merged', async () => {
  await using world = new FileWorld();
  const head = 'x'.repeat(70_000);
  fs.writeFileSync(world.path('app.log'), `${head}\n`);
  await imported(world, 'app.log');
  // Another file of the same source, while the first is there, and when it is gone.
  fs.writeFileSync(world.path('app.log.1'), `${head}\nsecond\n`);
  await imported(world, 'app.log.1');
  fs.rmSync(world.path('app.log'));
  fs.writeFileSync(world.path('app.log.2'), `${head}\nthird\n`);
  await imported(world, 'app.log.2');
  // A line of 70,000 is two parts.
  assert.equal(world.intake.held.size, 2 + 3 + 3);
  fs.writeFileSync(world.path('app.log.1'), 'anew\n');
  assert.deepEqual(counts(await imported(world, 'app.log.1')), [1, 0]);
  fs.writeFileSync(world.path('twin.log'), numbered(1, 10));
  fs.writeFileSync(world.path('other.log'), numbered(1, 10));
  assert.deepEqual(counts(await imported(world, 'twin.log', 'other.log')), [20, 0]);
});

test('lines that a collector was told to leave out are imported', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), numbered(1, 100));
  const watch = { signal: new AbortController().signal, progress: nothing };
  {
    await using running = world.start({ from: 'end' });
    await world.until(() => running.input.figures.open === 1);
    fs.appendFileSync(world.path('a.log'), 'new\n');
    await world.untilLines(1);
    await running.input.import({ paths: [world.path('a.log')] }, watch);
    assert.equal(world.intake.held.size, 101);
  }
  await imported(world, 'a.log');
  assert.equal(world.intake.held.size, 101);
});

test('an import that was stopped goes on where it was', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), numbered(1, 20_000));
  const stop = new AbortController();
  let runs = 0;
  world.intake.before = async () => {
    runs += 1;
    if (runs === 3) {
      stop.abort(new Error('stopped'));
      throw new Error('refused');
    }
  };
  {
    await using running = world.start({}, { collects: false });
    const importing = running.input.import(
      { paths: [world.path('a.log')] },
      { signal: stop.signal, progress: nothing },
    );
    await assert.rejects(importing, /stopped|abort/);
  }
  const [lines, known] = counts(await imported(world, 'a.log'));
  assert.equal(lines + known, 20_000);
  assert.ok(known > 0);
  assert.deepEqual([world.intake.held.size, world.intake.repeats], [20_000, 0]);
});

test('without checkpoints the names are the same', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('a.log'), numbered(1, 50));
  await imported(world, 'a.log');
  await using running = world.start({}, { collects: false, dataDir: world.path('elsewhere') });
  const watch = { signal: new AbortController().signal, progress: nothing };
  await running.input.import({ paths: [world.path('a.log')] }, watch);
  assert.deepEqual([world.intake.held.size, world.intake.repeats], [50, 50]);
});

test('what cannot be read is told, and keeps nothing else from it', async () => {
  await using world = new FileWorld();
  const packed = gzipSync(numbered(1, 100_000));
  fs.writeFileSync(world.path('cut.gz'), packed.subarray(0, packed.length / 2));
  fs.writeFileSync(world.path('none.gz'), 'no gzip');
  fs.mkdirSync(world.path('folder'));
  fs.writeFileSync(world.path('empty'), '');
  fs.writeFileSync(world.path('a'), 'a');
  const files = await imported(world, 'cut.gz', 'none.gz', 'folder', 'nowhere', 'empty', 'a');
  const refused = files.filter(({ refusal }) => refusal !== null).map(({ path }) => path.split('/').at(-1));
  assert.deepEqual(refused, ['cut.gz', 'none.gz', 'folder', 'nowhere']);
  assert.ok(world.intake.lines.includes('line 1'));
  assert.ok(world.intake.lines.includes('a'));
  // Mended, it adds only what was not read.
  fs.writeFileSync(world.path('cut.gz'), packed);
  await imported(world, 'cut.gz');
  assert.deepEqual([world.intake.held.size, world.intake.repeats], [100_001, 0]);
});

test('an import leaves alone what is known of collected files', async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('app.log'), numbered(1, 10));
  fs.writeFileSync(world.path('app.log.1'), 'unwanted, for it was there before\n');
  fs.utimesSync(world.path('app.log.1'), 1_700_000_000, 1_700_000_000);
  const known = (): unknown[] => {
    using database = new DatabaseSync(join(world.dataDir, 'collect', 'files.sqlite'), { readOnly: true });
    const examined = database.prepare('SELECT identity FROM examined').all();
    const generations = database.prepare(`SELECT source, identity FROM generation WHERE source LIKE '%app%'`).all();
    return [...examined, ...generations].map((row) => ({ ...row }));
  };
  {
    await using running = world.start({ include: [world.path('app.log*')], from: 'end' });
    await world.until(() => running.input.figures.open === 1);
  }
  const before = known();
  assert.equal(before.length, 2);
  fs.writeFileSync(world.path('other'), 'imported\n');
  await imported(world, 'other');
  assert.deepEqual(known(), before);
  assert.ok(!world.told.some(({ event }) => event === 'file_content_lost'));
});

test('a file that is renamed or cut while others are imported is refused, and none is taken for it', async () => {
  await using world = new FileWorld();
  const files = { 'a.log': numbered(1, 5000), 'b.log': 'of b\n', 'c.log': 'of c\n' };
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(world.path(name), content);
  await using running = world.start({}, { collects: false });
  let isMoved = false;
  const progress = (): void => {
    if (isMoved) return;
    isMoved = true;
    fs.renameSync(world.path('b.log'), world.path('kept.log'));
    fs.writeFileSync(world.path('b.log'), 'of another\n');
    fs.truncateSync(world.path('c.log'), 0);
  };
  const paths = Object.keys(files).map((name) => world.path(name));
  const done = await running.input.import({ paths }, { signal: new AbortController().signal, progress });
  const [a, b, c] = done.map(({ refusal }) => refusal);
  assert.deepEqual([a, b], [null, 'Cannot read all of it: another file has its name by now']);
  assert.match(c ?? '', /it was cut/);
  assert.ok(!world.intake.lines.includes('of another'));
});
