// What set-up asks of servers that can do more, or less, than the one the contract test runs against.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { ignoresBeyondLimit } from '#shared/store/elasticsearch/setup.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';

interface Abilities {
  readonly lifecycle: boolean;
  readonly analysisCommon: boolean;
  readonly compactNumbers: boolean;
  /** Whether its licence has it. */
  readonly syntheticSource: boolean;
}

/** As much of Elasticsearch as set-up meets: what it was asked, and the templates and stream that it holds. */
class Server {
  readonly requests: string[] = [];
  readonly templates = new Map<string, string>();
  readonly #abilities: Abilities;
  #stream = false;

  constructor(abilities: Abilities) {
    this.#abilities = abilities;
  }

  answer(request: string, body: string): { status: number; text: string } {
    this.requests.push(request);
    if (request.endsWith('/_lifecycle') && !this.#abilities.lifecycle) {
      return { status: 400, text: '{"error":"no handler found for uri […] and method [GET]"}' };
    }
    if (request === 'POST /_index_template/_simulate') return this.#simulated(body);
    const [, method, path, query] = /^(GET|PUT) (\/_(?:index|component)_template\/[^?]+)(.*)$/.exec(request) ?? [];
    if (path !== undefined) {
      const held = this.templates.get(path);
      if (method === 'GET')
        return held === undefined ? { status: 404, text: '{"status":404}' } : { status: 200, text: held };
      if (body.includes('"simple_pattern"') && !this.#abilities.analysisCommon) {
        return {
          status: 400,
          text: '{"error":{"reason":"Unknown tokenizer type [simple_pattern] for [sluice_words]"},"status":400}',
        };
      }
      const newer = /index\.(?:use_time_series\w+|seq_no\.index_options)/.exec(body)?.[0];
      if (newer !== undefined && !this.#abilities.compactNumbers)
        return refusal(`unknown setting [${newer}] please check that any required plugins are installed`);
      if (query === '?create=true' && held !== undefined) return refusal('component template [x] already exists');
      const missing = composedOf(body).find((name) => !this.templates.has(`/_component_template/${name}`));
      if (missing !== undefined) return refusal(`component templates [${missing}] that do not exist`);
      this.templates.set(path, body);
    }
    if (request === 'PUT /_data_stream/logs-sluice-default') {
      if (this.#stream)
        return { status: 400, text: '{"error":{"type":"resource_already_exists_exception"},"status":400}' };
      this.#stream = true;
    }
    return { status: 200, text: '{"acknowledged":true}' };
  }

  /** An index as the template would make it. */
  #simulated(body: string): { status: number; text: string } {
    const isLogsdb = body.includes('"index.mode":"logsdb"');
    const mapping = isLogsdb && !this.#abilities.syntheticSource && { mapping: { source: { mode: 'stored' } } };
    const settings = { index: { ...mapping, mode: isLogsdb ? 'logsdb' : 'standard' } };
    return {
      status: 200,
      text: JSON.stringify({ template: { settings, mappings: {}, aliases: {} }, overlapping: [] }),
    };
  }
}

function refusal(reason: string): { status: number; text: string } {
  return { status: 400, text: JSON.stringify({ error: { type: 'illegal_argument_exception', reason }, status: 400 }) };
}

function composedOf(body: string): readonly string[] {
  return (JSON.parse(body) as { composed_of?: string[] }).composed_of ?? [];
}

type Setups = { first: string[]; second: string[]; third: string[] };

async function setUpTwice(abilities: Abilities, fake = new Server(abilities)): Promise<Setups & { fake: Server }> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      const { status, text } = fake.answer(`${request.method} ${request.url}`, body);
      response
        .writeHead(status, { 'x-elastic-product': 'Elasticsearch', 'content-type': 'application/json' })
        .end(text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const options = {
    urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
    connections: 1,
    bulkTimeoutMs: 10_000,
  };
  await using store = new ElasticsearchStore({ ...options, retentionMs: 7 * 86_400_000 });
  await using later = new ElasticsearchStore({
    ...options,
    retentionMs: 90_000,
    layout: { mode: 'logsdb' },
  });
  try {
    const first = await store.setup();
    const second = await store.setup();
    const third = await later.setup();
    return { first, second, third, fake };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const WHOLE = { lifecycle: true, analysisCommon: true, compactNumbers: true, syntheticSource: true };
const ROLLOVER = 'a data stream takes it up at its next rollover (POST /logs-sluice-default/_rollover)';

it('uses all that a whole distribution has', async () => {
  const { first, second, third, fake } = await setUpTwice(WHOLE);
  assert.deepEqual(first, [
    'template sluice-logs@custom: made, for settings and fields of your own',
    'template sluice-logs@mappings: made',
    'template sluice-logs@settings: made',
    'template sluice-logs: made',
    'data stream logs-sluice-default: made',
    'retention: 7d, by the data stream lifecycle',
  ]);
  assert.deepEqual(second, [
    'template sluice-logs@custom: yours, left as it is',
    'template sluice-logs@mappings: unchanged',
    'template sluice-logs@settings: unchanged',
    'template sluice-logs: unchanged',
    'data stream logs-sluice-default: is there',
    'retention: 7d, by the data stream lifecycle',
  ]);
  assert.deepEqual(third.slice(1, 4), [
    `template sluice-logs@mappings: changed; ${ROLLOVER}`,
    `template sluice-logs@settings: changed; ${ROLLOVER}`,
    `template sluice-logs: changed; ${ROLLOVER}`,
  ]);
  assert.equal(third.at(-1), 'retention: 90000ms, by the data stream lifecycle');
  assert(fake.requests.includes('PUT /_data_stream/logs-sluice-*,logs-sluice.*-*/_lifecycle'));
});

it('says what a bare server lacks, and does without', async () => {
  const { first, second } = await setUpTwice({ ...WHOLE, lifecycle: false, analysisCommon: false });
  assert.equal(first[1], 'template sluice-logs@mappings: made');
  assert.match(first[2] ?? '', /lacks the module analysis-common/);
  assert.equal(first[4], 'template sluice-logs: made');
  assert.match(first[6] ?? '', /no data stream lifecycle/);
  assert.equal(second[1], 'template sluice-logs@mappings: unchanged');
  assert.match(second[2] ?? '', /lacks the module analysis-common/);
});

it('keeps numbers plainly where the server is older, and says so', async () => {
  const { first, second, third, fake } = await setUpTwice({ ...WHOLE, compactNumbers: false });
  assert.equal(first[2], 'template sluice-logs@settings: made');
  assert.match(first[3] ?? '', /^disk: .* about 8 % more/);
  assert.equal(first[4], 'template sluice-logs: made');
  assert.equal(second[2], 'template sluice-logs@settings: unchanged');
  assert.match(second[3] ?? '', /^disk: /);
  assert(!third.some((line) => line.startsWith('disk:')), 'logsdb keeps them so anyway');
  assert.doesNotMatch(fake.templates.get('/_component_template/sluice-logs@settings') ?? '', /use_time_series/);
});

it('keeps sources as they came in logsdb where the licence has nothing else, and says so', async () => {
  const { first, third, fake } = await setUpTwice({ ...WHOLE, syntheticSource: false });
  assert(!first.some((line) => line.startsWith('disk:')), 'nobody asked for logsdb');
  assert.match(third.find((line) => line.startsWith('disk:')) ?? '', /without a licence for synthetic source/);
  const mappings = fake.templates.get('/_component_template/sluice-logs@mappings') ?? '';
  assert.doesNotMatch(mappings, /"store":true/, 'they would be kept twice');
  assert.match(fake.templates.get('/_component_template/sluice-logs@settings') ?? '', /source.mode":"stored"/);
});

it('keeps lines and messages side by side where sources are put together from fields', async () => {
  const { third, fake } = await setUpTwice(WHOLE);
  assert(!third.some((line) => line.startsWith('disk:')), third.join('\n'));
  const mappings = fake.templates.get('/_component_template/sluice-logs@mappings') ?? '';
  assert.equal(mappings.match(/"store":true/g)?.length, 2);
  assert.doesNotMatch(fake.templates.get('/_component_template/sluice-logs@settings') ?? '', /source.mode/);
});

it('never overwrites what is the user’s, and takes the place of the one template of before', async () => {
  const custom = '{"template":{"settings":{"index.number_of_replicas":2}}}';
  const fake = new Server(WHOLE);
  fake.templates.set('/_component_template/sluice-logs@custom', custom);
  fake.templates.set('/_index_template/sluice-logs', '{"_meta":{"fingerprint":"00112233"},"template":{"mappings":{}}}');
  const { first } = await setUpTwice(WHOLE, fake);
  assert.equal(first[0], 'template sluice-logs@custom: yours, left as it is');
  assert.equal(first[3], `template sluice-logs: changed; ${ROLLOVER}`);
  assert.equal(fake.templates.get('/_component_template/sluice-logs@custom'), custom);
  const put = fake.templates.get('/_index_template/sluice-logs') ?? '';
  assert.deepEqual(composedOf(put), ['sluice-logs@mappings', 'sluice-logs@settings', 'sluice-logs@custom']);
});

for (const refused of ['sluice-logs@mappings', 'sluice-logs@settings', 'sluice-logs']) {
  it(`does not pass over what the user’s own tokenizer makes impossible: ${refused}`, async () => {
    class Refusing extends Server {
      override answer(request: string, body: string): { status: number; text: string } {
        const isRefused = request.startsWith('PUT ') && request.endsWith(`_template/${refused}`);
        return isRefused ? refusal('Unknown tokenizer type [mine] for [my_words]') : super.answer(request, body);
      }
    }
    await assert.rejects(setUpTwice(WHOLE, new Refusing(WHOLE)), (error: Error) => {
      assert(error.message.includes(`the template ${refused} is refused`), error.message);
      assert.match(error.message, /tokenizer type \[mine\].*sluice-logs@custom/);
      return true;
    });
  });
}

it('relies on a limit of fields that refuses nothing only where the server is known to have it', () => {
  const check = (version: string, expected: boolean) => assert.equal(ignoresBeyondLimit(version), expected, version);
  check('9.5.3', true);
  check('8.14.0', true);
  check('10.0.0-SNAPSHOT', true);
  check('8.13.4', false);
  check('7.17.29', false);
  check('unknown', false);
  check('', false);
});
