// What no JSON parser could tell: that real stores, with their real mappings, take every document. Elasticsearch
// refused each of these shapes when it came as it was sent.

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { Store } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { deleteStream, ownStreamName, withStream } from '../own-stream.ts';
import { batch, entryOf, hex } from './documents.ts';

const RETENTION_MS = 3650 * 86_400_000;
const long = (letter: string): string => letter.repeat(40_000);

/** What is told of it, and the entry. */
const nasty: [string, Uint8Array][] = [
  [
    'strings where the mapping has objects',
    entryOf({ host: 'h', service: 's', container: 'c', event: 'e', fluentd: 'f', tenant: 't' }),
  ],
  [
    'objects where it has keywords',
    entryOf({ stream: { a: 1 }, level: { b: 1 }, container_name: [{}], host: {}, log: { level: 1 } }),
  ],
  [
    'names of ours',
    entryOf({
      '@timestamp': 'x',
      _id: 'x',
      _index: 'y',
      _source: {},
      attributes: { attributes: 1 },
      message: { x: 1 },
    }),
  ],
  [
    'odd keys',
    entryOf({ '': 1, '.': 2, '..': 3, 'a..b': 4, 'a.b': 5, a: { b: 6 }, ' ': 7, constructor: 8, '\u0001': 9 }),
  ],
  ['__proto__', hex('92 01 81 a9 5f5f70726f746f5f5f 81 a161 01')],
  ['NUL', entryOf({ 'a\0b': 'c\0d', log: '\0', stream: 'x\0', kubernetes: { labels: { 'a\0': '\0' } } })],
  ['keys twice', hex('92 01 83 a161 01 a161 02 a162 82 a163 01 a163 02')],
  ['no UTF-8', hex('92 01 82 a36c6f67 a2ff41 a2fffe a1c3')],
  ['integers of 64 bits', entryOf({ a: 2n ** 64n - 1n, b: -(2n ** 63n), log: 2n ** 64n - 1n })],
  ['floats', entryOf({ a: NaN, b: Infinity, c: 1e300, d: 5e-324, e: -0 })],
  ['binary, extensions', hex('92 01 83 c40161 c403ff0061 a162 d4057f a163 c7000a')],
  ['keys of all types', hex('92 01 86 01 01 c0 02 c3 03 cb3ff8000000000000 04 81a16101 05 92a161a162 06')],
  ['deep maps', Buffer.concat([hex('92 01 81 a161'), Buffer.from('81a161'.repeat(90), 'hex'), hex('80')])],
  ['deep arrays', Buffer.concat([hex('92 01 81 a161'), Buffer.from('91'.repeat(95), 'hex'), hex('01')])],
  [
    'deep labels',
    Buffer.concat([
      hex('92 01 81 aa6b756265726e65746573 81 a66c6162656c73'),
      Buffer.from('81a161'.repeat(30), 'hex'),
      hex('80'),
    ]),
  ],
  ['long keys', entryOf({ [long('k')]: 'v', [`${long('k')}x`]: { [long('m')]: 1 }, ['€'.repeat(300)]: 1 })],
  [
    'long values',
    entryOf({
      a: long('€'),
      b: [long('x')],
      stream: long('s'),
      level: long('l'),
      log: long('w'),
      host: long('h'),
      service: long('€'),
    }),
  ],
  ['long keys and values at every level', entryOf(nested(18, 'k'.repeat(395), '漢'.repeat(8191)))],
  ['10,000 keys', entryOf(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key.${i}`, i])))],
  ['a text of one word', entryOf({ log: 'x'.repeat(200_000) })],
  ['times outside of date_nanos', entryOf({}, -1)],
  ['times outside of date_nanos', entryOf({}, 2 ** 52)],
  ['times at the edges', hex('92 d700 00000000 00000001 80')],
  ['times at the edges', hex('92 cf 0000000225c17d03 80')],
  ['metadata', entryOf({ a: 1 }, [1, { 'b\0': { a: NaN } }])],
  [
    'pods',
    entryOf({
      kubernetes: { pod_name: 1, host: {}, labels: 'x', annotations: { a: { b: long('x') }, 'a.b': 1 }, '': { '': 1 } },
    }),
  ],
];

const found = await elasticsearch();
const seed = randomInt(2 ** 31);

test('the embedded store takes every document', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-documents-'));
  after(() => rm(dataDir, { recursive: true }));
  await using store = await openEmbeddedStore({
    dataDir,
    readOnly: false,
    retentionMs: RETENTION_MS,
    clock: systemClock,
  });
  await store.setup();
  await checkAll(store);
});

test(
  'Elasticsearch takes every document',
  { skip: found === null ? 'no Elasticsearch to be had' : false },
  async () => {
    const { url } = found ?? { url: '' };
    const name = ownStreamName();
    after(() => deleteStream(url, name));
    await using store = new ElasticsearchStore({
      urls: [url],
      connections: 1,
      bulkTimeoutMs: 60_000,
      retentionMs: RETENTION_MS,
    });
    await store.setup();
    await checkAll(withStream(store, name));
  },
);

async function checkAll(store: Store): Promise<void> {
  const random = fc.sample(fc.dictionary(fc.string({ unit: 'binary' }), fc.anything(), { noNullPrototype: true }), {
    seed,
    numRuns: 300,
  });
  const entries = [...nasty];
  for (const record of random) {
    const entry = entryIfAny(record);
    if (entry) entries.push([`random, seed ${seed}`, entry]);
  }
  const body = new BulkBody();
  const writer = new DocumentWriter(body);
  writer.startBatch({ ...batch, id: randomBytes(16) }, systemClock.epochMs());
  entries.forEach(([about, entry], i) => assert.equal(writer.write(entry, 0, entry.length, 2 * i), 'ok', about));
  entries.forEach(([about, entry], i) =>
    assert.equal(writer.writeAsText(entry, 0, entry.length, 2 * i + 1), 'ok', about),
  );
  const outcomes = await store.bulk(body.request());
  assert.equal(outcomes.length, 2 * entries.length);
  outcomes.forEach(({ status, errorReason = '', failureStore = false }, i) => {
    assert.deepEqual([status, errorReason, failureStore], [201, '', false], entries[i % entries.length]?.[0] ?? '');
  });
}

/** Values that msgpack has no form for are left out. */
function entryIfAny(record: unknown): Uint8Array | null {
  try {
    return encode([1, record], { useBigInt64: true });
  } catch {
    return null;
  }
}

function nested(levels: number, key: string, leaf: string): object {
  return levels === 0 ? { [key]: leaf } : { [key]: nested(levels - 1, key, leaf) };
}
