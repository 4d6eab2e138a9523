// Set-up on a real server of its own, since the templates are everybody's: from the one template of earlier versions to
// components, what the user has in his own, and what a change of a setting changes, and when. The server is a bare one.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import type { IndexLayout } from '#shared/store/elasticsearch/template.ts';
import { elasticsearch, type PrivateElasticsearch, privateElasticsearch } from '#test/backends/elasticsearch.ts';

const STREAM = 'logs-sluice-default';
const ROLLOVER = `a data stream takes it up at its next rollover (POST /${STREAM}/_rollover)`;
/** As far as it matters here: before there were components, all of it stood in the index template. */
const OLD_TEMPLATE = {
  index_patterns: ['logs-sluice-*', 'logs-sluice.*-*'],
  priority: 250,
  data_stream: {},
  template: {
    settings: { 'index.mode': 'standard', 'index.refresh_interval': '1s' },
    mappings: { dynamic: false, properties: { '@timestamp': { type: 'date_nanos' }, message: { type: 'text' } } },
  },
  _meta: { managed_by: 'sluice', fingerprint: '0011223344556677' },
};

const isJars = (await elasticsearch())?.how.includes('jars') === true;

suite('set-up on a real server', { skip: isJars ? false : 'SKIPPED: no Elasticsearch from jars' }, () => {
  let server: PrivateElasticsearch;
  before(async () => {
    server = await privateElasticsearch({ heap: '512m', isBare: true });
    await server.start();
  });
  after(() => server[Symbol.asyncDispose]());

  async function ask(method: string, path: string, body?: object): Promise<string> {
    const sent = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(server.url + path, { method, ...sent });
    const text = await answer.text();
    assert(answer.ok, `${method} ${path}: ${text}`);
    return text;
  }

  async function setUp(layout: IndexLayout): Promise<string[]> {
    const options = { urls: [server.url], connections: 1, bulkTimeoutMs: 30_000, retentionMs: 86_400_000 };
    await using store = new ElasticsearchStore({ ...options, layout });
    // Awaited: the store is closed at the end of this.
    return await store.setup();
  }

  /** Of the index that is written to. */
  async function settings(): Promise<Record<string, string>> {
    const all = JSON.parse(await ask('GET', `/${STREAM}/_settings?flat_settings=true`)) as Record<
      string,
      { settings: Record<string, string> }
    >;
    const newest = Object.keys(all).toSorted().at(-1) ?? '';
    return all[newest]?.settings ?? {};
  }

  test('comes from the one template of before', async () => {
    await ask('PUT', '/_index_template/sluice-logs', OLD_TEMPLATE);
    await ask('PUT', `/_data_stream/${STREAM}`);
    const lines = await setUp({});
    assert.deepEqual(lines.slice(0, 2), [
      'template sluice-logs@custom: made, for settings and fields of your own',
      'template sluice-logs@mappings: made',
    ]);
    assert.match(lines[2] ?? '', /^text: this Elasticsearch lacks the module analysis-common/);
    assert.deepEqual(lines.slice(3, 6), [
      'template sluice-logs@settings: made',
      `template sluice-logs: changed; ${ROLLOVER}`,
      `data stream ${STREAM}: is there`,
    ]);
    assert.equal((await settings())['index.codec'], undefined);
    await ask('POST', `/${STREAM}/_rollover`);
    assert.equal((await settings())['index.codec'], 'best_compression');
    assert.equal((await settings())['index.mode'], 'standard');
  });

  test('changes nothing again', async () => {
    const changed = (await setUp({})).filter((line) => /: (made|changed)/.test(line));
    assert.deepEqual(changed, []);
  });

  test("leaves the user's template alone, which wins; other changes come at the next rollover", async () => {
    const custom = { template: { settings: { 'index.number_of_replicas': 0, 'index.refresh_interval': '5s' } } };
    await ask('PUT', '/_component_template/sluice-logs@custom', custom);
    const lines = await setUp({ mode: 'logsdb', shards: 2, replicas: 1 });
    assert.equal(lines[0], 'template sluice-logs@custom: yours, left as it is');
    assert(lines.includes(`template sluice-logs@settings: changed; ${ROLLOVER}`), lines.join('\n'));
    assert.equal((await settings())['index.mode'], 'standard');
    await ask('POST', `/${STREAM}/_rollover`);
    const now = await settings();
    assert.equal(now['index.mode'], 'logsdb');
    // No licence stands against a synthetic source here.
    assert.equal(now['index.mapping.source.mode'], undefined);
    assert.match(await ask('GET', `/${STREAM}/_mapping`), /"original":\{[^}]*"store":true/);
    assert.equal(now['index.number_of_shards'], '2');
    assert.equal(now['index.number_of_replicas'], '0');
    assert.equal(now['index.refresh_interval'], '5s');
    assert(JSON.stringify(await ask('GET', '/_component_template/sluice-logs@custom')).includes('5s'));
  });

  test('lays fields of numbers out where they are wanted', async () => {
    await setUp({ hasNumberFields: true });
    await ask('POST', `/${STREAM}/_rollover`);
    assert.equal((await settings())['index.mapping.total_fields.ignore_dynamic_beyond_limit'], 'true');
    const document = { '@timestamp': '2026-01-01T00:00:00Z', numbers: { http_took: 7 }, other: { took: 7 } };
    await ask('POST', `/${STREAM}/_create/1?refresh=true`, document);
    const mapping = await ask('GET', `/${STREAM}/_mapping`);
    assert.match(mapping, /"numbers":\{"dynamic":"true","properties":\{"http_took":\{"type":"double"/);
    assert.doesNotMatch(mapping, /"other"/);
  });
});
