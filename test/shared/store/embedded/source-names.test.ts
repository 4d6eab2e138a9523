// The names that senders choose, in the tables of the embedded store: so many for each tenant; what comes under others
// is kept and found.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import type { WriteResult } from '#shared/store/embedded/document-writes.ts';
import { withNamesAsAttributes } from '#shared/store/embedded/names-as-attributes.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { makeOldStore } from './old-store.ts';

const DAY_MS = 86_400_000;
const all = { order: 'oldest', limit: 1_000_000 } as const;

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-names-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

function open(dataDir: string, namesMax: number, told: string[] = []): Promise<EmbeddedStore> {
  const warn = (message: string) => told.push(message);
  return openEmbeddedStore({ dataDir, readOnly: false, retentionMs: DAY_MS, namesMax, clock: systemClock, warn });
}

function requestOf(batch: number, documents: readonly Record<string, unknown>[]) {
  return bulkRequest(
    documents.map((fields, i) => ({
      id: testId(batch, i),
      index: 'logs-sluice-default',
      document: { '@timestamp': new Date().toISOString(), message: 'line', event: { sequence: i }, ...fields },
    })),
  );
}

function tagged(batch: number, from: number, to: number, more: Record<string, unknown> = {}) {
  return requestOf(
    batch,
    Array.from({ length: to - from }, (_, i) => ({ fluentd: { tag: `tag.${from + i}` }, ...more })),
  );
}

function writeTo(database: DocumentDatabase, { body, items }: ReturnType<typeof tagged>): WriteResult {
  return database.write({
    body,
    ids: items.map(({ id }) => id),
    bounds: Uint32Array.from([...items].flatMap(({ docStart, docEnd }) => [docStart, docEnd])),
    streams: new Uint16Array(items.length),
    streamNames: ['logs-sluice-default'],
  });
}

async function openOne(t: TestContext, namesMax: number): Promise<DocumentDatabase> {
  const database = new DocumentDatabase({ folder: await folder(t), readOnly: false, retentionMs: DAY_MS, namesMax });
  t.after(() => database.close());
  return database;
}

/** Deletes all documents; time goes on by three days with each round. */
function expireAll(database: DocumentDatabase, round: number): void {
  for (const days of [0, 0.5, 2].map((later) => round * 3 + later)) {
    const now = { epochMs: Date.now() + days * DAY_MS, monotonicMs: days * DAY_MS };
    database.expire({ now, limit: 1000 });
  }
}

