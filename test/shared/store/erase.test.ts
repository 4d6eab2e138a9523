// Erasing from both stores: what a query finds goes, what it does not find stays, and twice is harmless.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchEraser } from '#shared/store/elasticsearch/eraser.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { EmbeddedEraser } from '#shared/store/embedded/eraser.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { EraseQuery, StoreEraser } from '#shared/store/erase.ts';
import type { Store } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { opensearch } from '#test/backends/opensearch.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const servers = [
  { name: 'Elasticsearch', server: await elasticsearch() },
  { name: 'OpenSearch', server: await opensearch() },
];
const DAY_MS = 86_400_000;
let batches = 0;

interface Place {
  readonly store: Store;
  readonly eraser: StoreEraser;
  readonly stream: string;
  /** Makes what was written, or deleted, be found. */
  settle(): Promise<void>;
}

const word = (): string => `w${randomBytes(6).toString('hex')}`;

async function write({ store, stream, settle }: Place, documents: readonly Record<string, unknown>[]): Promise<void> {
  const batch = ++batches;
  const items = documents.map((document, i) => ({
    id: testId(batch, i),
    index: stream,
    document: {
      '@timestamp': '2026-03-01T12:00:00Z',
      event: { sequence: i, ingested: '2026-03-01T12:00:00Z' },
      ...document,
    },
  }));
  const outcomes = await store.bulk(bulkRequest(items));
  assert(
    outcomes.every(({ status }) => status === 201),
    JSON.stringify(outcomes[0]),
  );
  await settle();
}

async function erased(place: Place, query: EraseQuery): Promise<number> {
  let sum = 0;
  for await (const step of place.eraser.erase(query)) {
    assert.equal(step.refused.size, 0, JSON.stringify([...step.refused]));
    sum += step.erased;
  }
  await place.settle();
  return sum;
}

/** The same of both stores. */
async function keepsItsPromise(place: Place): Promise<void> {
  const [tenant, other, secret] = [word(), word(), word()];
  const of = (name: string, id: string, message: string) => ({
    tenant: { id: id === other ? other : tenant },
    container: { name, id },
    message,
  });
  const documents = [
    ...Array.from({ length: 2500 }, (_, i) => of(`${tenant}-web`, 'c0ffee0011223344', `line ${i}`)),
    of(`${tenant}-db`, 'beef0001', `holds ${secret} twice ${secret}`),
    // Not its container, but its tag and its service.
    {
      tenant: { id: tenant },
      service: { name: `${tenant}-web` },
      fluentd: { tag: `${tenant}-web` },
      message: 'service',
    },
    of(`${tenant}-web`, other, `of another tenant, with ${secret}`),
    { tenant: { id: tenant }, '@timestamp': '2026-04-01T00:00:00Z', attributes: { user: { name: secret } } },
  ];
  await write(place, documents);
  const check = async (query: EraseQuery, expected: number): Promise<void> =>
    assert.equal(await place.eraser.count(query), expected, JSON.stringify(query));
  await check({ tenant }, 2503);
  await check({ container: `${tenant}-web` }, 2501);
  await check({ container: `${tenant}*` }, 2502);
  await check({ container: `${tenant}-web`, tenant }, 2500);
  await check({ text: secret }, 3);
  await check({ text: secret, tenant }, 2);
  await check({ tenant, since: '2026-03-15T00:00:00Z' }, 1);
  await check({ tenant: tenant.slice(0, 5) }, 0);
  await check({ container: word() }, 0);
  await check({ container: 'c0ffee001122', tenant }, 2500);
  await check({ container: 'c0ffee00112', tenant }, 0);
  const examples = await place.eraser.examples({ text: secret });
  assert.deepEqual(examples.map(({ source }) => source['@timestamp']).slice(0, 1), ['2026-04-01T00:00:00Z']);

  assert.equal(await erased(place, { text: word() }), 0, 'what nothing is found of');
  assert.equal(await erased(place, { text: secret, tenant }), 2);
  await check({ tenant }, 2501);
  assert.equal(await erased(place, { container: `${tenant}-web`, tenant }), 2500);
  assert.equal(await erased(place, { container: `${tenant}-web`, tenant }), 0, 'twice');
  await check({ tenant }, 1);
  await check({ tenant: other }, 1);
  assert.equal(await erased(place, { tenant }), 1);
  assert.equal(await erased(place, { tenant: other }), 1);
}

async function embedded(t: TestContext, retentionMs = DAY_MS): Promise<Place & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-erase-'));
  t.after(() => rm(folder, { recursive: true }));
  const store = await openEmbeddedStore({ dataDir: folder, readOnly: false, retentionMs, clock: systemClock });
  t.after(() => store[Symbol.asyncDispose]());
  const eraser = new EmbeddedEraser(store);
  return { store, eraser, folder, stream: 'logs-sluice-default', settle: () => Promise.resolve() };
}

test('embedded', async (t) => {
  await keepsItsPromise(await embedded(t));
});

