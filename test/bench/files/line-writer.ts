// FOLDER FILES RATE SECONDS: writes so many lines a second to so many files in turns, each by a write of its own, with
// the time of that write in it. By the clock: who is held up catches up. Prints `ready` when all files are there, and
// begins when told by a byte; at the end, how many lines it wrote, and by how much it was late at worst.

import { once } from 'node:events';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { nameOf } from './backlog.ts';
import { Chance, lineOf } from './lines.ts';

const TICK_MS = 1;
const [folder = '', files = '', rate = '', seconds = ''] = process.argv.slice(2);
const fileCount = Number(files);
const perMs = Number(rate) / 1000;
const total = Math.round(Number(rate) * Number(seconds));
const descriptors = Array.from({ length: fileCount }, (_, file) => openSync(join(folder, nameOf(file)), 'a'));
const chances = descriptors.map((_, file) => new Chance(file));

process.stdout.write('ready\n');
await once(process.stdin, 'data');
const began = performance.now();
let written = 0;
let lateMs = 0;
let timeMs = 0;
let time = '';
while (written < total) {
  const dueLines = Math.min(total, Math.floor((performance.now() - began) * perMs));
  for (; written < dueLines; written += 1) {
    const nowMs = Date.now();
    if (nowMs !== timeMs) time = new Date(nowMs).toISOString();
    timeMs = nowMs;
    const file = written % fileCount;
    const chance = chances[file];
    const descriptor = descriptors[file];
    if (chance === undefined || descriptor === undefined) throw new Error('there is such a file');
    writeSync(descriptor, lineOf(time, file, Math.floor(written / fileCount), chance));
  }
  lateMs = Math.max(lateMs, performance.now() - began - written / perMs);
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
process.stdout.write(JSON.stringify({ lines: written, lateMs }));
process.exit(0);
