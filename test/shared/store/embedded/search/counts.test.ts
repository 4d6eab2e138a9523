// Documents counted by spans of time: by the rows of blocks where that is enough, and the same as whoever reads each of
// them would count.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1, 23, 59);
const MINUTE_MS = 60_000;
const BATCHES = 12;
const PER_BATCH = 700;
const SPANS = [1000, MINUTE_MS, 7 * MINUTE_MS, DAY_MS];

let dataDir: string;
let store: EmbeddedStore;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-counts-'));
  store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: 3650 * DAY_MS, clock: systemClock });
  for (let batch = 1; batch <= BATCHES; batch++) {
    const documents = Array.from({ length: PER_BATCH }, (_, k) => {
      // Every third block lies over the edges of minutes, every fourth has a document from long ago.
      const everyMs = batch % 3 === 0 ? 977 : 11;
      const ms = k === 9 && batch % 4 === 0 ? batch : START_MS + batch * 40_000 + k * everyMs;
      const nanos = String((k * 7919) % 1_000_000).padStart(6, '0');
      const document = {
        '@timestamp': new Date(ms).toISOString().replace('Z', `${nanos}Z`),
        message: k % 10 === 0 ? `odd ${k}` : `even ${k}`,
        container: { id: `c${batch % 2}`, name: batch % 2 === 0 ? 'web' : 'db' },
        attributes: { n: k },
        ...(k % 7 === 0 && { event: { created: new Date(START_MS + k).toISOString(), sequence: k } }),
        ...(k % 5 === 0 && { tenant: { id: 'acme' } }),
      };
      return { id: testId(batch, k), index: 'logs-sluice-default', document };
    });
    await store.bulk(bulkRequest(documents));
  }
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

async function check(query: Omit<StoreQuery, 'limit'>): Promise<number> {
  const times: number[] = [];
  for await (const { documents } of store.pages({ ...query, limit: Infinity }))
    for (const { source } of documents) times.push(Date.parse(String(source['@timestamp'])));
  for (const everyMs of SPANS) {
    const expected = new Map<number, number>();
    for (const ms of times) expected.set(ms - (ms % everyMs), (expected.get(ms - (ms % everyMs)) ?? 0) + 1);
    const byTime = (counts: Iterable<[number, number]>) => [...counts].toSorted(([a], [b]) => a - b);
    assert.deepEqual(byTime((await store.counts(query, everyMs)) ?? assert.fail()), byTime(expected));
  }
  const all = await store.counts(query, null);
  assert.deepEqual([...(all ?? assert.fail()).values()], times.length === 0 ? [] : [times.length]);
  return times.length;
}

const whereOf = (text: string) => {
  const parsed = parseQuery(text, { nowMs: 0 });
  return 'mistake' in parsed ? assert.fail(parsed.mistake.message) : parsed.where;
};

test('all of them, and those between times', async () => {
  const order = 'newest';
  assert.equal(await check({ order }), BATCHES * PER_BATCH);
  const since = new Date(START_MS + 70_500).toISOString();
  const until = new Date(START_MS + 300_001).toISOString();
  for (const by of [undefined, 'arrival', 'arrival_time'] as const) {
    const some = await check({ order, since, until, ...(by && { by }) });
    assert(some > 0 && some < BATCHES * PER_BATCH, `${some}`);
  }
  assert.equal(await check({ order, since: '2030-01-01T00:00:00Z' }), 0);
});

test('those of a name, of a tenant, and of a query', async () => {
  const order = 'newest';
  assert.equal(await check({ order, name: 'web' }), (BATCHES / 2) * PER_BATCH);
  assert.equal(await check({ order, name: 'nobody' }), 0);
  assert.equal(await check({ order, tenant: 'acme' }), (BATCHES * PER_BATCH) / 5);
  assert.equal(await check({ order, text: 'odd' }), (BATCHES * PER_BATCH) / 10);
  assert.equal(await check({ order, where: whereOf('n<5 container:db') }), (BATCHES / 2) * 5);
  assert.equal(await check({ order, where: whereOf('-odd') }), (BATCHES * PER_BATCH * 9) / 10);
});

test('each once, whatever is merged between the steps', async () => {
  const id = (n: number) => testId(99, n);
  for (let n = 0; n < 300; n++) {
    const document = { '@timestamp': new Date(START_MS + n * 1000).toISOString(), message: 'late' };
    await store.bulk(bulkRequest([{ id: id(n), index: 'logs-sluice-default', document }]));
    if (n % 60 === 0) {
      const counts = await store.counts({ order: 'newest' }, MINUTE_MS);
      assert.equal(
        [...(counts ?? assert.fail()).values()].reduce((a, b) => a + b, 0),
        BATCHES * PER_BATCH + n + 1,
      );
    }
  }
  assert.equal(await check({ order: 'newest', text: 'late' }), 300);
});

test('more spans than somebody would look at: the pages are to be read', async () => {
  for (let first = 0; first < 60_000; first += 5000) {
    const documents = Array.from({ length: 5000 }, (_, k) => ({
      id: testId(200, first + k),
      index: 'logs-sluice-default',
      document: { '@timestamp': new Date(DAY_MS + (first + k) * 1000).toISOString() },
    }));
    await store.bulk(bulkRequest(documents));
  }
  assert.equal(await store.counts({ order: 'newest' }, 1000), null);
  assert.notEqual(await store.counts({ order: 'newest' }, MINUTE_MS), null);
});
