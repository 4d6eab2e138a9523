// A copy that is made slowly, as by `copytruncate` on a busy disk: what it has so far is no other file.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from './collecting-process.ts';
import { FileWorld } from './file-world.ts';

test('half of a copy adds nothing, and nor does all of it', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const path = world.path('a.log');
  const lines = Array.from({ length: 3000 }, (_, n) => `line ${n}\n`);
  fs.writeFileSync(path, lines.join(''));
  await using _ = world.start();
  await world.untilLines(3000);
  fs.writeFileSync(`${path}.1`, lines.slice(0, 1000).join(''));
  // Longer than a copy that is whole lies still.
  await delay(2200);
  fs.appendFileSync(path, 'one more\n');
  await world.untilLines(3001);
  // The last line comes between the copy and the truncation to a few bytes, which have the same beginning.
  fs.writeFileSync(`${path}.1`, fs.readFileSync(path));
  fs.truncateSync(path);
  fs.appendFileSync(path, lines[0] ?? '');
  await world.untilLines(3002);
  await delay(2200);
  fs.appendFileSync(path, 'last\n');
  await world.untilLines(3003);
  assert.deepEqual([world.intake.held.size, new Set(world.intake.lines).size], [3003, 3002]);
});

test('nor does it where the clock is ahead by a day, and the collector was killed', { timeout: 60_000 }, async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-copying-'));
  fs.mkdirSync(join(folder, 'logs'));
  const path = join(folder, 'logs', 'a.log');
  const lines = Array.from({ length: 3000 }, (_, n) => `line ${n}\n`);
  fs.writeFileSync(path, lines.join(''));
  const collector = new Collector(folder);
  const untilHeld = async (count: number): Promise<void> => {
    while (collector.held().count < count) await delay(10);
  };
  try {
    await collector.start();
    await untilHeld(3000);
    fs.writeFileSync(`${path}.1`, lines.slice(0, 1000).join(''));
    await collector.kill();
    collector.jump(86_400_000);
    await collector.start();
    for (let n = 0; n < 4; n += 1) {
      // A part of a copy is looked at when it has lain still for a second.
      await delay(700);
      fs.appendFileSync(path, `more ${n}\n`);
      await untilHeld(3001 + n);
    }
    assert.equal(collector.held().count, 3004);
  } finally {
    await collector.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
