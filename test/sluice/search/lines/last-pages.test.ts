// The last documents of a store, in order, within bounds of memory.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Store, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';
import { lastPages } from '../../../../services/sluice/search/lines/last-pages.ts';

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

/** Twenty documents, of which every second is a trace of three lines. */
const traces: StoredDocument[] = Array.from({ length: 20 }, (_, i) => {
  const [log, message] = i % 2 === 0 ? [{}, `${i}`] : [{ lines: 3, line_offsets: [0, 1, 2] }, `${i}\n${i}a\n${i}b`];
  return {
    id: String(i),
    index: 'i',
    source: { '@timestamp': '2026-03-01T12:00:00Z', message, log },
    sort: ['', i, i],
  };
});

async function idsOf(store: Store, limit: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const page of lastPages(store, { limit }, { signal: AbortSignal.abort() }))
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

it('counts the lines of stack traces, and gives the last ones of the first', async () => {
  const all = traces.flatMap(({ source }) => String(source['message']).split('\n'));
  for (const bytes of [100, 30 * MIB]) {
    for (let limit = 1; limit <= 41; limit += 1) {
      const pages = async function* ({ order, limit: most, after }: StoreQuery): AsyncGenerator<StoredPage> {
        const from = order === 'oldest' ? traces.slice(Number(after?.[1])) : traces.toReversed();
        const found = from.slice(0, most);
        for (let at = 0; at < found.length; at += 3) yield { documents: found.slice(at, at + 3), bytes };
      };
      const given: StoredDocument[] = [];
      const options = { signal: AbortSignal.abort() };
      for await (const page of lastPages({ pages } as unknown as Store, { limit }, options))
        given.push(...page.documents);
      const lines = given.flatMap(({ source }) => String(source['message']).split('\n'));
      assert.deepEqual(lines, all.slice(-limit), `${limit} of ${bytes}`);
      const [first] = given;
      const log = first?.source['log'] as { lines?: number; line_offsets?: number[] };
      if (log.lines === 2) assert.deepEqual(log.line_offsets, [1, 2]);
      if (log.lines === 1) assert.deepEqual(log.line_offsets, [2]);
    }
  }
  const whole: StoredDocument[] = [];
  const pages = async function* ({ limit }: StoreQuery): AsyncGenerator<StoredPage> {
    yield { documents: traces.toReversed().slice(0, limit), bytes: 1 };
  };
  const options = { signal: AbortSignal.abort(), countsDocuments: true };
  for await (const page of lastPages({ pages } as unknown as Store, { limit: 3 }, options))
    whole.push(...page.documents);
  assert.deepEqual(whole, traces.slice(-3), 'documents, for machines');
});
