// Ranges of time over lines: of a stack trace only those in the range, wherever it begins and ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatInstant, parseInstant } from '#shared/store/instant.ts';
import type { ReadableStore, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { fullTimestampText, printedLines } from '../../../../services/sluice/output/document-text.ts';
import { lastPages } from '../../../../services/sluice/search/lines/last-pages.ts';
import { linesInRange } from '../../../../services/sluice/search/lines/lines-in-range.ts';

const START_NS = parseInstant('2026-03-01T12:00:00Z') ?? 0n;
const timeOf = (second: number): string => formatInstant(START_NS + BigInt(second) * 1_000_000_000n);

/** A line a second; those with the same letter are one document. */
const LINES = ['a', 'T1', 'T2', 'T3', 'b', 'U1', 'U2', 'c', 'V1', 'V2'];
const documents: StoredDocument[] = [];
for (const [second, text] of LINES.entries()) {
  const last = documents.at(-1);
  const id = text.slice(0, 1);
  if (last?.id !== id) {
    const source = { '@timestamp': timeOf(0), event: { created: timeOf(second) }, message: text, log: {} };
    documents.push({ id, index: 'i', source, sort: ['', second, id] });
    continue;
  }
  const { source } = last;
  const { lines = 1, line_offsets: offsets = [0] } = source['log'] as { lines?: number; line_offsets?: number[] };
  const firstSecond = Number(last.sort[1]);
  source['message'] = `${String(source['message'])}\n${text}`;
  source['log'] = { lines: lines + 1, line_offsets: [...offsets, (second - firstSecond) * 1e9] };
}

/** Pages of two; of queries no more than these tests give. */
function storeOf(): { store: ReadableStore; queries: StoreQuery[] } {
  const queries: StoreQuery[] = [];
  async function* pages(query: StoreQuery): AsyncGenerator<{ documents: StoredDocument[]; bytes: number }> {
    queries.push(query);
    await Promise.resolve();
    const { since = timeOf(-1000), until = timeOf(1000), order, limit, where } = query;
    const found = documents.filter(({ source }) => {
      const { created } = source['event'] as { created: string };
      const isJoined = 'lines' in (source['log'] as object);
      return created >= since && created < until && (where === undefined || isJoined);
    });
    const wanted = (order === 'oldest' ? found : found.toReversed()).slice(0, limit);
    for (let at = 0; at < wanted.length; at += 2) yield { documents: wanted.slice(at, at + 2), bytes: 1 };
  }
  return { store: { pages, search: () => Promise.reject(new Error('by pages')) }, queries };
}

async function linesOf(query: Partial<StoreQuery>, tail = Infinity): Promise<string[]> {
  const store = linesInRange(storeOf().store);
  const range = { by: 'arrival', ...query } as const;
  const pages =
    tail === Infinity
      ? store.pages({ ...range, order: 'oldest', limit: Infinity })
      : lastPages(store, { ...range, limit: tail }, { signal: AbortSignal.abort() });
  const found: string[] = [];
  for await (const page of pages)
    for (const document of page.documents)
      for (const { text, offsetNs } of printedLines(document)) {
        assert.equal(parseInstant(fullTimestampText(document, offsetNs)), parseInstant(timeOf(LINES.indexOf(text))));
        found.push(text);
      }
  return found;
}

test('every range, from its beginning and from its end', async () => {
  for (let since = -1; since <= LINES.length; since++)
    for (let until = since; until <= LINES.length + 1; until++) {
      const range = { since: timeOf(since), until: timeOf(until) };
      const expected = LINES.slice(Math.max(0, since), Math.max(0, until));
      assert.deepEqual(await linesOf(range), expected, `${since} to ${until}`);
      for (const tail of [1, 2, 3, 5])
        assert.deepEqual(await linesOf(range, tail), expected.slice(-tail), `the last ${tail} of ${since} to ${until}`);
    }
  assert.deepEqual(await linesOf({ until: timeOf(3) }), LINES.slice(0, 3));
  assert.deepEqual(await linesOf({ since: timeOf(2) }), LINES.slice(2));
  assert.deepEqual(await linesOf({}), LINES);
});

test('the newest alone, and as many as are wanted', async () => {
  const store = linesInRange(storeOf().store);
  const [newest, ...more] = await store.search({ since: timeOf(2), until: timeOf(4), order: 'newest', limit: 1 });
  assert.deepEqual([newest?.source['message'], more.length], ['T2\nT3', 0]);
});

test('whoever follows asks for what began before the range only for a while', async () => {
  const { store, queries } = storeOf();
  const sinceMs = Number(START_NS / 1_000_000n);
  for (const [laterMs, count] of [
    [-60_000, 2],
    [599_000, 2],
    [601_000, 1],
  ] as const) {
    queries.length = 0;
    const range = { since: timeOf(0), ingestedSinceMs: sinceMs + laterMs };
    for await (const _ of linesInRange(store).pages({ ...range, order: 'oldest', limit: Infinity }));
    assert.equal(queries.length, count, `${laterMs}`);
  }
});
