// The bound of the store's size: the oldest by arrival go, and nothing else; the files stay near it, whatever is
// written, read or opened with another bound.

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { defaultOfDisk } from '#shared/store/embedded/space/bound-default.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { StoreBounded, StoreSpace } from '#shared/store/store.ts';
import { bulkRequest, type TestDocument, testId } from '#test/contract/store-bodies.ts';
import { makeOldStore } from '../old-store.ts';
import { DOCUMENTS, incompressible } from './incompressible.ts';

const MIB = 2 ** 20;
const DAY_MS = 86_400_000;
/** A block of these documents has 3 MiB at most: what goes at once. */
const BOUND = 8 * MIB;
/** What the files may have beyond the bound: a bulk request, a step of deletion, and their log. */
const SLACK = 1.5 * MIB;
const MANY = 90;

interface Opened {
  readonly store: EmbeddedStore;
  readonly dataDir: string;
  readonly deleted: { age: number; size: number; bytes: number };
  readonly bounded: StoreBounded[];
  readonly told: string[];
  space: StoreSpace | null;
}

async function opened(t: TestContext, bytesMax?: number, place?: string): Promise<Opened> {
  const dataDir = place ?? (await mkdtemp(join(tmpdir(), 'sluice-bound-')));
  const told: string[] = [];
  const warn = (message: string) => told.push(message);
  const store = await openEmbeddedStore({
    dataDir,
    readOnly: false,
    retentionMs: DAY_MS,
    bytesMax,
    clock: systemClock,
    warn,
  });
  const it: Opened = { store, dataDir, deleted: { age: 0, size: 0, bytes: 0 }, bounded: [], told, space: null };
  store.watchSpace({
    measured: (space) => void (it.space = space),
    deleted(why, documents, bytes) {
      it.deleted[why] += documents;
      it.deleted.bytes += bytes;
    },
    bounded: (bounded) => void it.bounded.push(bounded),
  });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    if (place === undefined) await rm(dataDir, { recursive: true, force: true });
  });
  return it;
}

const write = async (store: EmbeddedStore, documents: readonly TestDocument[]): Promise<Set<number>> =>
  new Set((await store.bulk(bulkRequest(documents))).map(({ status }) => status));

