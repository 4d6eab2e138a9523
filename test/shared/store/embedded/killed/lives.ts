// Lives of data folders: a process writes by the whole path and is killed at random, again and again, with what else
// may happen to it; in the end it is drained, and what is there is told.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#shared/clock.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { type Life, messageOf, TAG } from './numbered-batches.ts';
import { Pipeline } from './pipeline.ts';

export interface Lived {
  /** Batches that the queue had, in the order in which it said so. */
  readonly held: Set<number>;
  /** What the processes told operators. */
  readonly told: string[];
  /** Processes that ended by themselves: they could not open what they need. */
  refused: number;
}

const ANSWERS_MAX = 150;
const ALIVE_MS_MAX = 600;
/** Of the kills, how many come at any moment of a start. */
const AT_START = 0.1;
const START_MS = 400;
const LOOK_MS = 10;

/** One process, up to its kill. `random`: a number in [0, 1). */
export async function liveAndDie(life: Life, lived: Lived, random: () => number): Promise<void> {
  const first = Math.max(0, ...lived.held) + 100;
  const script = new URL('./dying-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, JSON.stringify(life), String(first)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const isAtStart = random() < AT_START;
  const [answers, aliveMs, startMs] = [1 + random() * ANSWERS_MAX, random() * ALIVE_MS_MAX, random() * START_MS];
  if (isAtStart) killAfter(child, startMs);
  let stderr = '';
  child.stderr.on('data', (bytes) => (stderr += String(bytes)));
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('told ')) lived.told.push(line.slice(5));
    else if (line !== 'ready') {
      lived.held.add(Number(line));
      if (++seen >= answers) child.kill('SIGKILL');
    } else if (!isAtStart) killAfter(child, aliveMs + 100);
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  if (signal === 'SIGKILL') return;
  lived.told.push(`ended with ${code}: ${stderr}`);
  lived.refused += 1;
}

function killAfter(child: ChildProcess, ms: number): void {
  void delay(ms).then(() => child.kill('SIGKILL'));
}

export interface Found {
  /** Number of a batch → how many of its documents are there. */
  readonly batches: ReadonlyMap<number, number>;
  /** Ids of documents that no process of this life wrote. */
  readonly others: ReadonlySet<string>;
}

/** Once all in the queue has its outcome: each document is there once, as it was sent, and the files are whole. */
export async function foundAfter(life: Life): Promise<Found> {
  {
    await using pipeline = await Pipeline.open({ ...life, compacts: false }, () => undefined);
    const { drained, left, counts } = await pipeline.drain();
    assert(drained, left ?? '');
    // A life may end before all of an older store is converted.
    while ((await pipeline.store.files.summary()).oldDocuments > 0) await delay(LOOK_MS);
    for (const { topic } of [{ topic: 'dead-letters' }] as const)
      for await (const _ of pipeline.queue.read({ topic })) assert.fail(`a dead letter: ${JSON.stringify(counts)}`);
  }
  const { dataDir, retentionMs } = life;
  await using store = await openEmbeddedStore({ dataDir, retentionMs, readOnly: true, clock: systemClock });
  const { lastRow, documents } = await store.files.summary();
  for await (const { damage } of store.files.verify(lastRow)) assert.deepEqual(damage, []);
  assert.deepEqual(await store.files.counts(), { damage: [], remarks: [] });
  const ids = new Set<string>();
  const batches = new Map<number, number>();
  const others = new Set<string>();
  const events = new Set<string>();
  for await (const page of store.pages({ order: 'oldest', limit: Infinity }))
    for (const { id, source } of page.documents) {
      assert(!ids.has(id), `${id} is there twice`);
      ids.add(id);
      const { message, fluentd } = source as { message: string; fluentd?: { tag: string } };
      if (fluentd?.tag !== TAG) {
        others.add(id);
        continue;
      }
      const [, number, index] = message.split(' ').map(Number) as [number, number, number];
      assert.equal(message, messageOf(number, index, life.messageBytes));
      assert(!events.has(`${number} ${index}`), `event ${number} ${index} is there twice`);
      events.add(`${number} ${index}`);
      batches.set(number, (batches.get(number) ?? 0) + 1);
    }
  assert.equal(ids.size, documents);
  return { batches, others };
}

/** A disk that somebody else fills up, all but a little. */
export async function fill(folder: string, leftBytes: number): Promise<void> {
  const ballast = join(folder, 'ballast');
  await rm(ballast, { force: true });
  const { bavail, bsize } = await statfs(folder);
  await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes))).catch(() => undefined);
}

export async function empty(folder: string): Promise<void> {
  await rm(join(folder, 'ballast'), { force: true });
}
