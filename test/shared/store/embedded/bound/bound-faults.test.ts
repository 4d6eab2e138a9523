// A bound and what may happen to it: kills while the oldest are deleted, a disk that is full meanwhile, and a deletion
// that cannot be done.
//
// SLUICE_TEST_KILLS: how often a writing process is killed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { StoreUpkeep } from '#shared/store/store.ts';
import { bulkRequest, type TestDocument } from '#test/contract/store-bodies.ts';
import { tmpfs } from '#test/shared/queue/file-systems.ts';
import { DOCUMENTS, incompressible } from './incompressible.ts';

const MIB = 2 ** 20;
const DAY_MS = 86_400_000;
const BOUND = 4 * MIB;
const KILLS = Number(process.env['SLUICE_TEST_KILLS'] ?? 4);

interface Opening {
  readonly bytesMax?: number;
  readonly readOnly?: boolean;
  readonly warn?: (message: string) => void;
}

const open = (dataDir: string, { readOnly = false, ...more }: Opening = {}): Promise<EmbeddedStore> =>
  openEmbeddedStore({ dataDir, readOnly, retentionMs: DAY_MS, clock: systemClock, ...more });

const write = async (store: EmbeddedStore, documents: readonly TestDocument[]): Promise<Set<number>> =>
  new Set((await store.bulk(bulkRequest(documents))).map(({ status }) => status));

/** That every block, name and count agrees, as `sluice store verify` looks at them. Returns the ids. */
async function checkedIds(dataDir: string): Promise<Set<string>> {
  await using store = await open(dataDir, { readOnly: true });
  const { lastRow, documents } = await store.files.summary();
  for await (const { damage } of store.files.verify(lastRow)) assert.deepEqual(damage, []);
  assert.deepEqual(await store.files.counts(), { damage: [], remarks: [] });
  const ids = new Set<string>();
  for await (const page of store.pages({ order: 'oldest', limit: Infinity }))
    for (const { id } of page.documents) ids.add(id);
  assert.equal(ids.size, documents, 'each is there once');
  return ids;
}

it(`agrees with itself after ${KILLS} kills while the oldest are deleted`, { timeout: 3_600_000 }, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
  t.after(() => rm(dataDir, { recursive: true }));
  let last = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    last = await writeUntilKilled(dataDir, last + 1, 25 + ((kill * 7) % 20));
    const ids = await checkedIds(dataDir);
    for (const { id } of incompressible(last)) assert(ids.has(id), `the last answered, ${last}, is there`);
  }
  await using store = await open(dataDir, { bytesMax: BOUND });
  assert.deepEqual(await write(store, incompressible(1)), new Set([201]), 'a repeat of what was deleted');
  assert.deepEqual(await write(store, incompressible(last)), new Set([409]), 'a repeat of what is there');
});

/** Kills a process that writes, with SIGKILL, after so many answers; returns the number that was answered last. */
async function writeUntilKilled(dataDir: string, first: number, answers: number): Promise<number> {
  const script = new URL('./bounded-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir, String(first), String(BOUND)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let [last, seen] = [0, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (++seen === answers) child.kill('SIGKILL');
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `it ended by itself with ${code}`);
  return last;
}

it('deletes the oldest on a disk that is full, and loses nothing else', async (t) => {
  const device = tmpfs(t, 'size=20m');
  if (device === null) return t.skip('no file system can be mounted');
  let last = 0;
  {
    await using store = await open(device);
    for (let number = 1; number <= 40; number++) {
      await write(store, incompressible(number));
      last = number;
    }
  }
  const ballast = join(device, 'ballast');
  const { bavail, bsize } = await statfs(device);
  await writeFile(ballast, Buffer.alloc(bavail * bsize)).catch(() => undefined);
  const told: string[] = [];
  {
    const store = await open(device, { bytesMax: BOUND, warn: (message) => told.push(message) });
    t.after(() => store[Symbol.asyncDispose]());
    const sums = { deleted: 0 };
    const deleted = (_: string, documents: number): void => void (sums.deleted += documents);
    const wanted = 15 * DOCUMENTS;
    store.watchSpace({ measured: () => undefined, deleted, bounded: () => undefined });
    for (let tries = 0; sums.deleted < wanted && tries < 2000; tries++) await store.ping();
    assert(sums.deleted >= wanted, `${sums.deleted} deleted. ${told.join('\n')}`);
    assert.deepEqual(told, []);
    await rm(ballast, { force: true });
    assert.deepEqual(await write(store, incompressible(2000)), new Set([201]));
    await store[Symbol.asyncDispose]();
  }
  const ids = await checkedIds(device);
  for (const { id } of incompressible(last)) assert(ids.has(id), 'the last of before is there');
});

it('says that it cannot delete, goes on taking documents, and deletes when it can', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
  const told: string[] = [];
  const store = await open(dataDir, { bytesMax: BOUND, warn: (message) => told.push(message) });
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { timeout: 10_000 });
  t.after(async () => {
    file.close();
    await store[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });
  const failed: StoreUpkeep[] = [];
  store.watchUpkeep((work) => failed.push(work));
  file.exec("CREATE TRIGGER held BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'held fast'); END");
  for (let number = 1; number <= 40; number++)
    assert.deepEqual(await write(store, incompressible(number)), new Set([201]));
  assert(failed.includes('bound'));
  assert.equal(
    told.filter((line) => /Cannot delete the oldest documents of .*held fast.*; it is tried again/.test(line)).length,
    1,
  );
  const count = () => Number(file.prepare('SELECT sum(documents) AS n FROM blocks').get()?.['n']);
  assert.equal(count(), 40 * DOCUMENTS);
  file.exec('DROP TRIGGER held');
  await write(store, incompressible(41));
  while (count() >= 40 * DOCUMENTS) await store.ping();
  assert(count() > 0);
});
