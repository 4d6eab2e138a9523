// A store of an earlier version: read as it is, written to, and turned into blocks bit by bit, with nothing lost and
// nothing doubled wherever it is stopped.

import assert from 'node:assert/strict';
import { mkdtemp, open as openFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { countAll } from './count-all.ts';
import { makeOldStore } from './old-store.ts';

const DAY_MS = 86_400_000;
const COUNT = 5000;
const START = Date.UTC(2026, 0, 1);
const all = { order: 'oldest', limit: 1_000_000 } as const;

const old = Array.from({ length: COUNT }, (_, i) => ({
  id: testId(1, i),
  tag: `tag.${i % 3}`,
  source: JSON.stringify({
    '@timestamp': new Date(START + i * 1000).toISOString(),
    message: `line ${i} ${i % 2 === 0 ? 'even' : 'odd'}`,
    fluentd: { tag: `tag.${i % 3}` },
  }),
}));

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-old-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const open = (dataDir: string): DocumentDatabase =>
  new DocumentDatabase({ folder: join(dataDir, 'store'), readOnly: false, retentionMs: DAY_MS, namesMax: 1000 });

function write(database: DocumentDatabase, ids: readonly string[]): number[] {
  const { body, items } = bulkRequest(
    ids.map((id, i) => ({
      id,
      index: 'logs-sluice-default',
      document: { '@timestamp': new Date(START + i * 1000 + 500).toISOString(), message: `new line even` },
    })),
  );
  const bounds = Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd]));
  const streams = new Uint16Array(ids.length);
  return [...database.write({ body, ids, bounds, streams, streamNames: ['logs-sluice-default'] }).statuses];
}

const idsOf = (database: DocumentDatabase, query: object = {}): string[] => {
  const ids: string[] = [];
  let after: readonly (string | number)[] | undefined;
  for (;;) {
    const page = database.page({ ...all, ...query, ...(after && { after }) }, 200_000);
    ids.push(...page.rows.map(({ id }) => id));
    const last = page.rows.at(-1);
    after = page.next ?? (last && [last.time, last.sequence, last.rowid]);
    if (page.isLast || after === undefined) return ids;
  }
};

for (const version of [1, 2, 3] as const) {
  it(`version ${version} is read by one that may not write`, async (t) => {
    const dataDir = await folder(t);
    makeOldStore(dataDir, old, version);
    await using store = await openEmbeddedStore({ dataDir, readOnly: true, retentionMs: DAY_MS, clock: systemClock });
    assert.equal((await store.search(all)).length, COUNT);
    assert.equal((await store.search({ ...all, text: 'even' })).length, COUNT / 2);
    assert.equal((await store.search({ ...all, name: 'tag.0', by: 'arrival' })).length, Math.ceil(COUNT / 3));
    const ofPod = version === 3 ? Math.ceil(COUNT / 3) : 0;
    assert.equal((await store.search({ ...all, name: 'pod-of-tag.0' })).length, ofPod);
    const newest = await store.search({ order: 'newest', limit: 3 });
    assert.deepEqual(
      newest.map(({ id }) => id),
      old
        .slice(-3)
        .map(({ id }) => id)
        .toReversed(),
    );
  });
}

for (const version of [1, 2, 3] as const)
  it(`version ${version} has the same documents at every step of its conversion, in the same order, each once`, (t) =>
    convertStepwise(t, version));

async function convertStepwise(t: TestContext, version: 1 | 2 | 3): Promise<void> {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old, version);
  const fresh = Array.from({ length: 40 }, (_, i) => testId(2, i));
  let database = open(dataDir);
  assert.deepEqual(new Set(write(database, [...fresh, testId(1, 0), testId(1, COUNT - 1)])), new Set([201, 409]));
  const expected = idsOf(database);
  assert.equal(expected.length, COUNT + fresh.length);
  assert.equal(new Set(expected).size, expected.length);
  const even = idsOf(database, { text: 'even', name: 'tag.1' });
  assert(even.length > COUNT / 7);
  let steps = 0;
  for (let isMore = true; isMore; steps++) {
    isMore = database.convert();
    // As after a kill: what is not committed was never there.
    database.close();
    database = open(dataDir);
    assert.deepEqual(idsOf(database), expected);
    assert.deepEqual(idsOf(database, { order: 'newest' }), expected.toReversed());
    assert.deepEqual(idsOf(database, { text: 'even', name: 'tag.1' }), even);
    assert.equal(countAll(database, { ...all, text: 'odd' }), COUNT / 2);
    assert.deepEqual(
      new Set(write(database, [testId(1, 0), testId(1, COUNT / 2), testId(1, COUNT - 1), ...fresh])),
      new Set([409]),
      'late repeats',
    );
  }
  assert(steps > 3, `${steps} steps`);
  database.close();
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  assert.deepEqual(
    file.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'documents%' OR name = 'words'").all(),
    [],
  );
  file.close();
}