test('embedded: the bytes are gone from its files, and what comes after is found', async (t) => {
  const place = await embedded(t);
  const secret = word();
  await write(place, [{ message: `a ${secret} that`, tenant: { id: 'a' } }]);
  const bytes = async (): Promise<string> => {
    const files = ['documents.sqlite', 'documents.sqlite-wal'].map((name) => join(place.folder, 'store', name));
    return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('');
  };
  // Compressed, so it is looked for as it is kept.
  const file = new DatabaseSync(join(place.folder, 'store', 'documents.sqlite'), { readOnly: true });
  const kept = file
    .prepare('SELECT data FROM parts')
    .all()
    .map(({ data }) => Buffer.from(data as Uint8Array));
  file.close();
  const pieces = kept.map((data) => data.subarray(data.length - 100).toString('latin1'));
  assert.notEqual(pieces.length, 0);
  const before = await bytes();
  for (const piece of pieces) assert(before.includes(piece));
  assert.equal(await erased(place, { tenant: 'a' }), 1);
  const after = await bytes();
  for (const piece of pieces) assert(!after.includes(piece), 'the document, compressed');
  assert(!after.includes(secret), 'the text of the document');
  await write(place, [{ message: 'after', tenant: { id: 'b' } }]);
  assert.equal(await place.eraser.count({ tenant: 'b' }), 1);
});

test('embedded: in steps, among documents that stay; large ones, and those that come meanwhile', async (t) => {
  const place = await embedded(t);
  const [mine, others] = [word(), word()];
  const texts = { [mine]: 'erase me', [others]: 'keep this' };
  const of = (tenant: string, i: number): Record<string, unknown> => ({
    tenant: { id: tenant },
    '@timestamp': new Date(Date.UTC(2026, 2, 1) - i * 1000).toISOString(),
    container: { name: `${tenant}-${i % 3}` },
    message: texts[tenant],
  });
  // Also in a row: steps that find what they erase alone would look at those that stay again and again.
  await write(
    place,
    Array.from({ length: 4000 }, (_, i) => of(i % 2 === 0 ? mine : others, i)),
  );
  await write(
    place,
    Array.from({ length: 3 }, () => ({ message: `erase ${'x'.repeat(9 * 1024 * 1024)}` })),
  );
  const queries: readonly (readonly [EraseQuery, number])[] = [
    [{ text: 'erase me', container: `${mine}-0` }, 667],
    [{ tenant: mine, container: `${mine}-*` }, 1333],
    [{ text: 'erase' }, 3],
  ];
  for (const [query, expected] of queries) {
    assert.equal(await place.eraser.count(query), expected);
    const steps: number[] = [];
    for await (const { erased: count } of place.eraser.erase(query)) {
      steps.push(count);
      // Its row may be one that was erased a moment ago.
      await write(place, [of(others, 5000 + steps.length)]);
    }
    assert.equal(
      steps.reduce((sum, count) => sum + count, 0),
      expected,
    );
    assert(steps.length > 1, 'in steps');
    assert.equal(await place.eraser.count(query), 0);
    assert.equal(await place.eraser.count({ tenant: mine, text: 'keep' }), 0);
  }
  const kept = await place.eraser.count({ tenant: others });
  assert(kept > 2000);
  assert.equal(await place.eraser.count({ text: 'keep this' }), kept);
});

for (const { name, server } of servers) {
  const skip = server ? false : `no ${name}`;
  test(`a real ${name}, over a rollover and an index that may not be written to`, { skip }, async (t) => {
    assert(server);
    const { url } = server;
    const options = { urls: [url], connections: 2, bulkTimeoutMs: 30_000, retentionMs: DAY_MS };
    await using store = new ElasticsearchStore(options);
    await using eraser = new ElasticsearchEraser({ ...options, refreshIntervalMs: 1000 });
    await store.setup();
    const stream = `logs-sluice.erase-${word()}`;
    t.after(() => fetch(`${url}/_data_stream/${stream}`, { method: 'DELETE' }));
    const refresh = async (): Promise<void> => void (await fetch(`${url}/${stream}/_refresh`, { method: 'POST' }));
    const place: Place = { store, eraser, stream, settle: refresh };
    await keepsItsPromise(place);

    const tenant = word();
    await write(place, [{ tenant: { id: tenant }, message: 'before' }]);
    await fetch(`${url}/${stream}/_rollover`, { method: 'POST' });
    await write(place, [{ tenant: { id: tenant }, message: 'after' }]);
    const [first] = await store.backingIndices(stream);
    assert(first);
    const block = async (isOn: boolean): Promise<void> => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ 'index.blocks.write': isOn ? true : null });
      const answer = await fetch(`${url}/${first.name}/_settings`, { method: 'PUT', headers, body });
      assert.equal(answer.status, 200, await answer.text());
    };
    await block(true);
    const told = await eraser.unreachable();
    assert(
      told.some((line) => line.includes(`${first.name} may not be written to`)),
      told.join(),
    );
    const steps = await Array.fromAsync(eraser.erase({ tenant }));
    await refresh();
    assert.deepEqual([steps[0]?.erased, await eraser.count({ tenant })], [1, 1]);
    assert.match([...(steps[0]?.refused.keys() ?? [])].join(), /cluster_block_exception/);
    await block(false);
    assert.equal(await erased(place, { tenant }), 1);
    assert.deepEqual(
      (await eraser.unreachable()).filter((line) => line.includes(stream)),
      [],
    );
  });
}
