// Pages of the embedded store where documents are large.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { testId } from '#test/contract/store-bodies.ts';
import { countAll } from './count-all.ts';

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

async function open(t: TestContext): Promise<DocumentDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-pages-'));
  const database = new DocumentDatabase({ folder, readOnly: false, retentionMs: DAY_MS, namesMax: 1000 });
  t.after(async () => {
    database.close();
    await rm(folder, { recursive: true });
  });
  return database;
}

function write(database: DocumentDatabase, documents: readonly string[], batch = 1): void {
  const body = Buffer.from(documents.join(''));
  const bounds = new Uint32Array(documents.length * 2);
  let at = 0;
  for (const [i, document] of documents.entries()) {
    bounds[i * 2] = at;
    bounds[i * 2 + 1] = at += Buffer.byteLength(document);
  }
  const ids = documents.map((_, i) => testId(batch, i));
  const streams = new Uint16Array(documents.length);
  const { statuses } = database.write({ body, ids, bounds, streams, streamNames: ['logs-sluice-default'] });
  assert(statuses.every((status) => status === 201));
}

/** Several have the same time and sequence; two names; every one holds the word "line". */
function documentOf(i: number, bytes: number): string {
  return JSON.stringify({
    '@timestamp': `2026-03-01T12:00:00.${Math.floor(i / 5)}Z`,
    message: `line ${'x'.repeat(bytes)}`,
    service: { name: i % 2 === 0 ? 'even' : 'odd' },
    event: { sequence: i % 2, ingested: '2026-03-01T12:00:00Z' },
  });
}

it('ends a page where it is large enough, and goes on with the next document', async (t) => {
  const database = await open(t);
  const count = 40;
  write(
    database,
    Array.from({ length: count }, (_, i) => documentOf(i, i % 10 === 3 ? 50_000 : 1000)),
  );
  const all = Array.from({ length: count }, (_, i) => testId(1, i)).toSorted();
  for (const [query, expected] of [
    [{}, all],
    [{ text: 'line' }, all],
    [{ ingestedSinceMs: 0 }, all],
    [{ name: 'even' }, all.filter((id) => Number(id.split('-')[1]) % 2 === 0)],
    [{ name: '*', text: 'li*', ingestedSinceMs: 0 }, all],
  ] as const) {
    for (const order of ['oldest', 'newest'] as const) {
      for (const bytesMax of [0, 1, 5000, 60_000, Infinity]) {
        const ids: string[] = [];
        let after: StoreQuery['after'];
        for (let isLast = false; !isLast;) {
          const page = database.page({ ...query, order, limit: 15, ...(after && { after }) }, bytesMax);
          assert(page.rows.length === 1 || page.bytes <= bytesMax, `${page.rows.length} rows of ${page.bytes} bytes`);
          for (const { id, time, sequence, rowid } of page.rows) {
            ids.push(id);
            after = [time, sequence, rowid];
          }
          isLast = page.isLast;
        }
        assert.deepEqual(ids.toSorted(), expected, `${JSON.stringify(query)} ${order} by ${bytesMax}`);
      }
    }
  }
});

it('deletes large documents a few at a time, all of them in the end', async (t) => {
  const database = await open(t);
  // By what they take on the disk: noise takes three quarters of its bytes as base64.
  const noise = randomBytes(6 * MIB)
    .toString('base64')
    .slice(0, 6 * MIB);
  const large = JSON.stringify({ '@timestamp': '2026-03-01T12:00:00Z', message: noise });
  write(database, [...Array<string>(10).fill(large), ...Array<string>(50).fill(documentOf(1, 10))]);
  const expire = (days: number): number =>
    database.expire({ now: { epochMs: 2e12 + days * DAY_MS, monotonicMs: days * DAY_MS }, limit: 1000 }).documents;
  assert.equal(expire(0), 0);
  const deleted: number[] = [];
  for (let step = expire(2); step > 0; step = expire(2)) deleted.push(step);
  assert.deepEqual(deleted, [4, 4, 52], 'about 16 MiB a step');
});

