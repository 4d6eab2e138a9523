// What Elasticsearch answers, with a real one: a document that its mapping refuses, mended and replayed; and half of
// all items refused for want of time (a proxy's doing): nothing lost, nothing twice, and the concurrency comes back by
// itself.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startIndexer } from '#indexer/shells/main.ts';
import { Replay } from '#indexer/shells/replay.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { Metrics } from '#shared/metrics.ts';
import { readDeadLetter } from '#shared/queue/dead-letter.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { openStore } from '#shared/open/open-store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';
import { countOf, deleteStream, ownStreamName, withStream } from '#test/indexer/own-stream.ts';
import { World } from '#test/indexer/world.ts';
import { RefusingProxy } from '../parts/refusing-proxy.ts';

const server = await elasticsearch();
const broker = await kafka();
const url = server?.url ?? '';
/** How long half of all items are refused. */
const OVERLOAD_SECONDS = Number(process.env['SLUICE_TEST_OVERLOAD_SECONDS'] ?? 20);

test(
  'a document that the mapping refuses: the others are indexed, lag stays flat; mended, it is replayed',
  { skip: server && broker ? false : 'there is no Kafka, or no Elasticsearch' },
  async (t) => {
    const stream = ownStreamName();
    await putTemplate(stream, { type: 'long' });
    t.after(async () => {
      await deleteStream(url, stream);
      await ask('DELETE', `/_index_template/${stream}`);
    });
    const config = kafkaConfig(broker?.brokers ?? [], { SLUICE_ELASTICSEARCH_URL: url });
    await setupTopics(config);
    t.after(() => removeTopics(config));
    const hooks = { clock: systemClock, observer: silentQueueObserver, debug: () => undefined };
    await using queue = openKafkaQueue(config, hooks);
    await queue.opened();
    await using store = withStream(await openStore(config), stream);
    const world = new World();
    const options = () => ({ ...world.options, config, queue, store, clock: systemClock });

    const batch = { ...world.batch(100), id: randomBytes(16), receivedMs: Date.now() };
    const entries = Array.from({ length: 100 }, (_, i) => world.entry({ log: i === 42 ? 'not a number' : String(i) }));
    const record = { encoding: 'identity', batches: encodeBatches([batch]), value: Buffer.concat(entries) } as const;
    const indexer = await startIndexer(options());
    // What lies there when the partition is assigned is committed after `bulk.timeout_ms` only.
    while (indexer.unreadyReason !== null) await systemClock.sleep(20);
    await queue.append(0, [record]);
    const { counts } = indexer.ledger;
    while (counts.indexed + counts.dead_lettered < 100) await systemClock.sleep(20);
    assert.deepEqual([counts.indexed, counts.dead_lettered], [99, 1]);
    await indexer.stop();
    assert.equal(await countOf(url, stream), 99);
    const letter = await onlyDeadLetter(queue);
    t.diagnostic(`the dead letter says: ${letter.error}`);
    assert.match(letter.error, /^document_parsing_exception: .*failed to parse field \[message\] of type \[long\]/);
    assert.deepEqual(Buffer.from(letter.value), entries[42]);

    // Nothing is left to read: the dead letter keeps no offset from being committed.
    const second = await startIndexer(options());
    while (second.unreadyReason !== null) await systemClock.sleep(20);
    await queue.append(0, [{ ...record, batches: encodeBatches([{ ...batch, id: randomBytes(16) }]) }]);
    while (second.ledger.counts.consumed < 100 || second.ledger.inFlight > 0) await systemClock.sleep(20);
    await second.stop();
    assert.equal(second.ledger.counts.consumed, 100, 'what came before was committed');

    const { signal } = new AbortController();
    const replay = async (again: boolean) => {
      const run = new Replay({ ...options(), selection: {}, again, signal });
      await run.run();
      return run.counts;
    };
    const nothing = { indexed: 0, present: 0, failed: 0, impossible: 0 };
    assert.deepEqual(await replay(false), { ...nothing, failed: 2 }, 'not mended yet: they stay');
    await putTemplate(stream, { type: 'text' });
    await ask('POST', `/${stream}/_rollover`);
    assert.deepEqual(await replay(false), { ...nothing, indexed: 2 });
    assert.equal(await countOf(url, stream), 200);
    assert.deepEqual(await replay(false), nothing);
    await ask('POST', `/${stream}/_rollover`);
    assert.deepEqual(await replay(true), { ...nothing, present: 2 }, 'whatever lies in older indices is there');
    assert.equal(await countOf(url, stream), 200);
  },
);

