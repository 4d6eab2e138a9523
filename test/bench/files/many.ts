// Very many files, nearly all of them quiet: 10,000 in 100 folders, then those of 10,000 pods, with two folders each.
// How long it takes until their first lines are in Kafka, the memory by then and at rest, the processor time of a
// minute in which nothing happens, and how late a new line is.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ProcessUnderTest, startUnderTest } from '../parts/child-process.ts';
import { arrivedIn } from './arrived.ts';
import { BEGAN_MS } from './backlog.ts';
import { sluice } from './collectors.ts';
import { Chance, lineOf } from './lines.ts';
import { ownTopic } from './own-topic.ts';

const FIRST_LINES = 10;
const FILES_PER_FOLDER = 100;
const SETTLE_MS = 15_000;
const IDLE_MS = 60_000;
/** New lines, each to another file; and one in so many milliseconds. */
const NEW_LINES_MAX = 1000;
const NEW_LINE_EACH_MS = 20;
const LOOK_MS = 100;
const WAIT_MS = 300_000;

interface Tree {
  readonly title: string;
  /** What the lines of the file begin with, before their own text. */
  readonly prefix: (time: string) => string;
  path(folder: string, file: number): string;
  readonly rules: (folder: string) => object;
}

const FILES: Tree = {
  title: 'files',
  prefix: () => '',
  path: (folder, file) => join(folder, `service-${Math.floor(file / FILES_PER_FOLDER)}`, `${file}.log`),
  rules: (folder) => ({ files: [{ include: [join(folder, '*', '*.log')] }] }),
};

const PODS: Tree = {
  title: 'pods',
  prefix: (time) => `${time} stdout F `,
  path: (folder, file) => join(folder, `shop_web-${file}_${uid(file)}`, 'app', '0.log'),
  rules: (folder) => ({ kubernetes: { path: folder } }),
};

export async function runMany(count: number, brokers: readonly string[]): Promise<void> {
  for (const tree of [FILES, PODS]) {
    const root = await mkdtemp(join(tmpdir(), 'sluice-bench-many-'));
    try {
      await measure(tree, { count, root, brokers });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }
}

interface Place {
  readonly count: number;
  readonly root: string;
  readonly brokers: readonly string[];
}

async function measure(tree: Tree, { count, root, brokers }: Place): Promise<void> {
  const folder = join(root, 'in');
  const firstTime = new Date(BEGAN_MS).toISOString();
  for (let file = 0; file < count; file += 1) {
    const path = tree.path(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, linesOf(tree, file, { from: 0, to: FIRST_LINES, time: firstTime }));
  }
  await using topic = await ownTopic(brokers);
  const settings = join(root, 'sluice.yaml');
  writeFileSync(settings, JSON.stringify({ collect: tree.rules(folder) }));
  const beganMs = performance.now();
  const env = { ...topic.env, SLUICE_CONFIG: settings, SLUICE_DATA_DIR: join(root, 'data') };
  await using service = await startUnderTest('forwarder', env);
  const first = count * FIRST_LINES;
  await acknowledged(service, first);
  const startSeconds = (performance.now() - beganMs) / 1000;
  const [startCpu, peakMiB] = [service.cpuSeconds(), service.peakMiB()];
  await delay(SETTLE_MS);
  const before = service.cpuSeconds();
  await delay(IDLE_MS);
  const idle = service.cpuSeconds() - before;
  const restMiB = service.residentMiB();
  const added = Math.min(count, NEW_LINES_MAX);
  await appendLines(tree, folder, added);
  await acknowledged(service, first + added);
  const arrived = await arrivedIn(topic.config, { files: count, lines: first + added, wantsDelays: true });
  // The first lines say that they are months old.
  const at = (part: number): string => `${Math.round(arrived.delaysMs[Math.floor(added * part)] ?? 0)} ms`;
  const bad = arrived.lost + arrived.doubled === 0 ? '' : `, !! ${arrived.lost} LOST, ${arrived.doubled} DOUBLED`;
  console.log(`  ${count} ${tree.title} of ${FIRST_LINES} lines: read ${startSeconds.toFixed(1)} s after the start`);
  console.log(`    CPU-seconds: ${startCpu.toFixed(1)} of the start, ${idle.toFixed(2)} of a minute at rest`);
  console.log(`    memory: peak of the start ${Math.round(peakMiB)} MiB, at rest ${Math.round(restMiB)} MiB`);
  console.log(`    delay of ${added} new lines: p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1 - 1 / added)}${bad}`);
}

/** Of files all over the tree. */
async function appendLines(tree: Tree, folder: string, count: number): Promise<void> {
  for (let file = 0; file < count; file += 1) {
    const time = new Date().toISOString();
    appendFileSync(tree.path(folder, file), linesOf(tree, file, { from: FIRST_LINES, to: FIRST_LINES + 1, time }));
    await delay(NEW_LINE_EACH_MS);
  }
}

function linesOf(tree: Tree, file: number, { from, to, time }: { from: number; to: number; time: string }): string {
  const chance = new Chance(file);
  let text = '';
  for (let number = from; number < to; number += 1) text += tree.prefix(time) + lineOf(time, file, number, chance);
  return text;
}

async function acknowledged(service: ProcessUnderTest, lines: number): Promise<void> {
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await delay(LOOK_MS))
    if ((await service.counter(sluice.acknowledged)) >= lines) return;
  throw new Error(`Kafka has not acknowledged ${lines} lines within ${WAIT_MS / 1000} s`);
}

function uid(file: number): string {
  return `00000000-0000-4000-8000-${String(file).padStart(12, '0')}`;
}
