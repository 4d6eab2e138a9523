// What only the embedded store promises: durability, readers in other processes, retention, and clear words where it
// cannot open.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import type { Moment } from '#shared/sqlite/passed-time.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const DAY_MS = 86_400_000;
const INDEX = 'logs-sluice-default';

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const open = (dataDir: string, readOnly = false): Promise<EmbeddedStore> =>
  openEmbeddedStore({ dataDir, readOnly, retentionMs: DAY_MS, clock: systemClock });

function numbered(batch: number, count: number, fields: Record<string, unknown> = {}) {
  return bulkRequest(
    Array.from({ length: count }, (_, i) => ({
      id: testId(batch, i),
      index: INDEX,
      document: { '@timestamp': new Date().toISOString(), message: `line ${i}`, event: { sequence: i }, ...fields },
    })),
  );
}

const all = { order: 'oldest', limit: 1_000_000 } as const;

it('has everything after it was closed and opened again', async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    await store.bulk(numbered(1, 10, { fluentd: { tag: 'a' } }));
  }
  await using store = await open(data.path);
  assert.deepEqual(new Set((await store.bulk(numbered(1, 10))).map(({ status }) => status)), new Set([409]));
  await store.bulk(numbered(2, 5, { fluentd: { tag: 'a' } }));
  assert.equal((await store.search({ ...all, name: 'a' })).length, 15);
});

it('tells whoever follows it that something came, where it is the one that writes', async () => {
  await using data = await folder();
  const writer = await open(data.path);
  const heard = writer.nextArrival?.() ?? assert.fail('it hears of what it writes');
  await writer.bulk(numbered(1, 3));
  await heard;
  await using reader = await open(data.path, true);
  assert.equal(reader.nextArrival, undefined, 'it would wait for what it is never told');
  await writer[Symbol.asyncDispose]();
});

it('is read by another while it is written, and after', async () => {
  await using data = await folder();
  const writer = await open(data.path);
  await writer.bulk(numbered(1, 3));
  await using reader = await open(data.path, true);
  assert.equal((await reader.search(all)).length, 3);
  await writer.bulk(numbered(2, 3));
  assert.equal((await reader.search({ ...all, text: 'line' })).length, 6);
  await assert.rejects(reader.bulk(numbered(3, 1)), { code: 'store_refused' });
  await writer[Symbol.asyncDispose]();
  assert.equal((await reader.search(all)).length, 6);
  await using late = await open(data.path, true);
  assert.equal((await late.search(all)).length, 6);
});