/** How often `work` runs statements that go through the whole table of names, make rows of it, or remove them. */
function statementsOf(t: TestContext, work: () => void): { counts: number; made: number; removed: number } {
  const seen: string[] = [];
  const mocks = (['run', 'get', 'all'] as const).map((method) => {
    const original = StatementSync.prototype[method] as (...values: unknown[]) => unknown;
    return t.mock.method(StatementSync.prototype, method, function (this: StatementSync, ...values: unknown[]) {
      seen.push(this.sourceSQL);
      return original.apply(this, values);
    });
  });
  try {
    work();
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
  const number = (pattern: RegExp): number => seen.filter((sql) => pattern.test(sql)).length;
  return {
    counts: number(/count\(\*\).* FROM origins/s),
    made: number(/INSERT INTO origins/),
    removed: number(/DELETE FROM origins/),
  };
}

it('are so many for each tenant; documents under others are kept, with the names among their attributes', async (t) => {
  const dataDir = await folder(t);
  const told: string[] = [];
  await using store = await open(dataDir, 100, told);
  let unnamed = 0;
  store.watchUnnamed((documents) => (unnamed += documents));
  for (const outcome of await store.bulk(tagged(1, 0, 150))) assert.equal(outcome.status, 201);
  await store.bulk(tagged(2, 0, 150));
  assert.equal(unnamed, 100);
  assert.equal(told.length, 1, 'once');
  assert.match(told[0] ?? '', /Senders of no tenant have brought 100 combinations.*names\.max_per_tenant/);
  assert.equal((await store.search({ ...all, name: 'tag.99' })).length, 2);
  assert.equal((await store.search({ ...all, name: 'tag.*' })).length, 200);
  assert.equal((await store.search({ ...all, name: 'tag.100' })).length, 0);
  const found = await store.search({ ...all, text: '"tag 100"' });
  assert.deepEqual(
    found.map(({ source }) => [source['fluentd'], JSON.stringify(source['attributes']), source['message']].join()),
    Array<string>(2).fill(',{"fluentd.tag":"tag.100"},line'),
  );
  // Another tenant has as many of its own.
  await store.bulk(tagged(3, 200, 300, { tenant: { id: 'a' } }));
  assert.equal(unnamed, 100);
  await store.bulk(tagged(4, 300, 310, { tenant: { id: 'a' } }));
  assert.equal(unnamed, 110);
  assert.equal((await store.bulk(tagged(4, 300, 310)))[0]?.status, 409, 'a repeat is one still');
});

it('are given back when the last document under them has ended, whoever else has the file open', async (t) => {
  const dataDir = await folder(t);
  {
    await using store = await open(dataDir, 100);
    await store.bulk(tagged(1, 0, 100));
  }
  const options = { folder: join(dataDir, 'store'), readOnly: false, retentionMs: DAY_MS, namesMax: 100 };
  const one = new DocumentDatabase(options);
  const other = new DocumentDatabase(options);
  t.after(() => [one, other].forEach((database) => database.close()));
  const write = (database: DocumentDatabase, batch: number, from: number, to: number): number =>
    writeTo(database, tagged(batch, from, to)).unnamed;
  assert.equal(write(one, 2, 50, 60), 0);
  assert.equal(write(other, 3, 200, 210), 10);
  const now = (days: number) => ({ epochMs: Date.now() + days * DAY_MS, monotonicMs: days * DAY_MS });
  const deleted = [0, 0.5, 2].map((days) => other.expire({ now: now(days), limit: 1000 }).documents);
  assert.equal(
    deleted.reduce((sum, n) => sum + n, 0),
    120,
  );
  // `one` has seen rows that are gone now.
  assert.equal(write(one, 4, 50, 60), 0);
  for (let i = 50; i < 60; i++) assert.equal(other.page({ ...all, name: `tag.${i}` }, Infinity).rows.length, 1);
  assert.equal(write(other, 5, 300, 390), 0);
  assert.equal(write(one, 6, 400, 401), 1);
});

it('that repeats bring make no rows, and the table is not counted for them', async (t) => {
  const database = await openOne(t, 200);
  writeTo(database, tagged(1, 0, 100));
  const repeats = (from: number) => () => {
    const { statuses, unnamed } = writeTo(database, tagged(1, from, from + 100));
    assert.ok(statuses.every((status) => status === 409));
    assert.equal(unnamed, 0);
  };
  const none = { counts: 0, made: 0, removed: 0 };
  assert.deepEqual(statementsOf(t, repeats(500)), none, 'under other names');
  assert.deepEqual(statementsOf(t, repeats(0)), none, 'under the same');
  assert.equal(writeTo(database, tagged(2, 100, 200)).unnamed, 0, 'repeats have taken none');
  assert.deepEqual(statementsOf(t, repeats(700)), none, 'with as many as may be');
  assert.equal(writeTo(database, tagged(3, 200, 201)).unnamed, 1);
  // Twice in one request.
  const { body, items } = tagged(4, 0, 2);
  const twice = items.map((item) => ({ ...item, id: testId(4, 0) }));
  assert.deepEqual([...writeTo(database, { body, items: twice }).statuses], [201, 409]);
});

it('that end are subtracted, and may come again at once; the table is counted once', async (t) => {
  const database = await openOne(t, 100);
  const tenant = { tenant: { id: 'a' } };
  const counted = statementsOf(t, () => {
    for (let round = 0; round < 4; round++) {
      assert.equal(writeTo(database, tagged(round * 4, 0, 98, tenant)).unnamed, 0);
      assert.equal(writeTo(database, tagged(round * 4 + 1, 98, 100, tenant)).unnamed, 0);
      assert.equal(writeTo(database, tagged(round * 4 + 2, 100, 101, tenant)).unnamed, 1);
      // Without names, so that all that have some end.
      assert.equal(writeTo(database, requestOf(round * 4 + 3, [tenant])).unnamed, 0);
      for (const tag of ['tag.0', 'tag.99'])
        assert.equal(database.page({ ...all, name: tag }, Infinity).rows.length, 1);
      expireAll(database, round);
      assert.equal(database.page(all, Infinity).rows.length, 0);
    }
  });
  assert.equal(counted.counts, 1);
});

it('of odd characters are kept apart, and found again after they ended', async (t) => {
  const database = await openOne(t, 100);
  const ids = (id: string, name: string) => ({ container: { id, name } });
  const odd = [ids('a\0b', 'c'), ids('a', 'b\0c'), ids('x\uD800', ''), ids('x\uD801', ''), ids('x\uFFFD', '')];
  for (let round = 0; round < 3; round++) {
    const { unnamed, statuses } = writeTo(database, requestOf(round * 2, odd));
    assert.deepEqual([unnamed, ...statuses], [0, 201, 201, 201, 201, 201]);
    for (const name of ['b\0c', 'c'])
      assert.equal(database.page({ ...all, name }, Infinity).rows.length, 1, JSON.stringify(name));
    writeTo(database, requestOf(round * 2 + 1, [{}]));
    expireAll(database, round);
  }
});

it('of an earlier version are kept, and counted, and those that nothing is under are removed', async (t) => {
  const dataDir = await folder(t);
  const documents = Array.from({ length: 120 }, (_, i) => ({
    id: testId(1, i),
    tag: `tag.${i}`,
    source: JSON.stringify({ '@timestamp': new Date().toISOString(), message: 'line', fluentd: { tag: `tag.${i}` } }),
  }));
  makeOldStore(dataDir, documents);
  const database = new DatabaseSync(join(dataDir, 'store', 'documents.sqlite'));
  database.exec("INSERT INTO origins SELECT rowid + 1000, stream, 'gone', '', '', tag FROM origins");
  const rows = (): unknown => database.prepare('SELECT count(*) AS n FROM origins').get()?.['n'];
  assert.equal(rows(), 240);
  {
    await using reader = await openEmbeddedStore({ dataDir, readOnly: true, retentionMs: DAY_MS, clock: systemClock });
    assert.equal((await reader.search({ ...all, name: 'tag.7' })).length, 1);
  }
  await using store = await open(dataDir, 100);
  assert.equal(rows(), 120);
  database.close();
  assert.equal((await store.search({ ...all, name: 'tag.7' })).length, 1);
  let unnamed = 0;
  store.watchUnnamed((count) => (unnamed += count));
  await store.bulk(tagged(2, 119, 121));
  assert.equal(unnamed, 1);
});

it('may be 40,000, and a pattern that means all of them finds their newest documents', async (t) => {
  await using store = await open(await folder(t), 100_000);
  for (let batch = 0; batch < 4; batch++) {
    const services = Array.from({ length: 10_000 }, (_, i) => ({ service: { name: `w${batch * 10_000 + i}` } }));
    await store.bulk(requestOf(batch, services));
  }
  const found = await store.search({ name: 'w*', order: 'newest', limit: 100 });
  assert.equal(found.length, 100);
  assert.equal((await store.search({ ...all, name: 'w*' })).length, 40_000);
});

it('become attributes without loss of anything else', () => {
  for (const [before, after] of [
    ['{"a":1}', '{"a":1,"attributes":{}}'],
    ['{"fluentd":{"tag":"t"},"n":12345678901234567890}', '{"n":12345678901234567890,"attributes":{"fluentd.tag":"t"}}'],
    [
      '{"container":{"id":"i","name":"c","image":{"name":"m"}},"service":{"name":"s"}}',
      '{"container":{"image":{"name":"m"}},"attributes":{"container.id":"i","container.name":"c","service.name":"s"}}',
    ],
    [
      '{"attributes":{"fluentd.tag":"mine","__proto__":1},"fluentd":{"tag":"t"}}',
      '{"attributes":{"fluentd.tag":"mine","__proto__":1,"fluentd.tag_":"t"}}',
    ],
    [
      '{"kubernetes":{"pod":{"name":"p","uid":"u"},"namespace":"n"}}',
      '{"kubernetes":{"pod":{"uid":"u"},"namespace":"n"},"attributes":{"kubernetes.pod.name":"p"}}',
    ],
    ['{"kubernetes":{"pod":{"name":"p"}}}', '{"attributes":{"kubernetes.pod.name":"p"}}'],
    ['{"service":"odd","container":[1]}', '{"service":"odd","container":[1],"attributes":{}}'],
  ] as const)
    assert.equal(withNamesAsAttributes(before), after);
});
