// What the read API answers, over the embedded store and a real Elasticsearch: the same as `sluice search` prints, in
// pages that go on where the one before ended.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { run as runSearch } from '../../../services/sluice/commands/search.ts';
import { Page } from '../command-runner.ts';
import { type Found, LINES, RunningApi, search, START_MS } from './running-api.ts';

const EXACT = '12345678901234567890.50';
const documents = Array.from({ length: 250 }, (_, i) => ({
  // Several at one time and sequence: a page may end among them.
  '@timestamp': new Date(START_MS + Math.floor(i / 7) * 60_000).toISOString(),
  event: { ingested: new Date(START_MS).toISOString(), sequence: 1 + Math.floor(i / 7) },
  message: `request ${i} \u{1F600} "quoted"\nand on`,
  log: { level: i % 4 === 0 ? 'error' : 'info' },
  container: { name: `web-${i % 2}` },
  attributes: { status: i % 3 === 0 ? 500 : 200, n: i },
}));

interface Place extends AsyncDisposable {
  readonly api: RunningApi;
}

async function embedded(): Promise<Place> {
  const api = await RunningApi.open();
  await api.write(documents);
  return { api, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

async function overElasticsearch(url: string): Promise<Place> {
  const stream = `logs-sluice.t${randomBytes(6).toString('hex')}-default`;
  const options = { urls: [url], connections: 2, bulkTimeoutMs: 30_000, retentionMs: 1e12 };
  const store = new ElasticsearchStore({ ...options, indexPatterns: [stream] });
  await store.setup();
  const api = await RunningApi.open({ store });
  await api.write(documents, stream);
  await fetch(`${url}/${stream}/_refresh`, { method: 'POST' });
  return {
    api,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await fetch(`${url}/_data_stream/${stream}`, { method: 'DELETE' });
    },
  };
}

const server = await elasticsearch();
describe('embedded store', () => answers(embedded));
describe('Elasticsearch store', { skip: server === null ? 'no Elasticsearch to be had' : false }, () =>
  answers(() => overElasticsearch(server?.url ?? '')),
);

type Sources = StoredDocument['source'][];
const numbers = (found: Sources): number[] => found.map(({ attributes }) => (attributes as { n: number }).n);

function answers(open: () => Promise<Place>): void {
  let place: Place;
  before(async () => {
    place = await open();
  });
  after(() => place[Symbol.asyncDispose]());
  findsDocuments(() => place.api);
  makesRows(() => place.api);
  printsLines(() => place.api);
}

function findsDocuments(running: () => RunningApi): void {
  it('all documents, each once, in pages of any size, in either order', async () => {
    const api = running();
    const { documents: whole } = await api.json(search('', { limit: '1000' }));
    assert.equal(new Set(numbers(whole)).size, documents.length);
    for (const order of ['newest', 'oldest']) {
      for (const limit of ['1000', '100', '30']) {
        const found: Sources = [];
        for (let next: string | null = ''; next !== null;) {
          const page: Found = await api.json(search('', { limit, order, after: next }));
          assert(page.documents.length <= Number(limit));
          found.push(...page.documents);
          ({ next } = page);
        }
        const expected = order === 'newest' ? whole : whole.toReversed();
        assert.equal(numbers(found).length, documents.length, `${order} ${limit}`);
        assert.deepEqual(new Set(numbers(found)), new Set(numbers(expected)));
        const times = found.map((source) => String(source['@timestamp']));
        assert.deepEqual(times, order === 'newest' ? times.toSorted().toReversed() : times.toSorted());
      }
    }
  });

  it('by a query, a name, a level and times', async () => {
    const api = running();
    const found = async (parameters: Record<string, string>): Promise<number[]> =>
      numbers((await api.json(search('status:500', { limit: '500', ...parameters }))).documents);
    const expected = (is: (n: number) => boolean): number[] =>
      documents.map(({ attributes }) => attributes.n).filter((n) => n % 3 === 0 && is(n));
    const sorted = (all: number[]): number[] => all.toSorted((a, b) => a - b);
    assert.deepEqual(
      sorted(await found({})),
      expected(() => true),
    );
    assert.deepEqual(
      sorted(await found({ name: 'web-1' })),
      expected((n) => n % 2 === 1),
    );
    assert.deepEqual(
      sorted(await found({ level: 'warn' })),
      expected((n) => n % 4 === 0),
    );
    const to = new Date(START_MS + 60_000).toISOString();
    assert.deepEqual(
      sorted(await found({ to })),
      expected((n) => n < 7),
    );
    assert.deepEqual(await found({ from: '1m' }), []);
  });
}

function makesRows(running: () => RunningApi): void {
  it('rows, a histogram, and fields', async () => {
    const api = running();
    const rows = await api.json(search('* | count by level | sort log.level'));
    assert.deepEqual(rows.columns, ['log.level', 'count']);
    assert.deepEqual(rows.rows, [
      { 'log.level': 'error', count: 63 },
      { 'log.level': 'info', count: 187 },
    ]);
    const from = new Date(START_MS).toISOString();
    const histogram = await api.json(`histogram?from=${from}&to=2026-03-01T12:36:00Z&every=12m&by=level&q=status:500`);
    const { rows: spans } = histogram;
    assert.equal(
      spans.reduce((sum, { count }) => sum + Number(count), 0),
      84,
    );
    assert.deepEqual(
      [...new Set(spans.map((row) => row['@timestamp']))],
      ['2026-03-01T12:00:00Z', '2026-03-01T12:12:00Z', '2026-03-01T12:24:00Z'],
    );
    assert.equal(histogram.every_ms, 720_000);
    const { sampled, fields } = await api.json('fields?sample=50');
    assert.equal(sampled, 50);
    const level = fields.find(({ name }) => name === 'log.level');
    assert.equal(level?.values.length, 2);
    assert.deepEqual(
      fields.filter(({ name }) => name.startsWith('attributes.')),
      [],
    );
  });

  it('hints for fields that nothing has, and no others', async () => {
    const api = running();
    assert.deepEqual((await api.json(search('lvl:error'))).hints, [
      'nothing has the field lvl; did you mean log.level?',
    ]);
    assert.deepEqual((await api.json(search('* | count by lvl'))).hints, [
      'nothing has the field lvl; did you mean log.level?',
    ]);
    assert.deepEqual((await api.json(search('level:fatal'))).hints, []);
  });
}

function printsLines(running: () => RunningApi): void {
  it('an error with a code, and the place where the query is wrong', async () => {
    const api = running();
    const wrong = await api.ask(search('level:error (timeout'));
    assert.equal(wrong.status, 400);
    assert.deepEqual(JSON.parse(wrong.body), {
      error: {
        code: 'query_wrong',
        message: 'Cannot read the query: this ( is never closed\n  level:error (timeout\n              ^',
        at: 12,
      },
    });
    const column = await api.ask(search('* | count by level | sort nothing'));
    assert.deepEqual([column.status, JSON.parse(column.body).error.code], [400, 'query_wrong']);
    assert.match(column.body, /there is no column \\"nothing\\"/);
    assert.equal((await api.ask('nothing')).status, 404);
    assert.equal((await api.ask('search', { method: 'POST' })).status, 404);
    assert.equal((await api.ask('search', { method: 'HEAD' })).status, 404);
  });

  it('lines as `sluice search --json` prints them, to the byte', async () => {
    const api = running();
    const cases = [
      ['', '-n', '7'],
      ['status:500', '-n', 'all'],
      ['* | count by container.name, 5m'],
      ['* | top 3 n'],
      ['* | stats avg(n), p99(n) by level'],
      ['* | fields @timestamp, n | head 120'],
      ['* | sort -n | fields n, message', '-n', '20'],
    ];
    for (const [query = '', , limit] of cases) {
      const stdout = new Page();
      const stderr = new Page();
      const args = [query, '--json', ...(limit === undefined ? [] : ['-n', limit])];
      const context = { config: api.config, stdout, stderr, signal: new AbortController().signal, clock: systemClock };
      // The command opens the store that the configuration names.
      if (api.store.kind === 'embedded') await runSearch(args, context);
      const asked = limit === undefined ? {} : { limit: limit === 'all' ? '1000000' : limit };
      const { body, headers } = await api.ask(search(query, asked), LINES);
      assert.equal(headers['content-type'], 'application/x-ndjson; charset=utf-8');
      assert(body.endsWith('}\n'));
      if (api.store.kind === 'embedded') assert.equal(body, stdout.text, query);
    }
  });
}

describe('what a reader may not lose', () => {
  it('numbers as they were written, and keys that mean something to JavaScript', async () => {
    await using api = await RunningApi.open();
    const attributes = `{"exact":${EXACT},"__proto__":{"a":1}}`;
    const source = `{"@timestamp":"2026-03-01T12:00:00Z","event":{"sequence":1},"attributes":${attributes}}`;
    await api.store.bulk({
      body: Buffer.from(`{"create":{}}\n${source}\n`),
      items: [
        {
          index: 'logs-sluice-default',
          id: `${'0'.repeat(32)}-0`,
          actionStart: 0,
          docStart: 14,
          docEnd: 14 + source.length,
        },
      ],
    });
    for (const options of [{}, LINES])
      assert((await api.ask('search', options)).body.includes(`"exact":${EXACT},"__proto__":{"a":1}`));
    const { fields } = await api.json('fields');
    assert(fields.some(({ name }) => name.includes('__proto__')));
  });

  it('documents that are too many bytes for one answer: the next has the rest', async () => {
    await using api = await RunningApi.open();
    // Texts that no word is made of.
    const blob = '-'.repeat(9_000_000);
    await api.write(Array.from({ length: 5 }, (_, n) => ({ message: `${n}`, attributes: { blob } })));
    const first = await api.json(search('', { limit: '5' }));
    assert(first.documents.length < 5 && first.next !== null);
    const second = await api.json(search('', { limit: '5', after: first.next ?? '' }));
    assert.equal(first.documents.length + second.documents.length, 5);
    assert.equal(second.next, null);
  });
});