it('a program of before that has it open writes no more, so nothing is there twice', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old.slice(0, 100), 3);
  const before = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  t.after(() => before.close());
  const insert = before.prepare(
    "INSERT INTO documents (id, origin, time, sequence, ingested, source) VALUES (?, 1, 0, 0, 0, '{}')",
  );
  insert.run(testId(1, COUNT));
  const database = open(dataDir);
  t.after(() => database.close());
  assert.throws(() => insert.run(testId(3, 0)), /no such table: .*documents/);
  assert.deepEqual(write(database, [testId(3, 0), testId(1, COUNT), testId(1, 7)]), [201, 409, 409]);
  while (database.convert()) assert.throws(() => insert.run(testId(3, 0)), /no such table: .*documents/);
  assert.deepEqual(
    idsOf(database).toSorted(),
    [...old.slice(0, 100).map(({ id }) => id), testId(1, COUNT), testId(3, 0)].toSorted(),
  );
});

it('what a program of before wrote although it was in a block already is there once', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old.slice(0, 100), 3);
  const fresh = Array.from({ length: 40 }, (_, i) => testId(2, i));
  {
    const database = open(dataDir);
    write(database, fresh);
    database.close();
  }
  const file = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  // As it was when it still had its name.
  const kept = file.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'documents_before'").get();
  if (kept !== undefined) file.exec('ALTER TABLE documents_before RENAME TO documents');
  const insert = file.prepare(
    "INSERT INTO documents (id, origin, time, sequence, ingested, source) VALUES (?, 1, 0, 0, 0, '{}')",
  );
  for (const id of [...fresh.slice(5, 8), testId(2, 40)]) insert.run(id);
  file.close();
  const database = open(dataDir);
  t.after(() => database.close());
  while (database.convert());
  const expected = [...old.slice(0, 100).map(({ id }) => id), ...fresh, testId(2, 40)];
  assert.deepEqual(idsOf(database).toSorted(), expected.toSorted());
  const many = 2 ** 39;
  for (const { documents } of database.inspection.origins())
    assert(documents > many, 'nobody knows how many there are: an origin must not go before its documents');
});

it('what a program of before writes until the last moment is counted, and has a number of its own', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old.slice(0, 100), 3);
  const before = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  t.after(() => before.close());
  const insert = before.prepare(
    "INSERT INTO documents (id, origin, time, sequence, ingested, source) VALUES (?, 1, 0, 0, 0, '{}')",
  );
  let written = 0;
  // It writes as long as the other one lets it.
  const { exec } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    if (sql === 'BEGIN IMMEDIATE' && written === 0) while (written < 5) insert.run(testId(3, written++));
    exec.call(this, sql);
  });
  const database = open(dataDir);
  t.after(() => database.close());
  assert.equal(written, 5);
  write(database, [testId(4, 0)]);
  while (database.convert());
  const { rows } = database.page(all, Infinity);
  assert.equal(rows.length, 106);
  assert.equal(new Set(rows.map(({ rowid }) => rowid)).size, 106);
  const counted = database.inspection.origins().reduce((sum, { documents }) => sum + documents, 0);
  assert.equal(counted, 106);
});

it('takes documents where the list of old names is damaged, and none twice that it can read', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old, 3);
  const path = join(dataDir, 'store', 'documents.sqlite');
  const file = new DatabaseSync(path);
  file.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const root = Number(
    file.prepare("SELECT rootpage AS n FROM sqlite_schema WHERE name = 'sqlite_autoindex_documents_1'").get()?.['n'],
  );
  file.close();
  await using handle = await openFile(path, 'r+');
  // The last leaf of it.
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, (root - 1) * 4096 + 8);
  await handle.write(Buffer.alloc(4096, 0xff), 0, 4096, (buffer.readUInt32BE() - 1) * 4096);
  const database = open(dataDir);
  t.after(() => database.close());
  assert.deepEqual(write(database, [testId(3, 0), testId(1, 0), testId(3, 1)]), [201, 409, 201]);
  assert.equal(idsOf(database, { text: 'new' }).length, 2);
});

it('is converted by itself, and erased from whole', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old);
  const database = open(dataDir);
  t.after(() => database.close());
  let erased = 0;
  const query = { ...all, container: undefined, text: 'even' };
  const { container: _, ...words } = query;
  for (let next = database.erase({ query: words, after: null }); ;) {
    erased += next.erased;
    if (next.next === null) break;
    next = database.erase({ query: words, after: next.next });
  }
  assert.equal(erased, COUNT / 2);
  assert.equal(idsOf(database).length, COUNT / 2);
  assert.equal(countAll(database, words), 0);
});

it('ends by age while it is still in rows', async (t) => {
  const dataDir = await folder(t);
  makeOldStore(dataDir, old);
  const database = open(dataDir);
  t.after(() => database.close());
  const expire = (days: number): number =>
    database.expire({ now: { epochMs: START + days * DAY_MS, monotonicMs: days * DAY_MS }, limit: 2000 }).documents;
  assert.equal(expire(0), 0);
  database.convert();
  const deleted: number[] = [];
  for (let step = expire(2); step > 0; step = expire(2)) deleted.push(step);
  assert.equal(
    deleted.reduce((sum, n) => sum + n, 0),
    COUNT,
  );
  assert.deepEqual(idsOf(database), []);
});
