// The last documents of a store, in order, within bounds of memory.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Store, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';
import { lastPages } from '../../../services/sluice/commands/last-pages.ts';

const COUNT = 100;
const MIB = 1024 * 1024;

// Ten at a time have the same time, two of them the same sequence.
const documents: StoredDocument[] = Array.from({ length: COUNT }, (_, i) => {
  const time = `2026-03-01T12:00:${String(Math.floor(i / 10)).padStart(2, '0')}.000Z`;
  const sequence = Math.floor(i / 2) % 5;
  return { id: String(i), index: 'i', source: { '@timestamp': time }, sort: [time, sequence, i] };
});

/** Pages of three documents, each of which says that it has so many bytes. */
function storeOf(bytes: number): { store: Store; queries: StoreQuery[] } {
  const queries: StoreQuery[] = [];
  const pages = async function* (query: StoreQuery): AsyncGenerator<StoredPage> {
    queries.push(query);
    const [time = '', sequence = 0] = query.after ?? [];
    const isAfter = ({ sort }: StoredDocument): boolean =>
      String(sort[0]) > String(time) || (sort[0] === time && Number(sort[1]) >= Number(sequence));
    const after = documents.filter(isAfter);
    const found = (query.order === 'oldest' ? after : after.toReversed()).slice(0, query.limit);
    for (let at = 0; at < found.length; at += 3) yield { documents: found.slice(at, at + 3), bytes: 3 * bytes };
  };
  return { store: { pages } as unknown as Store, queries };
}

async function idsOf(store: Store, limit: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const page of lastPages(store, { limit }, AbortSignal.abort()))
    for (const { id } of page.documents) ids.push(Number(id));
  return ids;
}

const lastIds = (count: number): number[] =>
  Array.from({ length: Math.min(count, COUNT) }, (_, i) => Math.max(0, COUNT - count) + i);

it('gives the last ones, oldest first', async () => {
  const { store, queries } = storeOf(100);
  for (const limit of [1, 2, 3, 7, 99, 100, 1000]) assert.deepEqual(await idsOf(store, limit), lastIds(limit));
  assert(queries.every(({ order }) => order === 'newest'));
});

it('reads those again that are too large to be held', async () => {
  const { store, queries } = storeOf(2 * MIB);
  for (const limit of [30, 34, 40, 46, 100]) {
    queries.length = 0;
    assert.deepEqual(await idsOf(store, limit), lastIds(limit), `${limit}`);
    assert.deepEqual(
      queries.map(({ order }) => order),
      limit === 30 ? ['newest'] : ['newest', 'oldest'],
    );
  }
});
