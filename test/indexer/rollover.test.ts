// A data stream that rolls over between a write and its repeat, with a real Elasticsearch: ids dedupe in one backing index only, and still
// no document is there twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startIndexer } from '#indexer/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { countOf, deleteStream, ownStreamName, withStream } from './own-stream.ts';
import { World } from './world.ts';

const server = await elasticsearch();

test(
  'the same batches again after a rollover: no new document',
  { skip: server ? false : 'no Elasticsearch' },
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
