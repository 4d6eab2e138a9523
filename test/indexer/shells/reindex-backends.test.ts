// `sluice reindex` between a real Kafka and a real Elasticsearch, as a process that is killed in the middle: what was
// deleted is there again, each event once, over a rollover, and the offsets of the indexers stay where they were.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { openRewindSource } from '#shared/open/open-rewind.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { SluiceProcess, sluice } from '#test/integration/parts/sluice-process.ts';
import { countOf, deleteStream } from '../own-stream.ts';
import { World } from '../world.ts';

const broker = await kafka();
const server = await elasticsearch();
const skip = broker && server ? false : 'there is no Kafka, or no Elasticsearch';
const PARTITIONS = 4;
const RECORDS = 240;
const EVENTS_PER_RECORD = 250;
const EVENTS = RECORDS * EVENTS_PER_RECORD;

test('real Kafka, real Elasticsearch: killed in the middle, each event once', { skip }, async (t) => {
  assert(broker && server);
  const name = `reindex-test-${randomBytes(4).toString('hex')}`;
  const stream = `logs-sluice.${name}-x`;
  const environment = {
    SLUICE_KAFKA_BROKERS: broker.brokers.join(),
    SLUICE_KAFKA_TOPIC: name,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${name}.dead`,
    SLUICE_KAFKA_GROUP: name,
    SLUICE_KAFKA_PARTITIONS: String(PARTITIONS),
    SLUICE_ELASTICSEARCH_URL: server.url,
    SLUICE_BULK_MAX_BYTES: '262144',
    SLUICE_BULK_CONCURRENCY: '1',
  };
  const config = loadConfig({ env: environment, readFile: () => '' });
  const { url } = server;
  await setupTopics(config);
  assert.equal((await sluice(['setup'], null, environment)).code, 0);
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  t.after(async () => {
    await admin.deleteTopics({ topics: [name, `${name}.dead`] });
    await admin.disconnect();
    await deleteStream(url, stream);
  });
  const fromMs = Date.now();
  await fill(config, name);
  const times = ['--from', new Date(fromMs).toISOString(), '--to', new Date(Date.now() + 1).toISOString()];
  const args = ['reindex', ...times, '--into', stream, '--json'];
  const offsetsBefore = JSON.stringify(await admin.fetchOffsets({ groupId: name, topics: [name] }));

  // Killed as soon as it has begun, and again in the middle.
  for (const atLeast of [1, EVENTS / 3]) {
    await using running = new SluiceProcess(args, null, environment);
    await running.until(async () => (await countOf(url, stream)) >= atLeast && (await countOf(url, stream)) > 0);
    if (atLeast > 1) await running.until(async () => (await savedOf(config, times, stream)) > 0);
    await running.kill();
  }
  const middle = await countOf(url, stream);
  assert(middle < EVENTS, `it was killed too late: ${middle} of ${EVENTS}`);
  await fetch(`${url}/${stream}/_rollover`, { method: 'POST' });
  const last = await sluice(args, null, environment);
  t.diagnostic(`${middle} after the kills; ${last.stdout}${last.stderr}`);
  assert.equal(last.code, 0, last.stderr);
  assert.match(last.stderr, /of them were read before, by one that ended early/);
  assert.equal(await countOf(url, stream), EVENTS);
  assert.equal((JSON.parse(last.stdout) as { done: boolean }).done, true);

  await restoresWhatWasDeleted(url, stream, { args, environment });
  assert.equal(JSON.stringify(await admin.fetchOffsets({ groupId: name, topics: [name] })), offsetsBefore);
  const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
  assert.deepEqual(
    groups.filter((group) => group.startsWith(`${name}-reindex`)),
    [],
  );
  await retentionIsTold(admin, name, { times, environment, stream });
});

async function restoresWhatWasDeleted(
  url: string,
  stream: string,
  { args, environment }: { args: string[]; environment: Record<string, string> },
): Promise<void> {
  await deleteSome(url, stream);
  const left = await countOf(url, stream);
  assert(left > 0 && left < EVENTS, `${left} left`);
  const again = await sluice(args, null, environment);
  assert.equal(again.code, 0, again.stderr);
  const { indexed, present } = JSON.parse(again.stdout) as { indexed: number; present: number };
  assert.deepEqual([indexed, present], [EVENTS - left, left]);
  assert.equal(await countOf(url, stream), EVENTS);
}

/** By name: the server of the tests has no `_delete_by_query`. */
async function deleteSome(url: string, stream: string): Promise<void> {
  const found = await fetch(`${url}/${stream}/_search?size=10000&_source=false`);
  const { hits } = (await found.json()) as { hits: { hits: { _index: string; _id: string }[] } };
  const lines = hits.hits.map(({ _index, _id }) => JSON.stringify({ delete: { _index, _id } }));
  const headers = { 'content-type': 'application/x-ndjson' };
  const answer = await fetch(`${url}/_bulk`, { method: 'POST', headers, body: `${lines.join('\n')}\n` });
  assert.equal(answer.status, 200, await answer.text());
}

type Admin = ReturnType<ReturnType<typeof createClient>['admin']>;

async function retentionIsTold(
  admin: Admin,
  topic: string,
  { times, environment, stream }: { times: string[]; environment: Record<string, string>; stream: string },
): Promise<void> {
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '20' }] });
  const told = await sluice(['reindex', ...times, '--into', stream, '--dry-run'], null, environment);
  assert.equal(told.code, 0);
  assert.match(told.stderr, /^sluice: Partition 1 begins at offset 20: what the queue took before is gone/m);
  assert.match(told.stdout, new RegExp(`: ${RECORDS - 20} records of the queue in ${PARTITIONS} partitions`));
}

/** Records that are saved as done. */
async function savedOf(config: ReturnType<typeof loadConfig>, times: readonly string[], into: string): Promise<number> {
  const { planReindex } = await import('#indexer/shells/reindex-plan.ts');
  const [, from = '', , to = ''] = times;
  const leadMs = config['indexer.clock_skew_ms'] + config['join.timeout_ms'];
  await using source = await openRewindSource(config);
  const range = { fromMs: Date.parse(from), toMs: Date.parse(to), leadMs, lateMs: 3_600_000, into, restart: false };
  const { done } = await planReindex(source, range);
  await delay(50);
  return done;
}

async function fill(config: ReturnType<typeof loadConfig>, tag: string): Promise<void> {
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  await queue.opened();
  const world = new World();
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => async (): Promise<void> => {
    for (let record = partition; record < RECORDS; record += PARTITIONS) {
      const entries = Array.from({ length: EVENTS_PER_RECORD }, () =>
        world.entry({ log: `event ${world.sent++} `, container_name: '/web' }),
      );
      const batch = { ...world.batch(EVENTS_PER_RECORD, 0, tag), id: randomBytes(16), receivedMs: Date.now() };
      const value = Buffer.concat(entries);
      await queue.append(partition, [{ encoding: 'identity', batches: encodeBatches([batch]), value }]);
    }
  });
  await Promise.all(partitions.map((append) => append()));
}
