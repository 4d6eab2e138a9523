// What every store does, said once and run against both. Elasticsearch takes part where test/backends has one.
// Each implementation gets a data stream of its own, which is deleted at the end.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { BulkOutcome, Store, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { bulkRequest, type TestDocument, testId } from './store-bodies.ts';

interface Opened extends AsyncDisposable {
  readonly store: Store;
  /** Makes all that was written visible to searches. */
  refresh(): Promise<void>;
  /** What is written from now on goes to a new index, where the store has such things. */
  rollOver(): Promise<void>;
  /** Whether text is split by the rule of words.ts, or by the nearest thing that the server has. */
  readonly splitsExactly: boolean;
}

const found = await elasticsearch();
const RETENTION_MS = 3650 * 86_400_000;

describe('embedded store', () => contract('logs-sluice.contract-default', openEmbedded));
describe('elasticsearch store', { skip: found === null ? 'no Elasticsearch to be had' : false }, () => {
  const stream = `logs-sluice.t${randomBytes(6).toString('hex')}-default`;
  contract(stream, () => openElasticsearch(found?.url ?? '', stream));
});

async function openEmbedded(): Promise<Opened> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  const options = { dataDir, readOnly: false, retentionMs: RETENTION_MS, namesMax: 100_000, clock: systemClock };
  const store = await openEmbeddedStore(options);
  await store.setup();
  return {
    store,
    splitsExactly: true,
    refresh: () => Promise.resolve(),
    rollOver: () => Promise.resolve(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function openElasticsearch(url: string, stream: string): Promise<Opened> {
  const store = new ElasticsearchStore({
    urls: [url],
    connections: 3,
    bulkTimeoutMs: 30_000,
    retentionMs: RETENTION_MS,
    indexPatterns: [stream],
  });
  const lines = await store.setup();
  const ask = async (method: string, path: string) => {
    const answer = await fetch(`${url}${path}`, { method });
    await answer.text();
  };
  return {
    store,
    splitsExactly: !lines.some((line) => line.includes('analysis-common')),
    refresh: () => ask('POST', `/${stream}/_refresh`),
    rollOver: () => ask('POST', `/${stream}/_rollover`),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await ask('DELETE', `/_data_stream/${stream}`);
    },
  };
}

/** Each test works in a day of its own, so that none sees documents of another. */
function day(number: number): { since: string; until: string; at: (nanoseconds: number) => string } {
  const date = (n: number) => new Date(Date.UTC(2020, 0, n)).toISOString().slice(0, 10);
  return {
    since: `${date(number)}T00:00:00Z`,
    until: `${date(number + 1)}T00:00:00Z`,
    at: (nanoseconds) => `${date(number)}T12:00:00.${String(nanoseconds).padStart(9, '0')}Z`,
  };
}

const MANY_NAMES = 40_000;

function contract(stream: string, open: () => Promise<Opened>): void {
  let opened: Opened;
  let lastBatch = 0;
  before(async () => {
    opened = await open();
  });
  after(() => opened[Symbol.asyncDispose]());

  const numbered = (documents: readonly Record<string, unknown>[]): TestDocument[] => {
    const batch = ++lastBatch;
    return documents.map((document, i) => ({ id: testId(batch, i), index: stream, document }));
  };
  const write = async (documents: readonly TestDocument[]): Promise<BulkOutcome[]> => {
    const outcomes = await opened.store.bulk(bulkRequest(documents));
    await opened.refresh();
    return outcomes;
  };
  const search = (query: Partial<StoreQuery>): Promise<StoredDocument[]> =>
    opened.store.search({ limit: 100, order: 'oldest', ...query });
  const messages = (documents: readonly StoredDocument[]) => documents.map(({ source }) => source['message']);
  const statuses = (outcomes: readonly BulkOutcome[]) => outcomes.map(({ status }) => status);

  it('answers a ping, and a search where nothing was ever written', async () => {
    await opened.store.ping();
    assert.deepEqual(await search({}), []);
  });

  it('may be set up again', async () => {
    const lines = await opened.store.setup();
    assert(lines.length > 0 && lines.every((line) => line !== ''));
  });

  it('gives a document back as it went in', async () => {
    const { since, until, at } = day(1);
    const json = `{"@timestamp":"${at(1)}","message":"naïve \\"text\\"\\n\\u0000 😀","attributes":{"id":18446744073709551615,"price":1.50,"":{"a..b":[1,"x",null]}},"event":{"sequence":7}}`;
    const [document] = numbered([{}]);
    assert(document !== undefined);
    assert.deepEqual(statuses(await write([{ ...document, document: json }])), [201]);
    const [got] = await search({ since, until });
    assert.equal(JSON.stringify(got?.source), json.replaceAll('\\u0000', '\\u0000'));
    assert.equal(got?.id, document.id);
    assert.equal(got?.index, stream);
  });

  it('finds by a pattern that means more names than a query may list', async () => {
    const { since, until, at } = day(20);
    const PIECE = 10_000;
    for (let first = 0; first < MANY_NAMES; first += PIECE) {
      const documents = Array.from({ length: PIECE }, (_, i) => ({
        '@timestamp': at(first + i),
        service: { name: `many-${first + i}` },
        message: String(first + i),
      }));
      await opened.store.bulk(bulkRequest(numbered(documents)));
    }
    await opened.refresh();
    const query = { since, until, name: 'many-*', limit: 2 };
    assert.deepEqual(messages(await search(query)), ['0', '1']);
    assert.deepEqual(messages(await search({ ...query, order: 'newest' })), ['39999', '39998']);
    assert.deepEqual(messages(await search({ ...query, name: 'many-39*', order: 'newest', text: '3999*', limit: 1 })), [
      '39999',
    ]);
  });

  it('creates once: the same id again is 409 and changes nothing', async () => {
    const { since, until, at } = day(2);
    const [first, second] = numbered([
      { '@timestamp': at(1), message: 'first' },
      { '@timestamp': at(2), message: 'second' },
    ]);
    assert(first !== undefined && second !== undefined);
    assert.deepEqual(statuses(await write([first])), [201]);
    const other = { ...first, document: { '@timestamp': at(1), message: 'another text' } };
    assert.deepEqual(statuses(await write([other, second])), [409, 201]);
    assert.deepEqual(statuses(await write([first, second])), [409, 409]);
    assert.deepEqual(messages(await search({ since, until })), ['first', 'second']);
  });

  it('creates once within one request too', async () => {
    const { since, until, at } = day(3);
    const [document] = numbered([{ '@timestamp': at(1), message: 'twin' }]);
    assert(document !== undefined);
    assert.deepEqual(statuses(await write([document, document])), [201, 409]);
    assert.equal((await search({ since, until })).length, 1);
  });

  it('refuses single documents, with a reason, and takes the others', async () => {
    const { since, until, at } = day(4);
    const documents = numbered([
      { '@timestamp': at(1), message: 'good' },
      { '@timestamp': 'yesterday', message: 'bad time' },
      { message: 'no time' },
      { '@timestamp': '1969-12-31T23:59:59Z', message: 'too early' },
      { '@timestamp': at(2), message: 'good too' },
    ]);
    const outcomes = await write(documents);
    assert.deepEqual(statuses(outcomes), [201, 400, 400, 400, 201]);
    for (const outcome of outcomes.slice(1, 4)) {
      assert.match(outcome.errorType ?? '', /parsing_exception|illegal_argument_exception/);
      assert.notEqual(outcome.errorReason ?? '', '');
    }
    assert.deepEqual(messages(await search({ since, until })), ['good', 'good too']);
  });

  it('has the same outcomes whatever the body is a part of', async () => {
    const { at } = day(5);
    const request = bulkRequest(numbered([{ '@timestamp': at(1) }, { '@timestamp': at(2) }]));
    const larger = new Uint8Array(request.body.length + 20).fill(0x7b);
    larger.set(request.body, 10);
    const body = larger.subarray(10, 10 + request.body.length);
    assert.deepEqual(statuses(await opened.store.bulk({ ...request, body })), [201, 201]);
    assert.deepEqual(statuses(await opened.store.bulk({ ...request, body })), [409, 409]);
    assert.deepEqual(await opened.store.bulk({ body: new Uint8Array(), items: [] }), []);
  });

  it('orders by time, then by sequence', async () => {
    const { since, until, at } = day(6);
    const rows: readonly [time: number, sequence: number][] = [
      [3, 1],
      [1, 9],
      [2, 2],
      [2, 1],
      [1, 10],
    ];
    await write(
      numbered(
        rows.map(([ns, sequence]) => ({ '@timestamp': at(ns), message: `${ns}/${sequence}`, event: { sequence } })),
      ),
    );
    const oldest = ['1/9', '1/10', '2/1', '2/2', '3/1'];
    assert.deepEqual(messages(await search({ since, until })), oldest);
    assert.deepEqual(messages(await search({ since, until, order: 'newest' })), oldest.toReversed());
    assert.deepEqual(messages(await search({ since, until, order: 'newest', limit: 2 })), ['3/1', '2/2']);
  });

  it('bounds time to the nanosecond: since is inside, until is not', async () => {
    const { at } = day(7);
    await write(numbered([998, 999, 1000, 1001].map((ns) => ({ '@timestamp': at(ns), message: String(ns) }))));
    const check = async (query: Partial<StoreQuery>, expected: string[]) =>
      assert.deepEqual(messages(await search(query)), expected);
    await check({ since: at(998), until: at(1002) }, ['998', '999', '1000', '1001']);
    await check({ since: at(999), until: at(1001) }, ['999', '1000']);
    await check({ since: at(1000), until: at(1000) }, []);
    await check({ since: '2020-01-07T13:00:00.000000999+01:00', until: '2020-01-07T12:00:00.000001000Z' }, ['999']);
    await check({ since: '2020-01-07', until: at(999) }, ['998']);
    await check({ since: '1066-10-14', until: '1970-01-02' }, []);
  });

  it('finds by name', async () => {
    const { since, until, at } = day(8);
    const id = 'c0ffee'.padEnd(64, '0');
    const origins: Record<string, unknown>[] = [
      { container: { id, name: 'web-1' }, fluentd: { tag: 'docker.web' } },
      { container: { id: 'd'.repeat(64), name: 'web-2' }, fluentd: { tag: 'docker.web' } },
      { service: { name: 'billing' }, fluentd: { tag: 'app.billing' } },
      { fluentd: { tag: 'app?[x]' } },
    ];
    await write(numbered(origins.map((origin, i) => ({ '@timestamp': at(i), message: String(i), ...origin }))));
    const check = async (name: string, expected: string[]) =>
      assert.deepEqual(messages(await search({ since, until, name })), expected, name);
    await check('web-1', ['0']);
    await check('web', []);
    await check('WEB-1', []);
    await check('web-*', ['0', '1']);
    await check('*', ['0', '1', '2', '3']);
    await check('c0ff', ['0']);
    await check('c0f', []);
    await check(id, ['0']);
    await check('billing', ['2']);
    await check('docker.web', ['0', '1']);
    await check('app.*', ['2']);
    await check('app?[x]', ['3']);
    await check('app?*', ['3']);
    await check('*[x]', ['3']);
    await check('', []);
  });

  it('finds by text', async () => {
    const { since, until, at } = day(9);
    const texts = [
      'Connection refused by peer', // 0
      'connection to peer was refused', // 1
      'user_id=42 snake_case', // 2
      '数据库连接失败 on node7', // 3
      'データベース 接続', // 4
      'GRÖSSE größer', // 5
      'ERROR: [main] disk/full (95%)', // 6
    ];
    await write(numbered(texts.map((message, i) => ({ '@timestamp': at(i), message }))));
    const check = async (text: string, expected: number[]) =>
      assert.deepEqual(
        (await search({ since, until, text })).map(({ source }) => texts.indexOf(String(source['message']))),
        expected,
        text,
      );
    await check('refused', [0, 1]);
    await check('REFUSED connection', [0, 1]);
    await check('"connection refused"', [0]);
    await check('connection-refused', [0]);
    await check('refus', []);
    await check('refus*', [0, 1]);
    await check('"by pe*"', [0]);
    await check('"connection ref*" peer', [0]);
    await check('user_id', [2]);
    await check('user', []);
    await check('snake', []);
    await check('42', [2]);
    await check('数据库', [3]);
    await check('连接', [3]);
    await check('接连', []);
    await check('失', [3]);
    await check('node7 连接', [3]);
    await check('接続', [4]);
    await check('grösse', [5]);
    await check('größer', [5]);
    await check('grosse', []);
    await check('main disk', [6]);
    await check('95%', [6]);
    await check('"main disk full"', [6]);
    await check('', [0, 1, 2, 3, 4, 5, 6]);
    await check('-- "" * " AND (', []);
    await check('-- "" * " (', [0, 1, 2, 3, 4, 5, 6]);
    await check('NEAR(refused) OR', []);
    await check('message:refused', []);
  });

  it('splits text at all but letters, digits and `_`', async (test) => {
    const { since, until, at } = day(10);
    const texts = ['10.0.0.1 app.web', 'key:value 1,000', 'カタカナ', '한국어', "don't"];
    await write(numbered(texts.map((message, i) => ({ '@timestamp': at(i), message }))));
    const differing: string[] = [];
    const check = async (text: string, expected: number[]) => {
      const documents = await search({ since, until, text });
      const got = documents.map(({ source }) => texts.indexOf(String(source['message'])));
      if (opened.splitsExactly) assert.deepEqual(got, expected, text);
      else if (JSON.stringify(got) !== JSON.stringify(expected)) differing.push(`${text} found [${got.join()}]`);
    };
    await check('web', [0]);
    await check('"0 0"', [0]);
    await check('value', [1]);
    await check('000', [1]);
    await check('カナ', [2]);
    await check('국', [3]);
    await check('don', [4]);
    // What is typed whole is found whatever the server splits by.
    for (const [i, text] of ['10.0.0.1', 'key:value', 'カタカナ', '한국어', "don't"].entries()) {
      assert.deepEqual(messages(await search({ since, until, text })), [texts[i]], text);
    }
    if (opened.splitsExactly) return;
    // The server has no module analysis-common: these are the cases in which its standard tokenizer leaves words whole.
    assert.deepEqual(differing, [
      'web found []',
      '"0 0" found []',
      'value found []',
      '000 found []',
      'カナ found []',
      '국 found []',
      'don found []',
    ]);
    test.diagnostic(`differs by the standard tokenizer: ${differing.join('; ')}`);
  });

  it('finds words inside attributes', async () => {
    const { since, until, at } = day(11);
    const attributes: Record<string, unknown>[] = [
      { error: 'Connection refused: 10.0.0.1', code: 111 },
      { nested: { list: ['alpha beta', 'gamma'] }, ok: true },
      { text: '数据库连接失败', größe: 'Überlänge' },
      { snake: 'user_id' },
    ];
    await write(numbered(attributes.map((given, i) => ({ '@timestamp': at(i), message: `m${i}`, attributes: given }))));
    const check = async (text: string, expected: string[]) =>
      assert.deepEqual(messages(await search({ since, until, text })), expected, text);
    await check('refused', ['m0']);
    await check('REFUSED connection', ['m0']);
    await check('"connection refused"', ['m0']);
    await check('10.0.0.1', ['m0']);
    await check('0.0', ['m0']);
    await check('111', ['m0']);
    await check('11', []);
    await check('11*', ['m0']);
    await check('m0 refused', ['m0']);
    await check('m1 refused', []);
    await check('beta gamma', ['m1']);
    await check('"beta gamma"', []);
    await check('true', ['m1']);
    await check('连接', ['m2']);
    await check('überlänge', ['m2']);
    await check('länge', []);
    await check('user', []);
    await check('user_id', ['m3']);
    await check('error', []);
  });

  it('gives pages that neither skip nor repeat, also where time and sequence are the same', async () => {
    const { since, until, at } = day(12);
    const documents = numbered(
      Array.from({ length: 50 }, (_, i) => ({
        '@timestamp': at(Math.floor(i / 20)),
        message: String(i),
        event: { sequence: i % 20 < 15 ? 1 : 2 },
      })),
    );
    await write(documents);
    const expected = documents.map(({ id }) => id).toSorted();
    for (const order of ['oldest', 'newest'] as const) {
      for (const limit of [1, 7, 50]) {
        const ids: string[] = [];
        for (let page = await search({ since, until, order, limit }); page.length > 0;) {
          for (const { id } of page) ids.push(id);
          page = await search({ since, until, order, limit, after: page.at(-1)?.sort ?? [] });
        }
        assert.deepEqual(ids.toSorted(), expected, `${order} by ${limit}`);
      }
    }
  });

  it('gives large documents in pages of bounded bytes, each once', async () => {
    const { since, until, at } = day(17);
    const sizes = [1, 3, 3, 3, 3, 3, 7, 1, 3, 0, 0, 0].map((mib) => mib * 1024 * 1024);
    const documents = numbered(
      sizes.map((size, i) => ({
        '@timestamp': at(Math.floor(i / 4)),
        message: `large ${'word '.repeat(size / 5)}`,
        event: { sequence: 1, ingested: at(0) },
      })),
    );
    for (const document of documents) assert.deepEqual(statuses(await write([document])), [201]);
    for (const query of [{}, { text: 'large' }, { ingestedSinceMs: 0, ingestedUntilMs: Date.parse(until) }]) {
      const ids: string[] = [];
      for await (const page of opened.store.pages({ since, until, order: 'oldest', limit: 50, ...query })) {
        assert(page.documents.length === 1 || page.bytes < 34 * 1024 * 1024, `${page.bytes} bytes`);
        for (const { id } of page.documents) ids.push(id);
      }
      assert.deepEqual(ids.toSorted(), documents.map(({ id }) => id).toSorted(), JSON.stringify(query));
    }
  });

  it('takes words of any length, and finds them by what was typed', async () => {
    const { since, until, at } = day(18);
    const words = ['x'.repeat(40_000), 'é'.repeat(20_000), '𝒳'.repeat(9000), 'y'.repeat(8192), 'z'.repeat(8191)];
    const outcomes = await write(
      numbered(words.map((word, i) => ({ '@timestamp': at(i), message: `before ${word} after` }))),
    );
    assert.deepEqual(statuses(outcomes), [201, 201, 201, 201, 201]);
    assert.equal((await search({ since, until, text: 'before after' })).length, 5);
    assert.deepEqual(await search({ since, until, name: 'x'.repeat(40_000) }), []);
    for (const [i, word] of words.entries()) {
      for (const text of [
        word,
        `"${word} after"`,
        `${word.slice(0, 100)}*`,
        ...(opened.splitsExactly ? [`${word}*`] : []),
      ]) {
        const ids = (await search({ since, until, text })).map(({ source }) => source['@timestamp']);
        assert.deepEqual(ids, [at(i)], `${text.length} characters of ${word.slice(0, 2)}`);
      }
    }
  });

  it('finds what was ingested since', async () => {
    const { since, until, at } = day(13);
    const ingested = Date.UTC(2026, 0, 1);
    await write(
      numbered(
        [0, 1, 2, 3].map((i) => ({
          '@timestamp': at(9 - i),
          message: String(i),
          event: { ingested: new Date(ingested + i).toISOString(), sequence: i },
        })),
      ),
    );
    assert.deepEqual(messages(await search({ since, until, ingestedSinceMs: ingested + 2 })), ['3', '2']);
    assert.deepEqual(messages(await search({ since, until, ingestedSinceMs: ingested + 4 })), []);
    const between = { ingestedSinceMs: ingested + 1, ingestedUntilMs: ingested + 3 };
    assert.deepEqual(messages(await search({ since, until, ...between })), ['2', '1']);
  });

  it('takes and gives 10,000 documents at once', async () => {
    const { since, until, at } = day(14);
    const count = 10_500;
    const documents = numbered(
      Array.from({ length: count }, (_, i) => ({ '@timestamp': at(i), message: `line ${i}`, event: { sequence: i } })),
    );
    const outcomes = await write(documents);
    assert.equal(outcomes.length, count);
    assert(outcomes.every(({ status }) => status === 201));
    const got = await search({ since, until, limit: count + 1 });
    assert.deepEqual(
      got.map(({ id }) => id),
      documents.map(({ id }) => id),
    );
    assert.equal((await search({ since, until, text: 'line', limit: 20_000 })).length, count);
  });

  it('knows what is there after a rollover, also what no search finds yet', async () => {
    const { store } = opened;
    const { at } = day(16);
    const [old, alsoOld, later, never] = numbered([{}, {}, {}, {}].map((_, i) => ({ '@timestamp': at(i) })));
    assert(old && alsoOld && later && never);
    assert.deepEqual(statuses(await store.bulk(bulkRequest([old, alsoOld]))), [201, 201]);
    await opened.rollOver();
    assert.deepEqual(statuses(await store.bulk(bulkRequest([later]))), [201]);

    const indices = await store.backingIndices(stream);
    // A store that takes a name once for all time.
    if (indices.length === 0) return assert.deepEqual(statuses(await store.bulk(bulkRequest([old]))), [409]);
    const [first, write] = indices;
    assert(first && write && indices.length === 2);
    assert(Math.abs(write.createdMs - Date.now()) < 60_000, `made at ${write.createdMs}`);
    // Of 3,000 ids, so that more than one question is needed.
    const others = Array.from({ length: 3000 }, (_, i) => testId(1_000_000, i));
    const ids = [...others, ...[old, alsoOld, later, never].map(({ id }) => id)];
    assert.deepEqual(await store.idsIn(first.name, ids), new Set([old.id, alsoOld.id]));
    assert.deepEqual(await store.idsIn(write.name, ids), new Set([later.id]));
    assert.deepEqual(await store.idsIn('.ds-logs-sluice.nobody-000001', ids), new Set());

    const [again] = await store.bulk(bulkRequest([old]));
    assert.deepEqual([again?.status, again?.backing], [201, write.name], 'the name is free there, and the index told');
    const [conflict] = await store.bulk(bulkRequest([later]));
    assert.deepEqual([conflict?.status, conflict?.backing], [409, write.name]);
    await store.remove(write.name, [old.id, never.id]);
    await store.remove(write.name, [old.id]);
    assert.deepEqual(
      await store.idsIn(write.name, ids),
      new Set([later.id]),
      'a second copy is deleted, in that index only',
    );
    assert.deepEqual(await store.idsIn(first.name, ids), new Set([old.id, alsoOld.id]));
  });

  it('knows of no index where nothing was written', async () => {
    assert.deepEqual(await opened.store.backingIndices('logs-sluice.nobody-default'), []);
  });

  it('takes a probe, and nobody finds it', async () => {
    assert.equal((await opened.store.probe(stream)).status, 201);
    await opened.refresh();
    assert.deepEqual(await search({ until: '2000-01-01T00:00:00Z' }), []);
  });

  it('rejects with the reason of the signal that was aborted', async () => {
    const reason = new Error('enough');
    await assert.rejects(opened.store.search({ limit: 1, order: 'oldest' }, AbortSignal.abort(reason)), reason);
    const request = bulkRequest(numbered([{ '@timestamp': day(15).at(1) }]));
    await assert.rejects(opened.store.bulk(request, AbortSignal.abort(reason)), reason);
  });
}
