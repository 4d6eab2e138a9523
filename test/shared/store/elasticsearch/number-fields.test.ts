// Numbers of attributes as fields, in a real Elasticsearch: averages are right, whatever else a key holds in other
// documents, and thousands of keys refuse no document and stay within the limit of the mapping.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { NumberFields } from '#indexer/parse/number-fields.ts';
import { templatesOf } from '#shared/store/elasticsearch/template.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { batch } from '#test/indexer/parse/documents.ts';

const KEYS = 5000;
const DOCUMENTS = 1000;
const KEYS_OF_DOCUMENT = 50;
const server = await elasticsearch();
const index = `sluice-numbers-${randomBytes(4).toString('hex')}`;

interface Body {
  readonly template: { readonly settings?: object; readonly mappings?: object };
}

/** As a data stream has them. */
function contentOf(): object {
  const templates = templatesOf({ splitting: 'standard', layout: { hasNumberFields: true } });
  const bodies = templates.map(({ body }) => (JSON.parse(body) as Body).template);
  return {
    mappings: bodies[0]?.mappings,
    settings: { ...bodies[0]?.settings, ...bodies[1]?.settings, 'index.number_of_replicas': 0 },
  };
}

async function ask(method: string, path: string, body?: string | Buffer): Promise<Record<string, unknown>> {
  const type = path.startsWith('/_bulk') ? 'application/x-ndjson' : 'application/json';
  const answer = await fetch(`${server?.url ?? ''}${path}`, {
    method,
    headers: { 'content-type': type },
    ...(body !== undefined && { body }),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Of several indexers, each of which begins with other keys: together they have more than the mapping takes. */
test('5,000 keys from ten indexers', { skip: server === null ? 'no Elasticsearch to be had' : false }, async () => {
  await ask('PUT', `/${index}`, JSON.stringify(contentOf()));
  try {
    let sum = 0;
    for (let indexer = 0; indexer < 10; indexer += 1) {
      const body = new BulkBody();
      const fields = new NumberFields(500);
      const writer = new DocumentWriter(body, { dataStream: index, listsNumbers: true, numberFields: fields });
      writer.startBatch({ ...batch, id: Buffer.alloc(16, indexer), seq: 0 }, batch.receivedMs);
      for (let i = 0; i < DOCUMENTS / 10; i += 1) {
        const number = indexer * 100 + i;
        const record: Record<string, unknown> = {
          took: i % 2 === 0 ? number : String(number),
          a: i % 3 === 0 ? 1 : { b: 2 },
        };
        for (let k = 0; k < KEYS_OF_DOCUMENT; k += 1) record[`key.${(number * KEYS_OF_DOCUMENT + k) % KEYS}`] = k;
        const entry = encode([1_600_000_000, { log: String(number), ...record }]);
        assert.equal(writer.write(entry, 0, entry.length, i), 'ok');
        sum += number;
      }
      const { body: bytes } = body.request();
      const { errors } = await ask('POST', '/_bulk?filter_path=errors', Buffer.from(bytes));
      assert.equal(errors, false);
      assert.equal(fields.size, 500);
    }
    await ask('POST', `/${index}/_refresh`);
    const aggs = { took: { avg: { field: 'numbers.took' } }, b: { sum: { field: 'numbers.a_b' } } };
    const found = await ask('POST', `/${index}/_search?size=0`, JSON.stringify({ aggs, track_total_hits: true }));
    assert.deepEqual((found['hits'] as { total: { value: number } }).total.value, DOCUMENTS);
    const { took, b } = found['aggregations'] as Record<string, { value: number }>;
    assert.equal(took?.value, sum / DOCUMENTS);
    assert.equal(b?.value, 2 * 660);
    const mapping = JSON.stringify(await ask('GET', `/${index}/_mapping`));
    const mapped = mapping.split('"type":"double"').length - 1;
    assert.ok(mapped > 500 && mapped < 1000, `${mapped} fields of numbers`);
  } finally {
    await ask('DELETE', `/${index}`);
  }
});
