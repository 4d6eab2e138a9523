// What set-up asks of servers that can do more, or less, than the one the contract test runs against.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';

interface Abilities {
  readonly lifecycle: boolean;
  readonly analysisCommon: boolean;
}

/** As much of Elasticsearch as set-up meets: what it was asked, and the template and stream that it holds. */
class Server {
  readonly requests: string[] = [];
  readonly #abilities: Abilities;
  #template: string | null = null;
  #stream = false;

  constructor(abilities: Abilities) {
    this.#abilities = abilities;
  }

  answer(request: string, body: string): { status: number; text: string } {
    this.requests.push(request);
    if (request.endsWith('/_lifecycle') && !this.#abilities.lifecycle) {
      return { status: 400, text: '{"error":"no handler found for uri […] and method [GET]"}' };
    }
    if (request === 'GET /_index_template/sluice-logs') {
      return this.#template === null ? { status: 404, text: '{"status":404}' } : { status: 200, text: this.#template };
    }
    if (request === 'PUT /_index_template/sluice-logs') {
      if (body.includes('"pattern":') && !this.#abilities.analysisCommon) {
        return {
          status: 400,
          text: '{"error":{"reason":"Unknown tokenizer type [pattern] for [sluice_words]"},"status":400}',
        };
      }
      this.#template = body;
    }
    if (request === 'PUT /_data_stream/logs-sluice-default') {
      if (this.#stream)
        return { status: 400, text: '{"error":{"type":"resource_already_exists_exception"},"status":400}' };
      this.#stream = true;
    }
    return { status: 200, text: '{"acknowledged":true}' };
  }
}

async function setUpTwice(
  abilities: Abilities,
): Promise<{ first: string[]; second: string[]; third: string[]; requests: string[] }> {
  const fake = new Server(abilities);
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
  await using later = new ElasticsearchStore({ ...options, retentionMs: 90_000 });
  const first = await store.setup();
  const second = await store.setup();
  const third = await later.setup();
  server.closeAllConnections();
  server.close();
  return { first, second, third, requests: fake.requests };
}

it('uses all that a whole distribution has', async () => {
  const { first, second, third, requests } = await setUpTwice({ lifecycle: true, analysisCommon: true });
  assert.deepEqual(first, [
    'template sluice-logs: made',
    'data stream logs-sluice-default: made',
    'retention: 7d, by the data stream lifecycle',
  ]);
  assert.deepEqual(second, [
    'template sluice-logs: unchanged',
    'data stream logs-sluice-default: is there',
    'retention: 7d, by the data stream lifecycle',
  ]);
  assert.match(third[0] ?? '', /^template sluice-logs: changed; .*rollover/);
  assert.equal(third[2], 'retention: 90000ms, by the data stream lifecycle');
  assert(requests.includes('PUT /_data_stream/logs-sluice-*,logs-sluice.*-*/_lifecycle'));
});

it('says what a bare server lacks, and does without', async () => {
  const { first, second } = await setUpTwice({ lifecycle: false, analysisCommon: false });
  assert.equal(first[0], 'template sluice-logs: made');
  assert.match(first[1] ?? '', /lacks the module analysis-common/);
  assert.equal(first[2], 'data stream logs-sluice-default: made');
  assert.match(first[3] ?? '', /no data stream lifecycle/);
  assert.equal(second[0], 'template sluice-logs: unchanged');
});
