// Which answers are believed: those of Elasticsearch by their header, those of OpenSearch by what `GET /` says, and
// nobody else's. Against servers that say what they are told to.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Connection } from '#shared/store/elasticsearch/connection.ts';

interface Said {
  readonly status?: number;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' };
const ELASTICSEARCH: Said = {
  headers: { ...JSON_TYPE, 'x-elastic-product': 'Elasticsearch' },
  text: '{"version":{"number":"9.5.3"}}',
};
const OPENSEARCH: Said = { headers: JSON_TYPE, text: '{"version":{"distribution":"opensearch","number":"3.0.0"}}' };
const PAGE: Said = { headers: { 'content-type': 'text/html' }, text: '<h1>Sign in</h1>' };
const NEITHER = /neither Elasticsearch nor OpenSearch/;

async function peer(
  t: TestContext,
  answers: { root: Said; other: Said },
): Promise<{ connection: Connection; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status = 200, text = '{}', headers = JSON_TYPE } = request.url === '/' ? answers.root : answers.other;
    response.writeHead(status, headers).end(text);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const connection = new Connection({ urls, connections: 1, timeoutMsMax: 10_000 });
  t.after(async () => {
    await connection[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });
  return { connection, asked };
}

const other = { method: 'GET', path: '/other', timeoutMs: 10_000 } as const;
const root = { method: 'GET', path: '/', timeoutMs: 10_000 } as const;

for (const [what, answers, product] of [
  ['Elasticsearch', { root: ELASTICSEARCH, other: ELASTICSEARCH }, { name: 'Elasticsearch', version: '9.5.3' }],
  ['OpenSearch', { root: OPENSEARCH, other: { headers: JSON_TYPE } }, { name: 'OpenSearch', version: '3.0.0' }],
] as const) {
  test(`${what} is known, and believed`, async (t) => {
    const { connection } = await peer(t, answers);
    assert.equal((await connection.request(other)).status, 200);
    assert.deepEqual(await connection.product(), product);
    assert.equal((await connection.request(root)).text, answers.root.text);
  });
}

test('OpenSearch is asked once', async (t) => {
  const { connection, asked } = await peer(t, { root: OPENSEARCH, other: {} });
  for (let i = 0; i < 3; i++) await connection.request(other);
  await connection.product();
  assert.deepEqual(asked, ['GET /other', 'GET /', 'GET /other', 'GET /other']);
});

for (const [what, answers] of [
  ['a page', { root: PAGE, other: PAGE }],
  ['a page for one request, in front of OpenSearch', { root: OPENSEARCH, other: PAGE }],
  ['JSON of another program', { root: { text: '{"version":{"number":"9.5.3"}}' }, other: {} }],
  ['Elasticsearch without its header', { root: { text: ELASTICSEARCH.text ?? '' }, other: {} }],
] as const) {
  test(`${what} is refused`, async (t) => {
    const { connection } = await peer(t, answers);
    await assert.rejects(connection.request(other), { code: 'store_refused', message: NEITHER });
  });
}

test('an address that another product took over is asked again', async (t) => {
  const answers = { root: OPENSEARCH, other: OPENSEARCH };
  const { connection } = await peer(t, answers);
  await connection.request(other);
  answers.root = answers.other = ELASTICSEARCH;
  await connection.request(other);
  assert.equal((await connection.product()).name, 'Elasticsearch');
  answers.root = answers.other = PAGE;
  await assert.rejects(connection.request(other), { message: NEITHER });
});

test('refusals are believed from anybody, and say nothing of the product', async (t) => {
  const refusal = { status: 403, text: '{"error":{"type":"security_exception"}}' };
  const { connection } = await peer(t, { root: refusal, other: refusal });
  assert.equal((await connection.request(other)).status, 403);
  // Elasticsearch refuses so, and without its header, who may only read.
  assert.deepEqual(await connection.product(), { name: 'Elasticsearch', version: 'unknown' });
});

test('who may not ask OpenSearch what it is, is told which right is missing', async (t) => {
  const { connection } = await peer(t, { root: { status: 403 }, other: {} });
  await assert.rejects(connection.request(other), { code: 'store_unauthorized', message: /cluster:monitor\/main/ });
});
