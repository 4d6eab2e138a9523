// A file that floods the others takes nothing from them, with a budget or without one.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { type Reader, ReadingTurns } from '#forwarder/collect/files/reading-turns.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FileWorld, ROOM } from './file-world.ts';

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