it('says what is the matter where it cannot open', async () => {
  await using data = await folder();
  await assert.rejects(open(data.path, true), { code: 'store_unavailable', message: /there is none at .*data\.dir/ });
  const file = join(data.path, 'file');
  await writeFile(file, '');
  await assert.rejects(open(file), { code: 'data_dir_unusable' });
  const garbage = join(data.path, 'garbage');
  await mkdir(join(garbage, 'store'), { recursive: true });
  await writeFile(
    join(garbage, 'store', 'documents.sqlite'),
    'this is no database, though it is long enough to be one'.repeat(100),
  );
  await assert.rejects(open(garbage), { code: 'data_dir_unusable', message: /documents\.sqlite/ });
  const newer = join(data.path, 'newer');
  await (await open(newer))[Symbol.asyncDispose]();
  const database = new DatabaseSync(join(newer, 'store', 'documents.sqlite'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  await assert.rejects(open(newer), { code: 'data_dir_unusable', message: /newer Sluice/ });
});

it('rejects what it is asked after it was closed', async () => {
  await using data = await folder();
  const store = await open(data.path);
  await store[Symbol.asyncDispose]();
  await assert.rejects(store.bulk(numbered(1, 1)), { code: 'store_unavailable' });
});

it('deletes what was written longer ago than the retention, and gives the space back', async () => {
  await using data = await folder();
  const clock = new VirtualClock();
  const store = await openEmbeddedStore({ dataDir: data.path, readOnly: false, retentionMs: DAY_MS, clock });
  // By what documents say of themselves, all are old.
  const old = { event: { ingested: '2020-01-01T00:00:00.000Z' } };
  const large = Array.from({ length: 1000 }, (_, i) => ({
    id: testId(1, i),
    index: INDEX,
    document: { '@timestamp': new Date().toISOString(), message: `x${randomBytes(500).toString('hex')}`, ...old },
  }));
  await store.bulk(bulkRequest(large));
  await clock.advance(60_000);
  // What the store does by itself goes on between.
  for (let i = 0; i < 6; i++) await store.ping();
  await store.bulk(numbered(2, 10, { ...old, message: 'short' }));
  await store.ping();
  const file = join(data.path, 'store', 'documents.sqlite');
  await store[Symbol.asyncDispose]();
  const before = (await stat(file)).size;

  const folderOfStore = join(data.path, 'store');
  const database = new DocumentDatabase({
    folder: folderOfStore,
    readOnly: false,
    retentionMs: DAY_MS,
    namesMax: 1000,
  });
  const at = (ms: number): Moment => ({ epochMs: clock.epochMs() + ms, monotonicMs: ms });
  const expire = (ms: number): number => database.expire({ now: at(ms), limit: 600 }).documents;
  assert.equal(expire(DAY_MS - 120_000), 0);
  assert.equal(expire(DAY_MS), 1000, 'a block as a whole');
  assert.equal(expire(DAY_MS), 0);
  assert.equal(database.page(all, Infinity).rows.length, 10);
  assert.equal(database.page({ ...all, text: 'x*' }, Infinity).rows.length, 0);
  assert.equal(expire(3 * DAY_MS), 10);
  database.close();
  const after = (await stat(file)).size;
  assert(after < before / 4, `${before} → ${after} bytes`);
});

it('deletes nothing for a wall clock that jumps while it runs, or while it does not; and says so', async () => {
  await using data = await folder();
  const where = { folder: join(data.path, 'store'), readOnly: false, retentionMs: 30 * DAY_MS, namesMax: 1000 };
  const now = Date.now();
  const year = 365 * DAY_MS;
  {
    await using store = await open(data.path);
    await store.bulk(numbered(1, 100));
  }
  const told: string[] = [];
  let database = new DocumentDatabase({ ...where, tell: (message) => told.push(message) });
  const expire = (epochMs: number, monotonicMs: number) =>
    database.expire({ now: { epochMs, monotonicMs }, limit: 1000 }).documents;
  for (const [epochMs, monotonicMs] of [
    [now, 0],
    [now + year, 1000],
    [now + year + 60_000, 61_000],
    [now + 62_000, 62_000],
    [now - year, 63_000],
    [now + 64_000, 64_000],
  ] as const) {
    assert.equal(expire(epochMs, monotonicMs), 0);
  }
  assert.equal(told.length, 4, told.join('\n'));
  assert.match(told[0] ?? '', /8760 hours ahead.*nothing is deleted/);
  database.close();
  database = new DocumentDatabase(where);
  assert.equal(expire(now + year, 5), 0, 'nor at a start');
  database.close();
  database = new DocumentDatabase(where);
  // It goes on as ever when it runs: in steps, as it looks now and then.
  let deleted = 0;
  for (let day = 1; day <= 32; day++) deleted += expire(now + day * DAY_MS, day * DAY_MS);
  assert.equal(deleted, 100);
  database.close();
});

it('takes nothing when its WAL was deleted, which holds what was written last', async () => {
  await using data = await folder();
  await using store = await open(data.path);
  await store.bulk(numbered(1, 3));
  await rm(join(data.path, 'store', 'documents.sqlite-wal'));
  await assert.rejects(store.bulk(numbered(2, 3)), { code: 'store_unavailable', message: /was deleted while/ });
});

it('takes nothing when its file was deleted or replaced, and says so', async () => {
  await using data = await folder();
  await using store = await open(data.path);
  await store.bulk(numbered(1, 3));
  await rm(join(data.path, 'store'), { recursive: true });
  await assert.rejects(store.bulk(numbered(2, 3)), { code: 'store_unavailable', message: /was deleted while/ });
  await mkdir(join(data.path, 'store'));
  await writeFile(join(data.path, 'store', 'documents.sqlite'), '');
  await assert.rejects(store.bulk(numbered(2, 3)), { code: 'store_unavailable', message: /was replaced while/ });
});

it('keeps apart more combinations of origin than it remembers', async () => {
  await using data = await folder();
  const options = { dataDir: data.path, readOnly: false, retentionMs: DAY_MS, namesMax: 20_000, clock: systemClock };
  await using store = await openEmbeddedStore(options);
  const tagged = (batch: number) =>
    bulkRequest(
      Array.from({ length: 12_000 }, (_, i) => ({
        id: testId(batch, i),
        index: INDEX,
        document: { '@timestamp': new Date().toISOString(), fluentd: { tag: `tag.${i}` } },
      })),
    );
  await store.bulk(tagged(1));
  await store.bulk(tagged(2));
  for (const tag of ['tag.0', 'tag.9999', 'tag.11999']) {
    assert.equal((await store.search({ ...all, name: tag })).length, 2, tag);
  }
});