it('counts in steps, each document once, though blocks are merged and documents come between them', async (t) => {
  const database = await open(t);
  const [batches, size] = [70, 20];
  const batchOf = (bytes: number) => Array.from({ length: size }, (_, i) => documentOf(i, bytes));
  for (let batch = 1; batch <= batches; batch++) write(database, batchOf(20_000), batch);
  let steps = 1;
  const between = (): void => {
    write(database, batchOf(10), batches + steps++);
    while (database.merge());
  };
  assert.equal(countAll(database, { order: 'oldest', limit: Infinity, text: 'line' }, between), batches * size);
  assert(steps > 3, `${steps} steps`);
  const half = countAll(database, { order: 'oldest', limit: 1, where: whereOf('service.name:even') });
  assert.equal(half, ((batches + steps - 1) * size) / 2);
  assert.equal(countAll(database, { order: 'oldest', limit: 1, name: 'nobody' }), 0);
});

/** Each block has a document of every second, so that all of them lie over each other in time. */
it('goes through blocks that lie over each other in time, whatever is written and merged meanwhile', async (t) => {
  const database = await open(t);
  const [batches, size] = [20, 600];
  const documentAt = (batch: number, i: number) =>
    JSON.stringify({
      '@timestamp': new Date(Date.UTC(2026, 2, 1) + i * 1000).toISOString(),
      message: `line ${batch} ${i} ${'x'.repeat(i % 100 === 7 ? 9000 : 10)}`,
      event: { sequence: batch % 3, ingested: '2026-03-01T12:00:00Z' },
    });
  const some = (batch: number, count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => documentAt(batch, from + i));
  for (let batch = 1; batch <= batches; batch++) write(database, some(batch, size), batch);
  let fresh = batches;
  for (const [order, by, text] of [
    ['oldest', undefined, undefined],
    ['newest', undefined, undefined],
    ['oldest', 'arrival', undefined],
    ['newest', 'arrival', 'line'],
    ['oldest', undefined, 'line'],
  ] as const) {
    for (const isBusy of [false, true]) {
      const query = { order, ...(by && { by }), ...(text && { text }) } as const;
      const there = database.page({ ...query, limit: 1_000_000 }, Infinity).rows.map(({ id }) => id);
      const found: string[] = [];
      for (let after: StoreQuery['after'], pages = 0; ; pages++) {
        const page = database.page({ ...query, limit: 1000, ...(after && { after }) }, MIB);
        found.push(...page.rows.map(({ id }) => id));
        if (page.isLast) break;
        const { time, sequence, rowid } = page.rows.at(-1) ?? assert.fail();
        after = page.next ?? [time, sequence, rowid];
        if (!isBusy || pages % 3 !== 0) continue;
        fresh += 1;
        write(database, some(fresh, 40, pages * 10), fresh);
        while (database.merge());
      }
      const known = new Set(there);
      assert.equal(new Set(found).size, found.length, 'each once');
      assert.deepEqual(
        found.filter((id) => known.has(id)),
        there,
        `${order} ${by} ${text}`,
      );
      if (!isBusy) assert.equal(found.length, there.length);
    }
  }
});

it('gives out what was read ahead only as long as nothing of it was written or erased', async (t) => {
  const database = await open(t);
  for (let batch = 1; batch <= 5; batch++)
    write(
      database,
      Array.from({ length: 1000 }, (_, i) => documentOf(i, batch)),
      batch,
    );
  const query = { order: 'oldest', limit: 1000 } as const;
  const pageAfter = (after: StoreQuery['after']) => database.page({ ...query, ...(after && { after }) }, Infinity);
  const placeOf = ({ rows }: ReturnType<typeof pageAfter>): StoreQuery['after'] => {
    const { time, sequence, rowid } = rows.at(-1) ?? assert.fail();
    return [time, sequence, rowid];
  };
  const second = pageAfter(placeOf(pageAfter(undefined)));
  const third = pageAfter(placeOf(second));
  assert.equal(third.rows.length, 1000);
  const { time } = third.rows.at(-1) ?? assert.fail();
  const next = new Date(Number(BigInt(time) / 1_000_000n) + 1).toISOString();
  write(database, [JSON.stringify({ '@timestamp': next, message: 'line' })], 6);
  assert(pageAfter(placeOf(third)).rows.some(({ id }) => id === testId(6, 0)));
  for (let after = null, step; ; after = step.next) {
    step = database.erase({ query: { ...query, text: 'line' }, after });
    if (step.next === null) break;
  }
  assert.deepEqual(pageAfter(placeOf(third)), { rows: [], bytes: 0, isLast: true });
});

function whereOf(text: string) {
  const parsed = parseQuery(text, { nowMs: 0 });
  assert('where' in parsed);
  return parsed.where;
}
