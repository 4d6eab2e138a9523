// A file that is compressed by a program that pauses: what it has written so far is no copy of anything yet.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FileWorld } from './file-world.ts';

const LINES = 3000;

test(
  'what a crash left of compressing a file adds nothing, while that is there and after',
  { timeout: 60_000 },
  async () => {
    await using world = new FileWorld();
    const path = world.path('a.log');
    const text = Array.from({ length: LINES }, (_, n) => `${n} ${Math.sin(n)}\n`).join('');
    fs.writeFileSync(path, text);
    await using _ = world.start({ include: [world.path('*.log{,.*}')] });
    await world.untilLines(LINES);
    fs.renameSync(path, `${path}.1`);
    const bytes = gzipSync(text);
    fs.writeFileSync(`${path}.1.gz`, bytes.subarray(0, bytes.length / 2));
    fs.utimesSync(`${path}.1.gz`, 1_700_000_000, 1_700_000_000);
    await world.until(() => world.details.some((one) => one['how'] === 'read'));
    fs.unlinkSync(`${path}.1`);
    await delay(2200);
    fs.writeFileSync(path, 'next\n');
    await world.untilLines(LINES + 1);
    assert.equal(world.intake.held.size, LINES + 1);
  },
);

test('half of a compressed file adds nothing, and nor does all of it', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const names = ['gz', 'zst'];
  const text = (name: string): string =>
    Array.from({ length: LINES }, (_, n) => `${name} ${n} ${Math.sin(n)}\n`).join('');
  for (const name of names) fs.writeFileSync(world.path(`${name}.log`), text(name));
  await using _ = world.start();
  await world.untilLines(2 * LINES);
  const packed = new Map<string, Buffer>();
  for (const name of names) {
    const path = world.path(`${name}.log`);
    fs.renameSync(path, `${path}.1`);
    fs.writeFileSync(path, `${name} next\n`);
    const bytes = name === 'gz' ? gzipSync(text(name)) : zstdCompressSync(text(name));
    packed.set(`${path}.1.${name}`, bytes);
    fs.writeFileSync(`${path}.1.${name}`, bytes.subarray(0, bytes.length / 2));
  }
  await world.untilLines(2 * LINES + 2);
  // Longer than a copy that is written lies still.
  await delay(2200);
  for (const [path, bytes] of packed) {
    fs.appendFileSync(path, bytes.subarray(bytes.length / 2));
    fs.unlinkSync(path.slice(0, path.lastIndexOf('.')));
  }
  await delay(2200);
  for (const name of names) fs.appendFileSync(world.path(`${name}.log`), `${name} last\n`);
  await world.untilLines(2 * LINES + 4);
  assert.deepEqual([world.intake.held.size, new Set(world.intake.lines).size], [2 * LINES + 4, 2 * LINES + 4]);
});
