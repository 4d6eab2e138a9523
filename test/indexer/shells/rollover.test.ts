// A data stream that rolls over between a write and its repeat, with a real Elasticsearch and a real OpenSearch: ids
// dedupe in one backing index only, and still no document is there twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LookBack } from '#indexer/bulk/look-back.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { opensearch } from '#test/backends/opensearch.ts';
import { Bench } from '../bulk/bench.ts';
import { countOf, deleteStream, ownStreamName, withStream } from '../own-stream.ts';
import { World } from '../world.ts';

const servers = [
  { name: 'Elasticsearch', server: await elasticsearch() },
  { name: 'OpenSearch', server: await opensearch() },
];

for (const { name, server } of servers) {
  test(
    `${name}: the same batches again after a rollover: no new document`,
    { skip: server ? false : `no ${name}` },
    async (t) => {
      assert(server);
      const { url } = server;
      const stream = ownStreamName();
      // What another may have had on its way is waited for before a commit.
      const config = loadConfig({ env: { SLUICE_BULK_TIMEOUT_MS: '15000' }, readFile: () => '' });
      const retentionMs = 86_400_000;
      const elastic = new ElasticsearchStore({ urls: [url], connections: 6, bulkTimeoutMs: 30_000, retentionMs });
      await using store = withStream(elastic, stream);
      await store.setup();
      t.after(() => deleteStream(url, stream));

      // What the queue holds is read twice, as after a crash before the commit.
      const world = new World({ partitions: 1 });
      const batches = [400, 1, 1, 300].map((size) => ({ ...world.batch(size), receivedMs: Date.now() }));
      const send = async (count: number): Promise<void> => {
        for (const batch of batches.slice(0, count)) {
          const entries = Array.from({ length: batch.count }, (_, i) => world.entry({ log: `event ${i}` }));
          await world.sendEntries(0, [batch], entries);
        }
      };
      const index = async (): Promise<Readonly<Record<string, number>>> => {
        const indexer = await startIndexer({ ...world.options, config, clock: systemClock, store });
        while (!world.isCommitted) await systemClock.sleep(20);
        await indexer.stop();
        assert.equal(indexer.ledger.imbalance, 0);
        return indexer.ledger.counts;
      };

      await send(3);
      assert.equal((await index())['indexed'], 402);
      const rolled = await fetch(`${url}/${stream}/_rollover`, { method: 'POST' });
      assert.equal(rolled.status, 200, await rolled.text());

      await send(4);
      const counts = await index();
      assert.deepEqual([counts['indexed'], counts['deduplicated']], [300, 402]);
      assert.equal(await countOf(url, stream), 702);
    },
  );

  test(
    `${name}: a rollover between the look and the write: the second copies are deleted`,
    { skip: server ? false : `no ${name}` },
    async (t) => {
      assert(server);
      const { url } = server;
      const stream = ownStreamName();
      const config = loadConfig({ env: {}, readFile: () => '' });
      const retentionMs = 86_400_000;
      const elastic = new ElasticsearchStore({ urls: [url], connections: 6, bulkTimeoutMs: 30_000, retentionMs });
      await using store = withStream(elastic, stream);
      await store.setup();
      t.after(() => deleteStream(url, stream));
      const world = new World({ partitions: 1 });
      const batches = [100, 1].map((size) => ({ ...world.batch(size), receivedMs: Date.now() }));
      let requests = 0;
      const rolling: typeof store = {
        ...store,
        async bulk(request, signal) {
          if (requests++ === 1) await fetch(`${url}/${stream}/_rollover`, { method: 'POST' });
          return store.bulk(request, signal);
        },
      };
      const indexer = await startIndexer({ ...world.options, config, clock: systemClock, store: rolling });
      const { counts } = indexer.ledger;
      for (const expected of [101, 202]) {
        for (const batch of batches) {
          const entries = Array.from({ length: batch.count }, (_, i) => world.entry({ log: `event ${i}` }));
          await world.sendEntries(0, [batch], entries);
        }
        while (counts.indexed + counts.deduplicated < expected) await systemClock.sleep(20);
      }
      await indexer.stop();
      assert.deepEqual([counts.indexed, counts.deduplicated], [101, 101]);
      assert.equal((await store.backingIndices(stream)).length, 2);
      assert.equal(await countOf(url, stream), 101);
    },
  );

  test(
    `${name}: a sender repeats a chunk long after a rollover: its name says how old it is`,
    { skip: server ? false : `no ${name}` },
    async (t) => {
      assert(server);
      const { url } = server;
      const stream = ownStreamName();
      const retentionMs = 86_400_000;
      const elastic = new ElasticsearchStore({ urls: [url], connections: 6, bulkTimeoutMs: 30_000, retentionMs });
      await using store = withStream(elastic, stream);
      await store.setup();
      t.after(() => deleteStream(url, stream));
      const bench = new Bench();
      const id = Buffer.alloc(16, 7);
      id.writeUIntBE(Date.now(), 0, 6);
      const batch = bench.batch(50, ['sluice-default'], Date.now(), id);
      assert((await store.bulk(batch.request)).every(({ status }) => status === 201));
      await fetch(`${url}/${stream}/_rollover`, { method: 'POST' });
      const options = { store, clock: systemClock, telemetry: { secondCopies: () => undefined }, askForAll: false };
      const lookBack = new LookBack({ ...options, clockSkewMs: 300_000 });
      const find = (receivedMs: number, batchId: Uint8Array) =>
        lookBack.find(bench.batch(50, ['sluice-default'], receivedMs, batchId), new AbortController().signal);
      const inAnHour = Date.now() + 3_600_000;
      assert.equal((await find(inAnHour, id)).decided.size, 50);
      const later = Buffer.alloc(16, 7);
      later.writeUIntBE(inAnHour, 0, 6);
      assert.equal((await find(inAnHour, later)).decided.size, 0, 'what is newer than the rollover is not asked for');
    },
  );
}
