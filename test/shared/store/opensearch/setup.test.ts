// What set-up asks of OpenSearch: templates without what only Elasticsearch knows, and the policy of the plugin for
// index state management. That plugin is not to be had here: a stand-in answers as its published API says
// (https://docs.opensearch.org/latest/im-plugin/ism/api/).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { templatesOf } from '#shared/store/elasticsearch/template.ts';

const DAY_MS = 86_400_000;
const POLICY = '/_plugins/_ism/policies/sluice-logs';

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** The server, and its plugin if it has one: a policy is replaced only by who has read the one that is there. */
class Server {
  readonly #hasPlugin: boolean;
  readonly #held = new Map<string, string>();
  policy: Record<string, unknown> | null = null;
  sequence = 7;
  readonly asked: string[] = [];

  constructor(hasPlugin: boolean) {
    this.#hasPlugin = hasPlugin;
  }

  answer(method: string, url: string, body: string): Answer {
    this.asked.push(`${method} ${url}`);
    if (url === '/') return { status: 200, body: { version: { distribution: 'opensearch', number: '3.0.0' } } };
    const [path = '', query] = url.split('?');
    if (path === POLICY) return this.#plugin(method, query, body);
    if (path.includes('_template/')) return this.#template(method, path, body);
    return { status: 200, body: { acknowledged: true } };
  }

  #template(method: string, path: string, body: string): Answer {
    assert.doesNotMatch(body, /flattened|index\.mode|lifecycle|synthetic_source/);
    if (method === 'PUT') this.#held.set(path, body);
    const held = this.#held.get(path);
    return held === undefined ? { status: 404, body: {} } : { status: 200, body: JSON.parse(held) as object };
  }

  #plugin(method: string, query: string | undefined, body: string): Answer {
    if (!this.#hasPlugin) return { status: 400, body: { error: `no handler found for uri [${POLICY}]` } };
    if (method === 'GET' && this.policy === null) return { status: 404, body: { error: 'Policy not found' } };
    const about = { _id: 'sluice-logs', _version: 1, _primary_term: 3, _seq_no: this.sequence };
    if (method === 'GET') return { status: 200, body: { ...about, policy: this.policy } };
    if (query !== (this.policy === null ? undefined : `if_seq_no=${this.sequence}&if_primary_term=3`))
      return { status: 409, body: { error: { type: 'version_conflict_engine_exception' } } };
    const { policy } = JSON.parse(body) as { policy: Record<string, unknown> };
    const status = this.policy === null ? 201 : 200;
    // It gives back more than it was given.
    this.policy = { policy_id: 'sluice-logs', ...policy, last_updated_time: 1, schema_version: 21 };
    this.sequence++;
    return { status, body: about };
  }
}

async function setUp(t: TestContext, server: Server, retentionMs: number): Promise<string[]> {
  const http = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      const { status, body: said } = server.answer(request.method ?? '', request.url ?? '', body);
      response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(said));
    });
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const urls = [`http://127.0.0.1:${(http.address() as AddressInfo).port}`];
  const layout = { mode: 'logsdb' } as const;
  await using store = new ElasticsearchStore({ urls, connections: 1, bulkTimeoutMs: 5000, retentionMs, layout });
  return await store.setup();
}

test('the policy is made, left, and changed with the retention', async (t) => {
  const server = new Server(true);
  const first = await setUp(t, server, 7 * DAY_MS);
  assert.equal(first.at(-1), 'retention: 7d, by the policy sluice-logs, for indices that are made from now on');
  assert(first.includes('index mode: OpenSearch has no logsdb; indices are kept as usual'));
  const { states, ism_template: template } = server.policy ?? {};
  assert.deepEqual(states, [
    {
      name: 'written',
      actions: [{ rollover: { min_index_age: '1d', min_primary_shard_size: '50gb' } }],
      transitions: [{ state_name: 'deleted', conditions: { min_rollover_age: '7d' } }],
    },
    { name: 'deleted', actions: [{ delete: {} }], transitions: [] },
  ]);
  assert.deepEqual(template, [{ index_patterns: ['logs-sluice-*', 'logs-sluice.*-*'], priority: 250 }]);
  const order = ['policies', '_data_stream'].map((part) => server.asked.findIndex((each) => each.includes(part)));
  assert(order[0]! < order[1]!, 'the plugin looks for a policy when an index is made');

  assert.equal((await setUp(t, server, 7 * DAY_MS)).at(-1), 'retention: 7d, by the policy sluice-logs');
  assert.equal(server.sequence, 8, 'nothing was put');
  const changed = await setUp(t, server, 90 * 60_000);
  assert.match(changed.at(-1) ?? '', /^retention: 5400000ms, by the policy sluice-logs, for indices/);
  assert.match(JSON.stringify(server.policy), /"min_index_age":"1h".*"min_rollover_age":"90m"/);
});

test('a server without the plugin is said to delete nothing', async (t) => {
  const lines = await setUp(t, new Server(false), DAY_MS);
  assert.match(lines.at(-1) ?? '', /lacks the plugin for index state management, so nothing is deleted/);
});

test('only what OpenSearch does not know is another in the templates', () => {
  const options = { splitting: 'exact', layout: { shards: 2 }, retentionMs: DAY_MS } as const;
  const [ours, theirs] = [templatesOf(options), templatesOf({ ...options, product: 'OpenSearch' })];
  assert.deepEqual(
    theirs.map(({ path }) => path),
    ours.map(({ path }) => path),
  );
  const put = theirs.map(({ body }) => body).join('\n');
  assert.match(
    put,
    /"attributes":\{"type":"flat_object"\}.*simple_pattern|simple_pattern.*"attributes":\{"type":"flat_object"\}/s,
  );
  assert.match(put, /"index\.number_of_shards":2/);
  assert.match(put, /"data_stream":\{\}/);
});
