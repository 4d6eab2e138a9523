// What only Kafka can do to a queue: be out of reach, lack its topics, hand partitions to others, refuse one of
// several.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { type KafkaQueue, openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { type Admin, createClient, TOPIC_RESOURCE } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { readTopicFacts, readTopicShape } from '#shared/queue/kafka/broker/topic-facts.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from './queue-places.ts';
import { RecordingHandler } from './recording-handler.ts';

const found = await kafka();
const brokers = found?.brokers ?? [];
const PER_PARTITION = 50;

describe('queue in Kafka', { skip: found === null ? 'no Kafka to be had' : false, concurrency: 3 }, () => {
  it('opens by itself once a broker can be reached, and says why not before', async (t) => {
    const proxy = createServer((socket) => {
      const [host = '', port = ''] = (brokers[0] ?? '').split(':');
      const broker = connect(Number(port), host);
      socket.pipe(broker).pipe(socket);
      for (const end of [socket, broker]) end.on('error', () => end.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    assert(address !== null && typeof address === 'object');
    proxy.close();

    const config = await topics(t, brokers);
    await using queue = open({ ...config, 'kafka.brokers': [`127.0.0.1:${address.port}`] });
    await until(() => queue.unreadyReason?.includes('can be reached') ?? false);
    assert.match(
      queue.unreadyReason ?? '',
      new RegExp(`^no broker of 127.0.0.1:${address.port} can be reached: .*ECONNREFUSED`),
    );
    await assert.rejects(queue.append(0, [record('early')]), { code: 'queue_unavailable' });
    await assert.rejects(queue.opened(AbortSignal.timeout(1)), { name: 'TimeoutError' });

    proxy.listen(address.port, '127.0.0.1');
    t.after(() => proxy.close());
    await queue.opened();
    assert.equal(queue.unreadyReason, null);
    await queue.append(0, [record('late')]);
    assert.deepEqual(await texts(queue), ['late']);
  });

  it('can be consumed from as soon as it can be reached', async (t) => {
    const config = kafkaConfig(brokers);
    await using queue = open(config);
    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await until(() => queue.unreadyReason?.includes('run `sluice setup`') ?? false);
    assert.match(queue.unreadyReason ?? '', /^topic test\.queue\.\w+\.logs does not exist: run `sluice setup`$/);
    await setupTopics(config);
    t.after(() => removeTopics(config));
    await queue.opened();
    await queue.append(0, [record('first')]);
    await handler.until(() => handler.texts().length === 1);
  });

  it('is set up any number of times, and begins the group at the earliest records', async (t) => {
    const config = kafkaConfig(brokers);
    t.after(() => removeTopics(config));
    const first = await setupTopics(config);
    assert.match(first[0] ?? '', /^topic .*\.logs: made with 3 partitions, \d replicas$/);
    assert.match(first.at(-1) ?? '', /begins at the earliest record in 3 partitions/);
    const offsets = await admin(config, (client) =>
      readPartitionOffsets(client, config['kafka.group'], config['kafka.topic']),
    );
    assert.deepEqual(
      offsets.map(({ committed }) => committed),
      [0, 0, 0],
    );
    const second = await setupTopics(config);
    assert.match(second[0] ?? '', /is there, left as it is/);
    assert.match(second.at(-1) ?? '', /has offsets in all partitions/);
  });

  it('warns where the topic promises less than it could', async (t) => {
    const config = await topics(t, brokers);
    await alter(config, {
      'retention.ms': '60000',
      'message.timestamp.type': 'CreateTime',
      'min.insync.replicas': '1',
    });
    // The brokers take a setting up when they like.
    const told = () => admin(config, (client) => readTopicFacts(client, config['kafka.topic']));
    while ((await told()).settings.get('retention.ms') !== '60000') continue;
    const warnings: string[] = [];
    await using queue = openKafkaQueue(config, {
      clock: systemClock,
      observer: { ...silentQueueObserver, topicWeak: ({ message }) => warnings.push(message) },
      debug: () => undefined,
    });
    await queue.opened();
    for (const expected of [
      /keeps records for 60000 ms/,
      /message\.timestamp\.type=CreateTime/,
      /min\.insync\.replicas=1/,
    ]) {
      assert(
        warnings.some((warning) => expected.test(warning)),
        `${String(expected)} in\n${warnings.join('\n')}`,
      );
    }
  });

  it('refuses what one partition cannot take, and takes what shared its request', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    await alter(config, { 'max.message.bytes': '10000' });
    // The brokers take a setting up when they like.
    const refusal = (async () => {
      for (;;) await queue.append(1, [record('x'.repeat(20_000))]);
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    const outcomes = await Promise.allSettled([
      queue.append(0, [record('small')]),
      queue.append(1, [record('x'.repeat(20_000))]),
      queue.append(2, [record('small too')]),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    const [, refused] = outcomes;
    assert(refused?.status === 'rejected' && refused.reason.code === 'queue_refused');
    assert.equal(queue.unreadyReason, null);
  });

  it('holds a dead letter that its topic cannot take in one record, in parts, also when the limit changed', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    const deadLetter: DeadLetter = {
      batches: Buffer.from('table'),
      index: 3,
      reason: 'document_refused',
      error: 'no',
      from: 'l/0/1',
      value: Buffer.alloc(50_000, 1),
      cut: false,
    };
    const small = { ...deadLetter, value: Buffer.from('small') };
    await queue.appendDeadLetters([deadLetter]);
    await alter(config, { 'max.message.bytes': '10000' }, config['kafka.dead_letter_topic']);
    // The brokers take a setting up when they like: until then such dead letters pass whole.
    const append = (): Promise<void> => queue.appendDeadLetters([small, deadLetter, small]);
    const refusal = (async () => {
      for (;;) await append();
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    // What was refused has made the queue look at the limit.
    await append();
    const { signal } = new AbortController();
    const survey = await surveyDeadLetters(queue, undefined, signal);
    const deadLetters = await Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
    for (const { cut, missingBytes, value } of deadLetters)
      assert(!cut && missingBytes === 0 && (value.length === 50_000 || value.length === 5), `${value.length} bytes`);
    const parts = await Array.fromAsync(queue.read({ topic: 'dead-letters' }));
    assert(parts.filter(({ headers }) => headers['parts_id']).length >= 6);
    for (const { headers } of parts) assert.equal(Buffer.from(headers['batches'] ?? []).toString(), 'table');
    assert.equal(queue.unreadyReason, null);
  });

  it('goes on at the earliest record where what was committed is no longer there', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    for (let i = 0; i < 10; i++) await queue.append(0, [record(`record ${i}`)]);
    const topic = config['kafka.topic'];
    await admin(config, async (client) => {
      // kafkajs deletes only where it knows the leaders already.
      await client.fetchTopicOffsets(topic);
      await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] });
    });
    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await handler.until(() => handler.texts().length === 4);
    assert.equal(handler.assignments[0]?.starts.find(({ partition }) => partition === 0)?.next, 6);
    assert.equal(handler.texts()[0], 'record 6');
    const loss = { partition: 0, reason: 'retention', from: 0, to: 6, isExact: true } as const;
    assert.deepEqual(handler.changes, [{ partition: 0, reason: 'retention', from: 0, next: 6, losses: [loss] }]);
  });

  it('tells, exactly, what retention removes under a consumer that reads', async (t) => {
    const config = await topics(t, brokers);
    const topic = config['kafka.topic'];
    await using queue = open(config);
    await queue.opened();
    const handler = new RecordingHandler();
    await using consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await queue.append(0, numbered(4).map(record));
    await handler.until(() => handler.texts(0).length === 4);
    // Fetched at any moment before the pause takes hold, or not.
    consumer.pause([0, 1, 2]);
    for (let i = 4; i < 20; i++) await queue.append(0, [record(`record ${i}`)]);
    await admin(config, async (client) => {
      await client.fetchTopicOffsets(topic);
      await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '15' }] });
    });
    consumer.resume([0, 1, 2]);
    await handler.until(() => handler.texts(0).at(-1) === 'record 19');
    assert.deepEqual(handler.revocations, []);
    const lost = handler.changes.flatMap(({ losses }) => losses);
    const gone = lost.reduce((sum, { from, to }) => sum + to - from, 0);
    assert.equal(new Set(handler.texts(0)).size + gone, 20, JSON.stringify(lost));
    assert(lost.every(({ reason, isExact }) => reason === 'retention' && isExact));
    await consumer.commit(handler.assignment, new Map([[0, 20]]));
  });

  it('begins at the start of a topic that was made anew under its consumer', async (t) => {
    const config = await topics(t, brokers);
    const topic = config['kafka.topic'];
    await using queue = open(config);
    await queue.opened();
    const handler = new RecordingHandler();
    await using consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await queue.append(0, numbered(5).map(record));
    await handler.until(() => handler.texts(0).length === 5);
    await consumer.commit(handler.assignment, new Map([[0, 5]]));
    const { topicId } = await admin(config, (client) => readTopicShape(client, topic));
    await admin(config, (client) => client.deleteTopics({ topics: [topic] }));
    await setAnew(config, topicId);
    // More than there were, so that the old position is one of the new log too.
    const fresh = Array.from({ length: 9 }, (_, i) => `new ${i}`);
    await appended(queue, 0, fresh);
    const lastTexts = (): string[] =>
      handler.batches
        .filter(({ assignment, partition }) => assignment === handler.assignment && partition === 0)
        .flatMap(({ records }) => records.map(({ value }) => Buffer.from(value).toString()));
    // The changes are told before the assignment that begins anew.
    await handler.until(() => handler.changes.length === 3 && fresh.every((text) => lastTexts().includes(text)));
    assert.deepEqual(new Set(lastTexts()), new Set(fresh));
    assert.deepEqual(
      handler.changes
        .toSorted((a, b) => a.partition - b.partition)
        .map(({ partition, reason, next, losses }) => [partition, reason, next, losses]),
      [0, 1, 2].map((partition) => [partition, 'topic_recreated', 0, []]),
    );
    await consumer.commit(handler.assignment, new Map([[0, 9]]));
    assert.deepEqual(await committed(config, [0]), [9]);
  });

  it('finds what a topic takes when its limit was lowered, at the first refusal', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    const before = queue.appendBytesMax;
    await alter(config, { 'max.message.bytes': '10000' });
    const refusal = (async () => {
      for (;;) await queue.append(0, [record('x'.repeat(20_000))]);
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    assert(before > 1_000_000);
    assert.equal(queue.appendBytesMax, 10_000 - 61);
    await queue.append(0, [record('x'.repeat(9000))]);
  });

  it('loses nothing and takes no late commit when a second consumer joins and the first leaves', async (t) => {
    const config = await topics(t, brokers);
    const group = config['kafka.group'];
    await using queue = open(config);
    await queue.opened();
    for (const partition of [0, 1, 2]) await queue.append(partition, numbered(PER_PARTITION).map(record));

    const one = new RecordingHandler();
    const first = await queue.consume(one, { group, fetchBytesMax: 65_536 });
    await one.until(() => [0, 1, 2].every((partition) => one.texts(partition).length === PER_PARTITION));
    // Commits 1 under its first assignment for as long as it is let, all through the rebalance and after it.
    const old = one.assignment;
    const late = commitWithoutEnd(() => first.commit(old, new Map([0, 1, 2].map((partition) => [partition, 1]))));

    const two = new RecordingHandler();
    await using second = await queue.consume(two, { group, fetchBytesMax: 65_536 });
    await two.until(() => two.partitions.length > 0);
    await one.until(() => one.revocations.includes(old) && one.assignment > old);
    const moved = two.partitions;
    const kept = [0, 1, 2].filter((partition) => !moved.includes(partition));
    await two.until(() => moved.every((partition) => two.texts(partition).length >= PER_PARTITION - 1));
    await second.commit(two.assignment, new Map(moved.map((partition) => [partition, 20])));
    await one.until(() => one.batches.some(({ assignment }) => assignment === one.assignment));
    const outcomes = await late.stop();
    assert(outcomes.taken > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
    assert.deepEqual(outcomes.others, []);
    assert.deepEqual(
      await committed(config, moved),
      moved.map(() => 20),
    );
    assert.deepEqual(
      await committed(config, kept),
      kept.map(() => 1),
    );

    await first[Symbol.asyncDispose]();
    await two.until(() => two.partitions.length === 3);
    const last = two.assignment;
    const begun = new Map(two.assignments.at(-1)?.starts.map(({ partition, next }) => [partition, next]));
    assert.deepEqual(begun, new Map([0, 1, 2].map((partition) => [partition, moved.includes(partition) ? 20 : 1])));
    for (const partition of [0, 1, 2]) {
      const next = begun.get(partition) ?? 0;
      const wanted = numbered(PER_PARTITION).slice(next);
      const got = (): string[] =>
        two.batches
          .filter((batch) => batch.assignment === last && batch.partition === partition)
          .flatMap(({ records }) => records.map(({ value }) => Buffer.from(value).toString()));
      await two.until(() => got().length >= wanted.length);
      assert.deepEqual(got(), wanted);
    }
  });
});

/** Commits again and again, a turn of the event loop apart, and counts what became of it. */
function commitWithoutEnd(commit: () => Promise<void>) {
  const outcomes = { taken: 0, refused: 0, others: [] as string[] };
  const stopping = new AbortController();
  const one = async (): Promise<void> => {
    try {
      await commit();
      outcomes.taken++;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'assignment_lost') outcomes.refused++;
      else outcomes.others.push(String(error));
    }
  };
  const run = async (): Promise<void> => {
    // A new one begins whether or not those before have ended, so that some are on their way at any moment.
    const running: Promise<void>[] = [];
    for (let i = 0; !stopping.signal.aborted; i++) {
      running.push(one());
      if (i % 20 === 0) await Promise.all(running.splice(0));
      else await new Promise(setImmediate);
    }
    await Promise.all(running);
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      return outcomes;
    },
  };
}

