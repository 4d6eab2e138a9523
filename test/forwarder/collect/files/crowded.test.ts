// More files than may be open, more names than are looked at, and lines that are nothing but line ends: whoever may
// write to a folder of logs takes nothing from others.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { SourceBudgets } from '#forwarder/collect/sources/source-budgets.ts';
import type { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FileWorld } from './file-world.ts';

test('more files than may be open are all read, once each, and read on', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const FILES = 12;
  const names = Array.from({ length: FILES }, (_, n) => world.path(`a${n}.log`));
  for (const name of names) fs.writeFileSync(name, `${name} 1\n`);
  await using running = world.start({}, { openFilesMax: 4 });
  let openMax = 0;
  const { input } = running;
  const reads = async (count: number): Promise<void> => {
    await world.until(() => {
      openMax = Math.max(openMax, input.figures.open);
      return world.intake.held.size >= count;
    });
  };
  await reads(FILES);
  for (const name of names) fs.appendFileSync(name, `${name} 2\n`);
  await reads(2 * FILES);
  // A parked file that is written anew, one that is truncated, one that is renamed and goes on under its old name.
  const [same, shorter, renamed] = names as [string, string, string];
  fs.writeFileSync(same, fs.readFileSync(same, 'utf8').replaceAll('a0', 'b0'));
  fs.writeFileSync(shorter, 'new\n');
  fs.renameSync(renamed, `${renamed}.1`);
  fs.writeFileSync(renamed, `${renamed} 3\n`);
  await reads(2 * FILES + 4);
  assert.equal(new Set(world.intake.lines).size, 2 * FILES + 4);
  assert.ok(openMax <= 4, `${openMax} were open`);
  assert.equal(world.intake.repeats, 0);
  assert.ok(world.told.some(({ event }) => event === 'collect_files_wait'));
  assert.ok(!world.told.some(({ event }) => event === 'file_unreadable' || event === 'file_content_lost'));
});

test('a copy of a parked file adds nothing', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const names = Array.from({ length: 6 }, (_, n) => world.path(`c${n}.log`));
  for (const name of names) fs.writeFileSync(name, `${name} 1\n${name} 2\n`);
  await using running = world.start({}, { openFilesMax: 3 });
  await world.until(() => world.intake.held.size === 12 && running.input.figures.waiting === 0);
  for (const name of names) fs.copyFileSync(name, `${name}.1`);
  const isCopy = (detail: object): boolean => 'how' in detail && detail.how === 'copy of a file that is there';
  await world.until(() => world.details.filter(isCopy).length === names.length);
  for (const name of names) fs.appendFileSync(name, `${name} 3\n`);
  await world.until(() => names.every((name) => world.intake.lines.includes(`${name} 3`)));
  assert.equal(world.intake.held.size, 18);
});

test('lines of a few bytes are held back, of a source and of all; others are not', () => {
  const clock = new VirtualClock();
  const told: string[] = [];
  const telemetry = { heldBack: (path: string) => void told.push(path) } as unknown as FileTelemetry;
  const budgets = new SourceBudgets({ clock, telemetry });
  const feeds = budgets.of('feeds', undefined);
  const usual = budgets.of('usual', undefined);
  usual.spend(4096 * 100, 4096);
  usual.spend(16, 1);
  feeds.spend(0, 100_000, 100_000);
  assert.deepEqual([feeds.waitMs(), usual.waitMs()], [0, 0]);
  feeds.spend(4096, 4096);
  assert.ok(feeds.waitMs() > 3000 && feeds.waitMs() < 4096);
  assert.equal(usual.waitMs(), 0);
  assert.deepEqual([...new Set(told)], ['feeds']);
  // Many of them together.
  const many = Array.from({ length: 20 }, (_, n) => budgets.of(`many ${n}`, undefined));
  for (const budget of many) budget.spend(100_000, 100_000);
  assert.ok(many.every((budget) => budget.waitMs() > 3000));
  assert.equal(usual.waitMs(), 0);
});

test('of a file of line ends some thousands are read at once', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  fs.writeFileSync(world.path('feeds.log'), '\n'.repeat(300_000));
  fs.writeFileSync(world.path('small.log'), 'small\n');
  await using _running = world.start();
  await world.until(() => world.told.some(({ event }) => event === 'file_held_back'));
  await world.until(() => world.intake.lines.includes('small'));
  assert.ok(world.intake.held.size < 200_000, `${world.intake.held.size} lines`);
});

test(
  'files that are longer than anybody wrote keep nothing from others, and go on behind the hole',
  { timeout: 60_000 },
  async () => {
    await using world = new FileWorld();
    const sparse = Array.from({ length: 10 }, (_, n) => world.path(`sparse${n}.log`));
    for (const path of sparse) {
      fs.writeFileSync(path, 'before\n');
      fs.truncateSync(path, 1e12);
    }
    const hole = world.path('hole.log');
    fs.writeFileSync(hole, 'before the hole\n');
    fs.truncateSync(hole, 50_000_000);
    fs.appendFileSync(hole, 'behind the hole\n');
    const good = world.path('good.log');
    fs.writeFileSync(good, 'good 1\n');
    const running = world.start();
    await world.until(() => world.intake.lines.includes('good 1') && world.intake.lines.includes('behind the hole'));
    fs.appendFileSync(good, 'good 2\n');
    fs.appendFileSync(hole, 'and on\n');
    await world.until(() => world.intake.lines.includes('good 2') && world.intake.lines.includes('and on'));
    assert.equal(world.intake.repeats, 0);
    await running[Symbol.asyncDispose]();
    await using _ = world.start();
    fs.appendFileSync(hole, 'after a restart\n');
    await world.until(() => world.intake.lines.includes('after a restart'));
    assert.equal(world.intake.lines.filter((line) => line.includes('hole')).length, 2);
  },
);

test('files that are held back keep no descriptor from others, and are read on', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const floods = ['a.log', 'b.log', 'c.log'].map((name) => world.path(name));
  for (const path of floods) fs.writeFileSync(path, '\n'.repeat(200_000));
  await using _ = world.start({}, { openFilesMax: 2 });
  await world.until(() => world.told.filter(({ event }) => event === 'file_held_back').length >= 2);
  fs.writeFileSync(world.path('good.log'), 'good 1\ngood 2\n');
  await world.until(() => world.intake.lines.includes('good 2'));
  // All of the floods go on.
  const { size } = world.intake.held;
  await world.until(() => world.intake.held.size > size + 5 * 4096);
  assert.equal(world.intake.repeats, 0);
});
