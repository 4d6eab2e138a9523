// A file that floods the others takes nothing from them, with a budget or without one.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Reader, ReadingTurns } from '#forwarder/collect/turns/reading-turns.ts';
import { SourceBudgets } from '#forwarder/collect/sources/source-budgets.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FileWorld, ROOM, type Running } from './file-world.ts';

const FLOOD_LINE = `${'f'.repeat(999)}\n`;

function flood(world: FileWorld, lines: number): void {
  fs.writeFileSync(world.path('flood.log'), FLOOD_LINE.repeat(lines));
}

/** Always has more, or so many turns; remembers whose turn it was. */
class FakeReader implements Reader {
  turns = 0;
  readonly #turnsMax: number;
  readonly #wait: number;

  constructor(turnsMax = Number.POSITIVE_INFINITY, wait = 0) {
    this.#turnsMax = turnsMax;
    this.#wait = wait;
  }

  waitMs(): number {
    return this.#wait;
  }

  async turn(): Promise<boolean> {
    this.turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return this.turns < this.#turnsMax;
  }
}

test('turns go round: a flood has one while each other has one', async () => {
  const stop = new AbortController();
  const turns = new ReadingTurns({ room: ROOM, clock: new VirtualClock(), signal: stop.signal });
  const floods = Array.from({ length: 12 }, () => new FakeReader());
  const small = Array.from({ length: 50 }, () => new FakeReader(5));
  // They would have all slots if they waited in them.
  const held = Array.from({ length: 20 }, () => new FakeReader(1, 1000));
  for (const reader of [...floods, ...held, ...small]) turns.wake(reader);
  while (small.some((reader) => reader.turns < 5)) await new Promise((resolve) => setImmediate(resolve));
  for (const reader of floods) assert.ok(reader.turns <= 7, `${reader.turns} turns`);
  for (const reader of held) assert.deepEqual([reader.turns, turns.isBusy(reader)], [0, true]);
  stop.abort();
  await turns.ended();
});

test('one that has a budget is held back, told of, and loses nothing', async () => {
  await using world = new FileWorld();
  flood(world, 1000);
  fs.writeFileSync(world.path('small.log'), 'small\n');
  await using running = world.start({ max_bytes_per_second: 400_000 });
  await world.until(() => world.told.some(({ event }) => event === 'file_held_back'));
  assert.ok(world.intake.held.size < 1001);
  // Others have budgets of their own.
  await world.until(() => world.intake.lines.includes('small'));
  const told = world.told.filter(({ event }) => event === 'file_held_back');
  assert.deepEqual(
    told.map(({ path }) => path),
    [world.path('flood.log')],
  );
  await world.untilLines(1001);
  assert.equal(world.intake.repeats, 0);
  const { body } = await running.metrics.render();
  assert.match(body, /collect_held_back_seconds_total [0-9.]*[1-9]/);
});

test('lines pay with what was written for them: how many come at once, and then in a second', () => {
  const check = (line: { bytes: number; written?: number }, atOnce: number, perSecond: number): void => {
    const clock = new VirtualClock();
    const budget = new SourceBudgets({ clock, telemetry: { heldBack() {} } }).of('/a.log', undefined);
    const spend = (lines: number): void =>
      budget.spend(lines * line.bytes, lines, line.written === undefined ? undefined : lines * line.written);
    if (atOnce === Infinity) {
      spend(100_000_000);
      return assert.equal(budget.waitMs(), 0);
    }
    spend(atOnce);
    assert.equal(budget.waitMs(), 0);
    spend(perSecond);
    assert.equal(budget.waitMs(), 1000);
  };
  check({ bytes: 100 }, Infinity, 0);
  check({ bytes: 16 }, Infinity, 0);
  check({ bytes: 8 }, 200_000, 2000);
  // Compressed, as logs are: 100:1 and 400:1.
  check({ bytes: 100, written: 1 }, Infinity, 0);
  check({ bytes: 100, written: 0.25 }, Infinity, 0);
  // Equal lines, and such as nobody wrote: the file lost its last byte, and is another one now.
  check({ bytes: 100, written: 0 }, 500_000, 5000);
  check({ bytes: 8, written: 0 }, 20_000, 200);
  // A few bytes that do not compress.
  check({ bytes: 8, written: 1 }, 200_000, 2000);
});

/** A file that is collected, and then one of these bytes that rotation has compressed. */
async function startRotated(world: FileWorld, unpacked: Uint8Array): Promise<Running> {
  fs.writeFileSync(world.path('a.log'), 'live\n');
  const running = world.start();
  await world.untilLines(1);
  fs.writeFileSync(world.path('a.log.1.gz'), gzipSync(unpacked));
  return running;
}

test('a rotated file of 519 bytes that unpacks to 500,000 lines is held back before 20,000', async () => {
  await using world = new FileWorld();
  await using _ = await startRotated(world, Buffer.alloc(500_000, '\n'));
  await world.until(() => world.told.some(({ event }) => event === 'file_held_back'));
  assert.ok(world.intake.held.size < 20_000, `${world.intake.held.size} lines`);
});

test('a rotated file that is compressed as logs are is not held back', async () => {
  await using world = new FileWorld();
  const lines = Array.from({ length: 30_000 }, (_, n) => `2026-11-23 05:00:${10 + (n % 50)} INFO ${n} was served\n`);
  await using _ = await startRotated(world, Buffer.from(lines.join('')));
  await world.untilLines(lines.length + 1);
  assert.ok(!world.told.some(({ event }) => event === 'file_held_back'));
});

test('a file that is cut by a line again and again is held back', async () => {
  await using world = new FileWorld();
  const lines = 30_000;
  const path = world.path('a.log');
  fs.writeFileSync(path, 'a\n'.repeat(lines));
  await using _ = world.start();
  await world.untilLines(lines);
  assert.ok(!world.told.some(({ event }) => event === 'file_held_back'));
  fs.truncateSync(path, 2 * (lines - 1));
  await world.until(() => world.told.some(({ event }) => event === 'file_held_back'));
  assert.ok(world.intake.held.size < lines + 20_000);
});
