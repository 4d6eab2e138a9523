// A query that the index cannot answer: the documents are looked at in bounded steps, and none is skipped or repeated
// between them.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { type EmbeddedStore, openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const DOCUMENTS = 25_000;
const BATCH = 5000;

let dataDir: string;
let store: EmbeddedStore;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-scan-'));
  store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: 3650 * 86_400_000, clock: systemClock });
  for (let first = 0; first < DOCUMENTS; first += BATCH) {
    const documents = Array.from({ length: BATCH }, (_, k) => {
      const i = first + k;
      const time = new Date(Date.UTC(2026, 0, 1) + Math.floor(i / 3) * 1000).toISOString();
      const attributes = { n: i, word: i % 2 === 0 ? 'even' : 'odd' };
      const document = { '@timestamp': time, message: `m${i}`, event: { sequence: i % 2 }, attributes };
      return { id: testId(1, i), index: 'logs-sluice-default', document };
    });
    await store.bulk(bulkRequest(documents));
  }
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

async function found(
  text: string,
  order: 'oldest' | 'newest',
  limit = Infinity,
  more: Pick<StoreQuery, 'by' | 'ingestedSinceMs'> = {},
): Promise<number[]> {
  const parsed = parseQuery(text, { nowMs: 0 });
  assert('where' in parsed);
  const numbers: number[] = [];
  for await (const { documents } of store.pages({ where: parsed.where, order, limit, ...more })) {
    assert(documents.length > 0);
    for (const { source } of documents) numbers.push(Number(String(source['message']).slice(1)));
  }
  return numbers;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (numbers: number[]): number[] => numbers.toSorted((a, b) => a - b);

test('few of many, at either end', async () => {
  for (const order of ['oldest', 'newest'] as const) {
    assert.deepEqual(sorted(await found('n<5', order)), range(0, 5));
    assert.deepEqual(sorted(await found('n>=24995', order)), range(24_995, DOCUMENTS));
    assert.deepEqual(await found('n>=24995 n<5', order), []);
    assert.deepEqual(sorted(await found('word:even n:[10000 TO 10003]', order)), [10_000, 10_002]);
    assert.deepEqual(await found('n:12345', order, 1), [12_345]);
  }
});

test('more than a page, each once, and no more than the limit', async () => {
  const all = await found('n>=100', 'newest');
  assert.deepEqual(sorted(all), range(100, DOCUMENTS));
  assert.deepEqual(await found('n>=100', 'newest', 2500), all.slice(0, 2500));
  assert.deepEqual(await found('-n:<100', 'newest'), all);
});

test('in the order of arrival, where scans end between documents of one sequence', async () => {
  for (const more of [{ by: 'arrival' }, { by: 'arrival', ingestedSinceMs: 0 }] as const) {
    const order = range(100, DOCUMENTS).toSorted((a, b) => (a % 2) - (b % 2) || a - b);
    const all = await found('n>=100', 'oldest', Infinity, more);
    const place = (n: number) => (n % 2) * DOCUMENTS + Math.floor(n / 3);
    assert.deepEqual(all.map(place), order.map(place));
    assert.deepEqual(sorted(all), range(100, DOCUMENTS));
    assert.deepEqual(await found('n>=100', 'newest', Infinity, more), all.toReversed());
    assert.deepEqual(await found('n:[24990 TO 24992]', 'oldest', Infinity, more), [24_990, 24_992, 24_991]);
  }
});