async function topics(t: TestContext, addresses: readonly string[]): Promise<Config> {
  const config = kafkaConfig(addresses);
  await setupTopics(config);
  t.after(() => removeTopics(config));
  return config;
}

function open(config: Config): KafkaQueue {
  return openKafkaQueue(config, { clock: systemClock, observer: silentQueueObserver, debug: () => undefined });
}

async function admin<T>(config: Config, work: (client: Admin) => Promise<T>): Promise<T> {
  const client = createClient(config, { debug: () => undefined }).admin();
  await client.connect();
  return await work(client).finally(() => client.disconnect());
}

async function alter(
  config: Config,
  settings: Readonly<Record<string, string>>,
  topic = config['kafka.topic'],
): Promise<void> {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const resources = [{ type: TOPIC_RESOURCE, name: topic, configEntries }];
  await admin(config, (client) => client.alterConfigs({ validateOnly: false, resources }));
}

async function committed(config: Config, partitions: readonly number[]): Promise<(number | null | undefined)[]> {
  const offsets = await admin(config, (client) =>
    readPartitionOffsets(client, config['kafka.group'], config['kafka.topic']),
  );
  return partitions.map((partition) => offsets.find((one) => one.partition === partition)?.committed);
}

/** Makes the topics that are missing, until the topic has another id: brokers take their time to forget the old one. */
async function setAnew(config: Config, oldId: string | null): Promise<void> {
  // A setup may have made the topic and failed after that; then the next one completes it.
  const facts = () =>
    setupTopics(config).then(() => admin(config, (client) => readTopicShape(client, config['kafka.topic'])));
  while ([oldId, null].includes((await facts().catch(() => null))?.topicId ?? null)) continue;
}

/** Appends, each once, as soon as the queue takes them. */
async function appended(queue: KafkaQueue, partition: number, all: readonly string[]): Promise<void> {
  for (const text of all) await queue.append(partition, [record(text)]);
}

async function texts(queue: KafkaQueue): Promise<string[]> {
  const records = await Array.fromAsync(queue.read({ topic: 'logs' }));
  return records.map(({ value }) => Buffer.from(value).toString());
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

function record(text: string): QueueRecord {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) };
}
