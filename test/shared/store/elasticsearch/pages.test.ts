// Pages of a search where documents are large, against a stand-in that searches as Elasticsearch does, as far as pages
// go.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { it } from 'node:test';
import { PageSize } from '#shared/store/elasticsearch/page-size.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { PAGE_BYTES, PAGE_DOCUMENTS } from '#shared/store/pages.ts';
import type { StoreQuery } from '#shared/store/store.ts';

const MIB = 1024 * 1024;

interface Kept {
  readonly id: string;
  readonly time: string;
  readonly sequence: number;
  readonly bytes: number;
}

interface Asked {
  readonly size: number;
  readonly search_after?: [string, number];
  readonly query: { bool: { must_not?: { ids: { values: string[] } } } };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** How many times the text comes; once unless given. */
  readonly times?: number;
}

/** Documents of these bytes, three at a time with the same time and sequence. */
function documentsOf(bytes: readonly number[]): Kept[] {
  return bytes.map((each, i) => ({
    id: `id-${i}`,
    time: `2026-03-01T12:00:${String(Math.floor(i / 6)).padStart(3, '0')}`,
    sequence: Math.floor(i / 3) % 2,
    bytes: each,
  }));
}

/** In the order of the documents, which is that of time and sequence. */
function search(documents: readonly Kept[], { size, search_after: after, query }: Asked): string {
  const shown = new Set(query.bool.must_not?.ids.values);
  const isAfter = ({ time, sequence }: Kept): boolean =>
    after === undefined || time > after[0] || (time === after[0] && sequence > after[1]);
  const hits = documents
    .filter((each) => isAfter(each) && !shown.has(each.id))
    .slice(0, size)
    .map(({ id, time, sequence, bytes }) =>
      JSON.stringify({
        _index: 'i',
        _id: id,
        _source: { message: 'm'.repeat(bytes) },
        sort: [time, sequence],
      }),
    );
  return `{"_shards":{"failed":0},"hits":{"hits":[${hits.join()}]}}`;
}

function* repeated(text: string, times: number): Generator<Buffer> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < times; i++) yield bytes;
}

/** `answer`: what is answered instead, if anything. Ids of all pages, and how many were asked for each time. */
async function readAll(
  documents: readonly Kept[],
  answer: (asked: Asked) => Answer | null = () => null,
  query: Partial<StoreQuery> = {},
): Promise<{ ids: string[]; sizes: number[]; pageBytes: number[]; error: unknown }> {
  const sizes: number[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      // `GET /`: who is it?
      const asked = body === '' ? null : (JSON.parse(body) as Asked);
      if (asked === null) {
        response.setHeader('x-elastic-product', 'Elasticsearch').end('{"version":{"number":"9.5.3"}}');
        return;
      }
      sizes.push(asked.size);
      const { status, text, times = 1 } = answer(asked) ?? { status: 200, text: search(documents, asked) };
      response.writeHead(status, { 'x-elastic-product': 'Elasticsearch', 'content-type': 'application/json' });
      pipeline(Readable.from(repeated(text, times)), response, () => undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ids: string[] = [];
  const pageBytes: number[] = [];
  let error: unknown;
  {
    await using store = new ElasticsearchStore({
      urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
      connections: 1,
      bulkTimeoutMs: 10_000,
      retentionMs: 1e9,
    });
    try {
      for await (const page of store.pages({ order: 'oldest', limit: Infinity, ...query })) {
        for (const { id } of page.documents) ids.push(id);
        pageBytes.push(page.bytes);
      }
    } catch (caught) {
      error = caught;
    }
  }
  server.closeAllConnections();
  server.close();
  return { ids, sizes, pageBytes, error };
}

function check(read: Awaited<ReturnType<typeof readAll>>, documents: readonly Kept[]): void {
  assert.equal(read.error, undefined);
  assert.deepEqual(
    read.ids,
    documents.map(({ id }) => id),
  );
}

it('reads large documents in smaller pages, each document once', async () => {
  // 40 MiB at once would be refused; then small ones, a run of large ones amid them, and one that is larger than a
  // page.
  const documents = documentsOf([
    ...Array<number>(20).fill(2 * MIB),
    ...Array<number>(300).fill(100),
    ...Array<number>(6).fill(16 * MIB),
    40 * MIB,
    ...Array<number>(50).fill(100),
  ]);
  const read = await readAll(documents);
  check(read, documents);
  assert(read.sizes.length < 100, `asked ${read.sizes.length} times: ${read.sizes.join()}`);
  for (const bytes of read.pageBytes) assert(bytes < 41 * MIB, `a page of ${bytes} bytes`);
});

it('asks for more and more of small documents', async () => {
  const documents = documentsOf(Array<number>(5000).fill(10));
  const read = await readAll(documents);
  check(read, documents);
  assert.deepEqual(read.sizes.slice(0, 5), [100, 200, 400, 800, 1000]);
});

it('never asks for more than is wanted', async () => {
  const documents = documentsOf(Array<number>(500).fill(10));
  const read = await readAll(documents, undefined, { limit: 150 });
  check(read, documents.slice(0, 150));
  assert.deepEqual(read.sizes, [100, 50]);
});

it('asks for less where the server has no memory for the answer', async () => {
  const breaker = '{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}';
  const shards =
    '{"_shards":{"failed":1,"failures":[{"reason":{"type":"circuit_breaking_exception"}}]},"hits":{"hits":[]}}';
  for (const answer of [
    { status: 429, text: breaker },
    { status: 200, text: shards },
  ]) {
    const documents = documentsOf(Array<number>(60).fill(10));
    check(await readAll(documents, ({ size }) => (size > 10 ? answer : null)), documents);
    const read = await readAll(documents, () => answer);
    assert.deepEqual(read.sizes, [100, 25, 6, 1]);
    assert.match(String(read.error), /circuit_breaking_exception|not all of its shards/);
  }
});

it('gives up where even one document is too long to be read', async () => {
  const read = await readAll(documentsOf([10]), () => ({ status: 200, text: ' '.repeat(MIB), times: 300 }));
  assert.deepEqual(read.sizes, [100, 25, 6, 1]);
  assert.equal((read.error as { code?: string }).code, 'store_refused');
});

it('reckons how many documents fit', () => {
  const size = new PageSize();
  assert.equal(size.documents, 100);
  size.answered(30, 3000);
  assert.equal(size.documents, 100, 'there were no more');
  for (let i = 0; i < 10; i++) size.answered(size.documents, size.documents);
  assert.equal(size.documents, PAGE_DOCUMENTS);
  size.answered(1000, 10 * PAGE_BYTES);
  assert.equal(size.documents, 100);
  size.answered(1, 3 * PAGE_BYTES);
  assert.equal(size.documents, 1);
  size.answered(1, 0);
  assert.equal(size.documents, 2);
  assert.equal(size.failed(2), true);
  assert.equal(size.failed(1), false);
  assert.equal(size.documents, 1);
});
