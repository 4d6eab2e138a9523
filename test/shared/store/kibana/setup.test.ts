// What set-up asks of Kibana. The stand-in is as strict as the published API says: Kibana's own OpenAPI documents
// (elastic/kibana, src/plugins/data_views/docs/openapi, create_data_view_request_object.yaml, 404_response.yaml), and
// the message of a conflict in issue 161016 there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { dataViewBody, savedObjects } from '#shared/store/kibana/data-view.ts';
import { setUpKibana } from '#shared/store/kibana/setup.ts';
import { freePort } from '#test/backends/free-port.ts';

const VIEW_KEYS = new Set(
  (
    'allowNoIndex fieldAttrs fieldFormats fields id name namespaces runtimeFieldMap sourceFilters timeFieldName ' +
    'title type typeMeta version'
  ).split(' '),
);
const PATH = '/api/data_views/data_view';

type View = Readonly<Record<string, unknown>>;

class StandIn implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly views = new Map<string, View>();
  readonly logins = new Set<string | undefined>();
  /** What it refuses a login by; null: it takes all. */
  login: string | null = null;
  /** Another `setup` makes the view between our two requests. */
  isRaced = false;
  basePath = '';
  down: { status: number; body: string } | null = null;
  /** What it says when it was told to make one; null: what it made. */
  made: string | null = null;
  readonly #server = createServer((request, response) => {
    void this.#answer(request).then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json', 'kbn-name': 'stand-in' }).end(body);
    });
  });

  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.basePath}`;
  }

  async #answer(request: IncomingMessage): Promise<[number, string]> {
    const body = await text(request);
    const { method = '', url = '', headers } = request;
    this.requests.push(`${method} ${url}`);
    this.logins.add(headers.authorization);
    if (this.down !== null) return [this.down.status, this.down.body];
    if (this.login !== null && headers.authorization !== this.login) return failure(401, 'Unauthorized', 'no login');
    const path = url.startsWith(this.basePath) ? url.slice(this.basePath.length) : '';
    if (method === 'GET' && path.startsWith(`${PATH}/`)) {
      const id = path.slice(PATH.length + 1);
      const view = this.views.get(id);
      if (view === undefined) return failure(404, 'Not Found', `Saved object [index-pattern/${id}] not found`);
      return [200, JSON.stringify({ data_view: view })];
    }
    if (method === 'POST' && path === PATH) return this.#create(headers, body);
    return failure(404, 'Not Found', 'Not Found');
  }

  #create(headers: IncomingMessage['headers'], body: string): [number, string] {
    if (headers['kbn-xsrf'] === undefined)
      return failure(400, 'Bad Request', 'Request must contain a kbn-xsrf header.');
    if (headers['content-type'] !== 'application/json') return failure(415, 'Unsupported Media Type', 'no JSON');
    const { data_view: view, ...more } = JSON.parse(body) as { data_view: View };
    const unknown = [
      ...Object.keys(view).filter((key) => !VIEW_KEYS.has(key)),
      ...Object.keys(more).filter((key) => key !== 'override'),
    ];
    if (unknown.length > 0) return failure(400, 'Bad Request', `[request body]: ${unknown.join()}: not expected`);
    if (typeof view['title'] !== 'string') return failure(400, 'Bad Request', '[data_view.title]: expected string');
    const id = String(view['id']);
    if (this.isRaced) this.views.set(id, view);
    if (this.views.has(id)) return failure(400, 'Bad Request', `Saved object [index-pattern/${id}] conflict`);
    this.views.set(id, view);
    if (this.made !== null) return [200, this.made];
    return [200, JSON.stringify({ data_view: { ...view, version: 'WzUsMV0=', namespaces: ['default'] } })];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function failure(statusCode: number, error: string, message: string): [number, string] {
  return [statusCode, JSON.stringify({ statusCode, error, message })];
}

function configOf(url: string, more: Record<string, string> = {}) {
  const env = { SLUICE_ELASTICSEARCH_URL: 'http://127.0.0.1:1', SLUICE_KIBANA_URL: url, ...more };
  return loadConfig({ env, readFile: () => '' });
}

test('makes the data view once, and leaves it as somebody has changed it', async () => {
  await using kibana = new StandIn();
  const config = configOf(await kibana.listen());
  assert.deepEqual(await setUpKibana(config), ['Kibana data view sluice-logs: made']);
  assert.deepEqual(kibana.views.get('sluice-logs'), {
    id: 'sluice-logs',
    title: 'logs-sluice-*,logs-sluice.*-*',
    name: 'Sluice logs',
    timeFieldName: '@timestamp',
    allowNoIndex: true,
  });
  kibana.views.set('sluice-logs', { id: 'sluice-logs', title: 'mine-*' });
  assert.deepEqual(await setUpKibana(config), ['Kibana data view sluice-logs: is there']);
  assert.deepEqual(kibana.views.get('sluice-logs'), { id: 'sluice-logs', title: 'mine-*' });
  assert.deepEqual(kibana.requests, [`GET ${PATH}/sluice-logs`, `POST ${PATH}`, `GET ${PATH}/sluice-logs`]);
});

test('another set-up at the same time does no harm', async () => {
  await using kibana = new StandIn();
  kibana.isRaced = true;
  assert.deepEqual(await setUpKibana(configOf(await kibana.listen())), ['Kibana data view sluice-logs: is there']);
});

test('a base path and a space are kept', async () => {
  await using kibana = new StandIn();
  kibana.basePath = '/kibana/s/team';
  assert.deepEqual(await setUpKibana(configOf(`${await kibana.listen()}/`)), ['Kibana data view sluice-logs: made']);
});

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
for (const [name, env, expected] of [
  ['none', {}, undefined],
  ["Elasticsearch's key", { SLUICE_ELASTICSEARCH_API_KEY: 'a2V5' }, 'ApiKey a2V5'],
  ["Elasticsearch's token", { SLUICE_ELASTICSEARCH_BEARER_TOKEN: 't0' }, 'Bearer t0'],
  [
    "Elasticsearch's user",
    { SLUICE_ELASTICSEARCH_USERNAME: 'u', SLUICE_ELASTICSEARCH_PASSWORD: 'ü:' },
    basic('u', 'ü:'),
  ],
  ['a key of its own', { SLUICE_ELASTICSEARCH_API_KEY: 'a2V5', SLUICE_KIBANA_API_KEY: 'a2I=' }, 'ApiKey a2I='],
  [
    'a user of its own',
    { SLUICE_ELASTICSEARCH_API_KEY: 'a2V5', SLUICE_KIBANA_USERNAME: 'k', SLUICE_KIBANA_PASSWORD: 'p' },
    basic('k', 'p'),
  ],
] as const) {
  test(`login: ${name}`, async () => {
    await using kibana = new StandIn();
    await setUpKibana(configOf(await kibana.listen(), env));
    assert.deepEqual([...kibana.logins], [expected]);
  });
}

test('login: in the URL, with a % that begins nothing', async () => {
  await using kibana = new StandIn();
  await setUpKibana(configOf((await kibana.listen()).replace('://', '://k:50%25of%zz@')));
  assert.deepEqual([...kibana.logins], [basic('k', '50%25of%zz')]);
  assert.equal(kibana.views.size, 1);
});

test('what answers 200 without a data view is no Kibana', async () => {
  await using kibana = new StandIn();
  const url = await kibana.listen();
  kibana.made = '<html>welcome';
  await assert.rejects(setUpKibana(configOf(url)), /answered 200; see whether SLUICE_KIBANA_URL is Kibana's address/);
});

test('says what is wrong, and what to look at', async () => {
  await using kibana = new StandIn();
  const url = await kibana.listen();
  const rejects = (pattern: RegExp, given = url) => assert.rejects(setUpKibana(configOf(given)), pattern);
  kibana.login = basic('k', 'p');
  await rejects(/answered 401 \(no login\); look at SLUICE_KIBANA_API_KEY/);
  await rejects(/answered 401 .*http:\/\/\*{8}@|http:\/\/\*{8}@.*answered 401/, url.replace('://', '://k:wrong@'));
  kibana.login = null;
  await rejects(/answered 404 \(Not Found\); see whether SLUICE_KIBANA_URL is Kibana's address/, `${url}/elsewhere`);
  kibana.down = { status: 503, body: 'Kibana server is not ready yet' };
  await rejects(/answered 503; wait until it is ready/);
  kibana.down = { status: 200, body: '<html>a login page' };
  await rejects(/answered 200; see whether SLUICE_KIBANA_URL is Kibana's address/);
  kibana.down = { status: 302, body: '' };
  await rejects(/answered 302; see whether/);
  await rejects(/ECONNREFUSED.*look at SLUICE_KIBANA_URL/, `http://127.0.0.1:${await freePort()}`);
  await rejects(/Cannot use SLUICE_KIBANA_URL: .*give one like/, 'kibana:5601');
});

test('is nothing that the embedded store could use', () => {
  const load = () => loadConfig({ env: { SLUICE_KIBANA_URL: 'http://127.0.0.1:1' }, readFile: () => '' });
  assert.throws(load, /SLUICE_ELASTICSEARCH_URL is not set: Kibana shows/);
});

test('the file to import and what the API is sent are the same data view', () => {
  const { id, ...attributes } = (JSON.parse(dataViewBody()) as { data_view: View }).data_view;
  const lines = readFileSync('infra/kibana/sluice.ndjson', 'utf8').trimEnd().split('\n');
  assert.deepEqual(lines, [savedObjects().trimEnd()]);
  const object = JSON.parse(lines[0] ?? '') as View;
  assert.deepEqual([object['type'], object['id'], object['attributes']], ['index-pattern', id, attributes]);
});
