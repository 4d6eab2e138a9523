// What comes back from each index mode, on a real server: the document that went in. Under a basic licence logsdb keeps
// the source as it came; otherwise it puts the source together from the fields, which may change the order of keys and
// the zeros at a time's end, and nothing else.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { ATTRIBUTE_NUMBERS, type IndexLayout, templatesOf } from '#shared/store/elasticsearch/template.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import { parseInstant } from '#shared/store/instant.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const T = '"@timestamp":"2026-01-02T03:04:05.678901234Z"';
const EVENT = '"event":{"ingested":"2026-01-02T03:04:05.678Z","sequence":0}';
const FIRST = `{${T},"message":"hello  world","stream":"stdout",${EVENT}}`;
const ATTRIBUTES =
  '{"z":1,"a":[3,1,2,1],"n":null,"e":[],"o":{},"t":true,"f":1.0,"u":18446744073709551615,"i":-9223372036854775808,' +
  '"d":0.1,"s":"1","neg":-0.0,"m":[{"k":1},{"j":[2,"x",null,[[]]]},{"k":3}],"deep":{"b":{"c":"d"}},"dot.ted":"v",' +
  `"dot":{"ted":"w"},"":"empty","nan":"NaN","nul":"a\\u0000b","same":["x","x"],"long":"${'x'.repeat(9000)}"}`;
const DOCUMENTS: readonly string[] = [
  FIRST,
  // Zeros at the end of a time, keys in another order.
  '{"message":"","event":{"sequence":1767323045000123,"ingested":"2026-01-02T03:04:05.000Z"},"host":{"name":"h"},' +
    '"@timestamp":"2026-01-02T03:04:06.000000000Z"}',
  `{${T},"message":"m","log":{"flags":["partial","as_text","partial"],"level":"warn"}}`,
  `{${T},"message":"m","log":{"flags":["partial"]}}`,
  `{${T},"message":"needle","attributes":${ATTRIBUTES}}`,
  `{${T},"message":"m","kubernetes":{"labels":{"b":"2","a.b/c":"1","n":1},` +
    `"annotations":{"x":["b","a"]},"pod":{"name":"p"}}}`,
  `{${T},"message":"m","stream":"${'s'.repeat(2000)}","container":{"name":"${'ü'.repeat(1500)}","id":"i"}}`,
  `{${T},"message":"\\u0000 \\ud83d\\ude00 ${'long '.repeat(20_000)}"}`,
  `{${T}}`,
  `{${T},"message":"m","attributes":{"status":500},"attribute_numbers":["status\\u0000h5"],${EVENT}}`,
  `{${T},"message":"a\\nb","log":{"level":"error","lines":4,"line_offsets":[0,7,7,-3],"flags":["multiline"]},${EVENT}}`,
  // Lines beside their messages: short, empty, longer than what any field is limited to, with what JSON escapes.
  ...['INFO ready', '', `WARN ${'ü'.repeat(40_000)}`, '\u0000\u{1f600} "\\\n\t'].map(
    (line) => `{${T},"message":"ready","event":{"sequence":7,"original":${JSON.stringify(line)}}}`,
  ),
];

/** What a server sets by itself where its licence has no synthetic source. */
const STORED = { 'index.mapping.source.mode': 'stored' };

const server = await elasticsearch();
const url = server?.url ?? '';

async function ask(method: string, path: string, body?: object): Promise<string> {
  const sent = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(url + path, { method, ...sent });
  const text = await answer.text();
  assert(answer.ok, `${method} ${path}: ${text}`);
  return text;
}

type Source = Record<string, unknown>;

/** With its times as numbers of nanoseconds; as text, keys in order, numbers as they were written. */
function comparable(source: Source): string {
  const event = source['event'] as Source | undefined;
  const times = { '@timestamp': instantOf(source['@timestamp']) };
  return canonical({
    ...source,
    ...times,
    ...(event?.['ingested'] !== undefined && { event: { ...event, ingested: instantOf(event['ingested']) } }),
  });
}

function instantOf(value: unknown): string {
  return String(parseInstant(String(value)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

suite('index modes', { skip: server ? false : 'SKIPPED: no Elasticsearch' }, () => {
  for (const [name, layout, more, isSame] of [
    ['standard', { mode: 'standard' }, {}, true],
    ['logsdb under a basic licence', { mode: 'logsdb' }, {}, true],
    ['logsdb', { mode: 'logsdb', hasSyntheticSource: true }, {}, false],
    ['logsdb without event.original', { mode: 'logsdb', keepsOriginal: false }, {}, false],
    ['logsdb whose licence ran out', { mode: 'logsdb', hasSyntheticSource: true }, STORED, true],
  ] as const satisfies readonly (readonly [string, IndexLayout, object, boolean])[]) {
    test(name, async () => {
      const stream = `logs-sluice.m${randomBytes(6).toString('hex')}-default`;
      const [mapped, set] = templatesOf({ splitting: 'standard', layout }).map(
        ({ body }) => (JSON.parse(body) as { template: { settings: object; mappings: object } }).template,
      );
      const settings = { ...mapped?.settings, ...set?.settings, ...more };
      const template = { settings, mappings: mapped?.mappings };
      await ask('PUT', `/_index_template/${stream}`, {
        index_patterns: [stream],
        priority: 900,
        data_stream: {},
        template,
      });
      await ask('PUT', `/_data_stream/${stream}`);
      const options = { urls: [url], connections: 1, bulkTimeoutMs: 30_000, retentionMs: 86_400_000 };
      await using store = new ElasticsearchStore({ ...options, indexPatterns: [stream] });
      const request = (): ReturnType<typeof bulkRequest> =>
        bulkRequest(DOCUMENTS.map((document, i) => ({ id: testId(1, i), index: stream, document })));
      const statuses = async () => (await store.bulk(request())).map(({ status }) => status);
      try {
        assert.deepEqual(new Set(await statuses()), new Set([201]));
        // From the segments, not from what is still in memory.
        await ask('POST', `/${stream}/_flush`);
        await ask('POST', `/${stream}/_forcemerge?max_num_segments=1`);
        await ask('POST', `/${stream}/_refresh`);
        assert.deepEqual(new Set(await statuses()), new Set([409]));
        const found = await store.search({ order: 'oldest', limit: 100 });
        assert.equal(found.length, DOCUMENTS.length);
        for (const [i, document] of DOCUMENTS.entries()) {
          const source = found.find(({ id }) => id === testId(1, i))?.source;
          assert(source);
          const wanted = parseExactJson(document) as Source;
          // Written for the index; never shown.
          delete wanted[ATTRIBUTE_NUMBERS];
          const [got, expected] = isSame
            ? [JSON.stringify(source), JSON.stringify(wanted)]
            : [comparable(source), comparable(wanted)];
          assert(got === expected, `${got.slice(0, 1000)}\nis not\n${expected.slice(0, 1000)}`);
        }
        const text = async (query: string) => (await store.search({ text: query, order: 'oldest', limit: 9 })).length;
        const parsed = parseQuery('status>=500', { nowMs: 0 });
        assert('where' in parsed);
        assert.equal((await store.search({ where: parsed.where, order: 'oldest', limit: 9 })).length, 1);
        assert.deepEqual([await text('needle'), await text('18446744073709551615'), await text('empty')], [1, 1, 1]);
      } finally {
        await ask('DELETE', `/_data_stream/${stream}`);
        await ask('DELETE', `/_index_template/${stream}`);
      }
    });
  }
});