async function sizeOnDisk(dataDir: string): Promise<number> {
  const sizes = await Promise.all(
    ['', '-wal'].map(async (suffix) => (await stat(join(dataDir, 'store', `documents.sqlite${suffix}`))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Number of each request → how many of its documents are there. */
async function there(store: EmbeddedStore): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for await (const { documents } of store.pages({ order: 'oldest', limit: Infinity }))
    for (const { id } of documents) {
      const number = Number.parseInt(id.slice(0, 32), 16);
      found.set(number, (found.get(number) ?? 0) + 1);
    }
  return found;
}

it('deletes the oldest by arrival when its files pass the bound, tells it, and stays there', async (t) => {
  const opening = await opened(t, BOUND);
  const { store, dataDir, deleted, bounded, told } = opening;
  let most = 0;
  for (let number = 1; number <= MANY; number++) {
    assert.deepEqual(await write(store, incompressible(number)), new Set([201]));
    most = Math.max(most, await sizeOnDisk(dataDir));
  }
  await store[Symbol.asyncDispose]();
  assert(most > BOUND * 0.8, `it had ${most} at most`);
  assert(most < BOUND + SLACK, `it had ${most} at most`);
  await using again = await openEmbeddedStore({ dataDir, readOnly: true, retentionMs: DAY_MS, clock: systemClock });
  const found = await there(again);
  const left = [...found.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(left + deleted.size, MANY * DOCUMENTS);
  // What came last is there, and nothing before what is there.
  const oldest = Math.min(...found.keys());
  assert.deepEqual(
    [...found.keys()].toSorted((a, b) => a - b),
    Array.from({ length: MANY + 1 - oldest }, (_, i) => oldest + i),
  );
  assert(oldest > MANY - 50 && oldest < MANY - 20, `the oldest is ${oldest}`);
  assert.equal(deleted.age, 0);
  assert(deleted.bytes > 35 * DOCUMENTS * 3000, `${deleted.bytes} bytes were given back`);
  assert.equal(
    bounded.reduce((sum, { documents }) => sum + documents, 0),
    deleted.size,
  );
  for (const { bytesMax, untilMs } of bounded) {
    assert.equal(bytesMax, BOUND);
    assert(untilMs !== null && untilMs > Date.UTC(2026, 0, 1) && untilMs <= Date.UTC(2026, 0, 1) + oldest * 1000);
  }
  assert.deepEqual(told, []);
  assert.equal(opening.space?.bytesMax, BOUND);
  assert((opening.space?.oldestMs ?? 0) > Date.UTC(2026, 0, 1));
});

it('goes by arrival, not by the times in documents', async (t) => {
  const { store } = await opened(t, BOUND);
  // The first ones are of the future, the later ones of long ago.
  for (let number = 1; number <= 5; number++) await write(store, incompressible(number, '2099-01-01T00:00:00Z'));
  for (let number = 6; number <= 60; number++)
    await write(store, incompressible(number, number > 55 ? '1971-01-01T00:00:00Z' : undefined));
  const found = await there(store);
  const whole = (numbers: readonly number[]) => numbers.map((number) => found.get(number) ?? 0);
  assert.deepEqual(whole([1, 2, 3, 4, 5]), [0, 0, 0, 0, 0]);
  assert.deepEqual(whole([54, 56, 57, 58, 59, 60]), Array(6).fill(DOCUMENTS));
});

it('counts what is deleted as never seen: a late repeat is there again', async (t) => {
  const { store, deleted } = await opened(t, BOUND);
  for (let number = 1; number <= 60; number++) await write(store, incompressible(number));
  assert(deleted.size > 0);
  const found = await there(store);
  const gone = Array.from({ length: 60 }, (_, i) => i + 1).filter((number) => !found.has(number));
  assert(gone.length > 5);
  assert.deepEqual(await write(store, incompressible(gone[0] ?? 0)), new Set([201]));
  assert.deepEqual(await write(store, incompressible(60)), new Set([409]));
});

it('is smaller after it was opened with a lower bound', async (t) => {
  const first = await opened(t);
  for (let number = 1; number <= MANY; number++) await write(first.store, incompressible(number));
  await first.store[Symbol.asyncDispose]();
  const before = await sizeOnDisk(first.dataDir).catch(() => 0);
  const { store, deleted, bounded, dataDir } = await opened(t, BOUND, first.dataDir);
  await whenQuiet(store, () => bounded.length > 0);
  assert(deleted.size > 1000);
  await write(store, incompressible(1000));
  await store[Symbol.asyncDispose]();
  const after = (await stat(join(dataDir, 'store', 'documents.sqlite'))).size;
  assert(after < BOUND && (before === 0 || after < before / 2), `${before} before, ${after} after`);
});

it('keeps what was written last, whatever the bound, and says so', async (t) => {
  const { store, told } = await opened(t, MIB / 4);
  for (let number = 1; number <= 4; number++) {
    assert.deepEqual(await write(store, incompressible(number, undefined, 150)), new Set([201]));
    const found = await there(store);
    assert.equal(found.get(number), 150, `after request ${number}`);
  }
  await whenQuiet(store, () => told.length > 0);
  assert.match(told[0] ?? '', /larger than store\.max_bytes even with nothing but what was written last/);
  assert.equal(told.length, 1);
});

it('deletes nothing for a log that a reader keeps, and is small again after it', async (t) => {
  const { store, dataDir, deleted } = await opened(t, BOUND);
  for (let number = 1; number <= 10; number++) await write(store, incompressible(number));
  const reader = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { readOnly: true });
  reader.exec('BEGIN');
  const count = () => Number(reader.prepare('SELECT sum(documents) AS n FROM blocks').get()?.['n']);
  const seen = count();
  for (let number = 11; number <= MANY; number++) await write(store, incompressible(number));
  assert.equal(count(), seen, 'the reader sees its state');
  assert((await stat(join(dataDir, 'store', 'documents.sqlite-wal'))).size > BOUND);
  const left = [...(await there(store)).values()].reduce((sum, n) => sum + n, 0);
  assert.equal(left, MANY * DOCUMENTS - deleted.size);
  assert(left * 3000 > BOUND / 3, `${left} documents are left`);
  reader.exec('COMMIT');
  reader.close();
  for (let number = 101; number <= 130; number++) await write(store, incompressible(number));
  assert((await sizeOnDisk(dataDir)) < BOUND + SLACK, `${await sizeOnDisk(dataDir)} bytes`);
});

it('waits for the conversion of an older store, which is larger than its blocks', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bound-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const words = 'the quick brown fox jumps over the lazy dog '.repeat(60);
  makeOldStore(
    dataDir,
    Array.from({ length: 4000 }, (_, i) => ({
      id: testId(i, 0),
      tag: 'tag',
      source: JSON.stringify({ '@timestamp': new Date(Date.UTC(2026, 0, 1) + i).toISOString(), message: words + i }),
    })),
    3,
  );
  assert((await stat(join(dataDir, 'store', 'documents.sqlite'))).size > 8 * MIB);
  const { store, deleted } = await opened(t, 8 * MIB, dataDir);
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { readOnly: true });
  const isConverted = () =>
    file.prepare("SELECT 1 FROM sqlite_schema WHERE name LIKE 'documents%'").get() === undefined;
  await whenQuiet(store, isConverted);
  file.close();
  assert.equal(deleted.size, 0);
  assert.equal((await there(store)).size, 4000);
  await store[Symbol.asyncDispose]();
  assert((await stat(join(dataDir, 'store', 'documents.sqlite'))).size < 4 * MIB);
});

it('takes 10 GiB, or a tenth of the disk if that is less', () => {
  const check = (disk: number, expected: number) => assert.equal(defaultOfDisk(disk), expected);
  check(2 ** 50, 10 * 2 ** 30);
  check(50 * 2 ** 30, 5 * 2 ** 30);
  check(100 * MIB, 16 * MIB);
  check(0, 10 * 2 ** 30);
  check(Number.NaN, 10 * 2 ** 30);
});

/** Until the store, which works beside requests, has come so far. */
async function whenQuiet(store: EmbeddedStore, isDone: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isDone())) await store.ping();
}
