// What is posted to the read API: bounded, and answered with the documents of the reader's tenant alone.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { bearer, RunningApi } from './running-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-read-posted-'));
after(() => rmSync(folder, { recursive: true }));
const ACME = 'the-token-of-acme';
const tokens = join(folder, 'readers.yaml');
writeFileSync(tokens, `- { token: ${ACME}, tenant: acme }\n`);

async function post(api: RunningApi, path: string, body: string, headers: OutgoingHttpHeaders = {}) {
  const sent = request({
    host: '127.0.0.1',
    port: api.port,
    path: `/api/${path}`,
    agent: false,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.on('error', () => undefined).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

test('a tenant reads its own documents', async () => {
  await using api = await RunningApi.open({ env: { SLUICE_READ_TOKENS: tokens } });
  await api.write(['acme', 'beta'].map((id) => ({ message: `of ${id}`, tenant: { id } })));
  const { headers } = bearer(ACME);
  const stats = { kind: 'stats', measures: [{ name: 'count', field: null, column: 'count' }] };
  const stages = [{ ...stats, by: { fields: [['tenant.id']], every_ms: null } }];
  const bodies: readonly [path: string, body: object, found: RegExp][] = [
    ['documents', { order: 'newest', limit: 10 }, /of acme/],
    ['counts', { order: 'newest', every_ms: null }, /\[\[0,1\]\]|null/],
    ['rows', { order: 'newest', stages }, /\[\["acme",1\]\]/],
  ];
  for (const [path, body, found] of bodies) {
    const anything = { where: { kind: 'not', node: { kind: 'equals', field: 'tenant.id', value: 'acme' } } };
    for (const query of [{}, { tenant: 'acme' }, anything]) {
      const answer = await text(await post(api, path, JSON.stringify({ ...body, query }), headers));
      assert.doesNotMatch(answer, /beta/, path);
      if (query !== anything) assert.match(answer, found);
    }
    const other = await post(api, path, JSON.stringify({ ...body, query: { tenant: 'beta' } }), headers);
    assert.equal(other.statusCode, 403);
    assert.match(await text(other), /tenant_refused/);
    const nobody = await post(api, path, JSON.stringify({ ...body, query: {} }));
    assert.equal(nobody.statusCode, 401);
  }
  const tail = await post(api, 'tail', JSON.stringify({ query: {} }), headers);
  let told = '';
  tail.setEncoding('utf8').on('data', (piece) => (told += String(piece)));
  tail.on('error', () => undefined);
  await api.write(['beta', 'acme'].map((id) => ({ message: `then ${id}`, tenant: { id } })));
  while (!told.includes('then acme')) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.doesNotMatch(told, /beta/);
  tail.destroy();
});

test('what is too large, is no JSON, or is sent by a page in a browser is refused', async () => {
  await using api = await RunningApi.open();
  const refused = async (body: string, status: number, code: string, headers = {}) => {
    const response = await post(api, 'documents', body, headers);
    assert.equal(response.statusCode, status);
    assert.match(await text(response), new RegExp(code));
  };
  const body = (query: object): string => JSON.stringify({ query, order: 'newest', limit: 10 });
  await refused(body({ text: 'x'.repeat(3 * 1024 * 1024) }), 400, 'request_malformed');
  await refused('{"query":', 400, 'request_malformed');
  await refused('', 400, 'request_malformed');
  // Each would keep whoever takes logs in waiting for longer than a few milliseconds.
  await refused(`{"query":${'['.repeat(500_000)}${']'.repeat(500_000)}}`, 400, 'too many parts');
  await refused(`{"query":${'['.repeat(600)}${']'.repeat(600)}}`, 400, 'too deep');
  await refused(`{"query":[${'{},'.repeat(100_000)}0]}`, 400, 'too many parts');
  // What a page may send without asking.
  await refused(body({}), 400, 'query_wrong', { 'content-type': 'text/plain' });
  await refused('x', 400, 'request_malformed', { 'content-type': 'application/x-other' });
  await refused(body({}), 403, 'origin_refused', { origin: 'https://evil.example' });
  await refused(body({ text: 'a '.repeat(501) }), 400, 'query_wrong');
  await refused(body({ text: 'x'.repeat(65_537) }), 400, 'query_wrong');
  await refused(body({ name: '*'.repeat(1025) }), 400, 'query_wrong');
  await refused(body({ since: 'soon' }), 400, 'query_wrong');
  await refused(body({ where: { kind: 'words', text: 'x'.repeat(50_000) } }), 400, 'query_wrong');
  await refused(body({ where: { kind: 'exists', field: `attributes.${'a.'.repeat(600)}` } }), 400, 'query_wrong');
  const get = await api.ask('documents');
  assert.equal(get.status, 404);
});