test(
  'the ingest pipeline of an index is missing: nothing is dead-lettered, and when it is there all is indexed',
  { skip: server ? false : 'no Elasticsearch' },
  async (t) => {
    const stream = ownStreamName();
    const config = loadConfig({ env: { SLUICE_ELASTICSEARCH_URL: url }, readFile: () => '' });
    await using store = withStream(await openStore(config), stream);
    await store.setup();
    t.after(() => deleteStream(url, stream));
    const world = new World({ partitions: 1 });
    const indexer = await startIndexer({ ...world.options, config, store, clock: systemClock });
    const { counts } = indexer.ledger;
    await world.send(0, [10]);
    while (counts.indexed < 10) await systemClock.sleep(20);
    const usePipeline = (name: string | null): Promise<void> =>
      ask('PUT', `/${stream}/_settings`, { 'index.default_pipeline': name });
    await usePipeline('not-there');
    await world.send(0, [100, 1]);
    while (indexer.unreadyReason === null) await systemClock.sleep(20);
    assert.match(indexer.unreadyReason, /pipeline with id \[not-there\] does not exist/);
    assert.deepEqual([counts.indexed, counts.dead_lettered, indexer.ledger.inFlight], [10, 0, 101]);
    await usePipeline('_none');
    while (counts.indexed < 111) await systemClock.sleep(20);
    await indexer.stop();
    assert.deepEqual([counts.indexed, counts.dead_lettered, counts.abandoned], [111, 0, 0]);
    assert.equal(await countOf(url, stream), 111, 'no probe is left');
  },
);

test(
  `half of all items are refused for ${OVERLOAD_SECONDS} s: fewer requests, nothing lost or doubled, and back by itself`,
  { skip: server ? false : 'no Elasticsearch' },
  async (t) => {
    const stream = ownStreamName();
    await using proxy = await RefusingProxy.start(url);
    const env = { SLUICE_ELASTICSEARCH_URL: proxy.url, SLUICE_BULK_MAX_BYTES: '131072', SLUICE_BULK_LINGER_MS: '20' };
    const config = loadConfig({ env, readFile: () => '' });
    await using store = withStream(await openStore(config), stream);
    await store.setup();
    t.after(() => deleteStream(url, stream));

    const world = new World({ partitions: 2 });
    const metrics = new Metrics({ version: 'test', command: 'test' }, { ofProcess: false });
    const indexer = await startIndexer({ ...world.options, metrics, config, store, clock: systemClock });
    const limit = async (): Promise<number> =>
      Number(/^sluice_bulk_concurrency_limit (\d+)$/m.exec((await metrics.render()).body)?.[1]);
    const { counts } = indexer.ledger;
    /** Keeps the indexer busy until the condition holds; returns what was indexed a second, and the limits seen. */
    const feedUntil = async (condition: (limit: number) => boolean) => {
      const since = { ms: systemClock.monotonicMs(), indexed: counts.indexed };
      const limits: number[] = [];
      do {
        for (let i = 0; i < 4; i++) await world.send(world.batches % 2, [200], 'identity', 'x'.repeat(200));
        while (world.sent - counts.indexed > 20_000) await systemClock.sleep(5);
        limits.push(await limit());
      } while (!condition(limits.at(-1) ?? 0));
      const seconds = (systemClock.monotonicMs() - since.ms) / 1000;
      return { rate: Math.round((counts.indexed - since.indexed) / seconds), limits };
    };
    const after = (ms: number): (() => boolean) => {
      const endMs = systemClock.monotonicMs() + ms;
      return () => systemClock.monotonicMs() >= endMs;
    };

    const before = await feedUntil(after(4000));
    proxy.refusedShare = 0.5;
    const during = await feedUntil(after(OVERLOAD_SECONDS * 1000));
    proxy.refusedShare = 0;
    const recovered = await feedUntil((now) => now >= 4);
    while (!world.isCommitted) await systemClock.sleep(20);
    await indexer.stop();

    const { refused, passed } = proxy;
    t.diagnostic(`indexed a second: ${before.rate} before, ${during.rate} while refused, ${recovered.rate} after`);
    t.diagnostic(
      `limits while refused: ${Math.max(...during.limits)} to ${Math.min(...during.limits)}, then ${recovered.limits.at(-1)}`,
    );
    t.diagnostic(`${world.sent} events; items refused ${refused}, passed meanwhile ${passed}`);
    assert.equal(Math.min(...during.limits), 1);
    assert(refused > 1000 && during.rate > 0);
    assert.deepEqual(
      [counts.indexed, counts.deduplicated, counts.dead_lettered, indexer.ledger.imbalance, indexer.ledger.inFlight],
      [world.sent, 0, 0, 0, 0],
    );
    assert.equal(await countOf(url, stream), world.sent);
  },
);

/** The mapping of the field `message`, for backing indices that are made from now on. */
async function putTemplate(stream: string, message: Record<string, unknown>): Promise<void> {
  const mappings = { dynamic: false, properties: { '@timestamp': { type: 'date_nanos' }, message } };
  const body = { index_patterns: [stream], priority: 900, data_stream: {}, template: { mappings } };
  await ask('PUT', `/_index_template/${stream}`, body);
}

async function onlyDeadLetter(queue: Queue) {
  const read = await Array.fromAsync(queue.read({ topic: 'dead-letters' }), readDeadLetter);
  const [letter] = read;
  assert(letter?.kind === 'dead-letter' && read.length === 1);
  return letter;
}

async function ask(method: string, path: string, body?: Record<string, unknown>): Promise<void> {
  const answer = await fetch(url + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  assert.equal(answer.status, 200, `${method} ${path}: ${await answer.text()}`);
}
