// What the store does by itself, beside requests: blocks are merged, whatever fails is told and tried again, and an
// erasure meets blocks that are merged meanwhile.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { EmbeddedEraser } from '#shared/store/embedded/eraser.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { StoreUpkeep } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { requestOf, sizeOf } from './numbered-requests.ts';

const DAY_MS = 86_400_000;
const ALL = { order: 'oldest', limit: Infinity } as const;

async function opened(t: TestContext, told: string[] = []): Promise<{ store: EmbeddedStore; file: DatabaseSync }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-upkeep-'));
  const warn = (message: string) => told.push(message);
  const store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: DAY_MS, clock: systemClock, warn });
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'), { timeout: 10_000 });
  t.after(async () => {
    file.close();
    await store[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  });
  return { store, file };
}

it('merges what comes in small pieces; where it cannot, it says so once, and tries again', async (t) => {
  const told: string[] = [];
  const { store, file } = await opened(t, told);
  const failed: StoreUpkeep[] = [];
  store.watchUpkeep((work) => failed.push(work));
  const blocks = (): number => Number(file.prepare('SELECT count(*) AS n FROM blocks').get()?.['n']);
  file.exec("CREATE TRIGGER held BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'held fast'); END");
  for (let number = 1; number <= 100; number++) await store.bulk(bulkRequest(requestOf(number)));
  assert.equal(blocks(), 100);
  assert(failed.length > 3 && failed.every((work) => work === 'merge'), failed.join());
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0] ?? '', /^Cannot merge blocks of the embedded store: .*held fast.*; it is tried again$/);
  file.exec('DROP TRIGGER held');
  for (let number = 101; number <= 120; number++) await store.bulk(bulkRequest(requestOf(number)));
  const documents = Array.from({ length: 120 }, (_, i) => sizeOf(i + 1)).reduce((sum, size) => sum + size, 0);
  assert.equal((await store.search(ALL)).length, documents);
  assert(blocks() < 90, `${blocks()} blocks`);
  assert.equal(told.length, 1);
});

it('erases what was there when it began, though old and new are merged into the same blocks', async (t) => {
  const { store } = await opened(t);
  const write = (batch: number, count: number, who: string): Promise<unknown> =>
    store.bulk(
      bulkRequest(
        Array.from({ length: count }, (_, i) => ({
          id: testId(batch, i),
          index: 'logs-sluice-default',
          document: { '@timestamp': '2026-03-01T00:00:00Z', message: `secret of ${who}` },
        })),
      ),
    );
  for (let batch = 0; batch < 75; batch++) await write(batch, batch < 15 ? 40 : 1, 'old');
  let steps = 0;
  let erased = 0;
  for await (const step of new EmbeddedEraser(store).erase({ text: 'secret' })) {
    erased += step.erased;
    if (++steps === 1) for (let i = 0; i < 8; i++) await write(1000 + i, i < 2 ? 500 : 30, 'new');
  }
  assert.equal(erased, 660);
  assert.equal((await store.search({ ...ALL, text: 'old' })).length, 0);
  assert.equal((await store.search({ ...ALL, text: 'new' })).length, 1180);
});

it('keeps documents of far times in blocks of their own, also when they are merged', async (t) => {
  const { store, file } = await opened(t);
  const start = Date.UTC(2026, 0, 1);
  for (let batch = 0; batch < 70; batch++) {
    const timeOf = (i: number): string =>
      i === 7
        ? '2099-01-01T00:00:00Z'
        : i === 8
          ? '1970-01-01T00:00:01Z'
          : new Date(start + batch * 1000).toISOString();
    await store.bulk(
      bulkRequest(
        Array.from({ length: 60 }, (_, i) => ({
          id: testId(batch, i),
          index: 'logs-sluice-default',
          document: { '@timestamp': timeOf(i), message: 'line' },
        })),
      ),
    );
  }
  const [{ wide, all } = {}] = file
    .prepare('SELECT coalesce(sum(time_max - time_min > 3600000000000), 0) AS wide, count(*) AS "all" FROM blocks')
    .all();
  assert.equal(wide, 0);
  assert(Number(all) < 60, `${String(all)} blocks`);
  assert.equal((await store.search(ALL)).length, 70 * 60);
});

it('ends each block once, though two have the store open', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-upkeep-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const options = { folder: join(dataDir, 'store'), readOnly: false, retentionMs: DAY_MS, namesMax: 10 };
  const one = new DocumentDatabase(options);
  const other = new DocumentDatabase(options);
  const write = (batch: number): void => {
    const { body, items } = bulkRequest(requestOf(batch));
    const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
    const ids = items.map(({ id }) => id);
    one.write({ body, ids, bounds, streams: new Uint16Array(ids.length), streamNames: ['logs-sluice-default'] });
  };
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  const counted = () => file.prepare('SELECT sum(documents) AS n FROM origins').get()?.['n'];
  const expire = (database: DocumentDatabase, days: number): number =>
    database.expire({ now: { epochMs: 2e12 + days * DAY_MS, monotonicMs: days * DAY_MS }, limit: 10_000 }).documents;
  write(99);
  for (const database of [one, other]) expire(database, 0);
  write(102);
  // What the other reads of the old block before its transaction, the one ends before that begins.
  const { exec } = DatabaseSync.prototype;
  let begun = 0;
  let ended = 0;
  t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    // The first is that of the age marks.
    if (sql === 'BEGIN IMMEDIATE' && ++begun === 2) ended = expire(one, 2);
    exec.call(this, sql);
  });
  const endedByOther = expire(other, 2);
  assert.deepEqual([ended, endedByOther], [sizeOf(99), 0]);
  assert.equal(counted(), sizeOf(102));
  for (const database of [one, other, file]) database.close();
});

it('says of an erasure what may be meant and cannot be read', async (t) => {
  const { store, file } = await opened(t);
  await store.bulk(bulkRequest(requestOf(99)));
  await store.bulk(bulkRequest(requestOf(102)));
  const { id } = file.prepare('SELECT min(id) AS id FROM parts WHERE id % 1024 = 1').get() ?? {};
  file.prepare("UPDATE parts SET data = CAST(data || x'00' AS BLOB) WHERE id = ?").run(Number(id));
  const steps = [];
  for await (const step of new EmbeddedEraser(store).erase({ text: 'line' })) steps.push(step);
  assert.equal(
    steps.reduce((sum, { erased }) => sum + erased, 0),
    sizeOf(102),
  );
  assert.deepEqual(
    steps.flatMap(({ refused }) => [...refused.values()]),
    [sizeOf(99)],
  );
});
