// Topics of others beside Sluice's own: one pipeline, partitions of the same numbers, a topic that comes later, a drain
// job, dead letters, poison, and the call of a function.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { type Indexer, startIndexer } from '#indexer/shells/main.ts';
import { Replay } from '#indexer/shells/replay.ts';
import { recordsOf, answerOf } from '#lambda/kafka-event.ts';
import { ConfiguredSources } from '#lambda/configured-sources.ts';
import { SluiceError } from '#shared/errors.ts';
import { ForeignHeaders } from '#shared/queue/foreign-headers.ts';
import type { ConsumeOptions, ConsumerHandler, Queue } from '#shared/queue/queue.ts';
import { MemoryQueue } from '#test/memory/queue.ts';
import { World } from '../world.ts';

const SOURCES = [
  { topic: 'others', format: 'text' },
  { pattern: 'later.*', format: 'json' },
  { topic: 'never', format: 'text' },
];

/** Sluice's own queue, and topics of others, each with groups of its own. */
class Topics {
  readonly world = new World({
    partitions: 2,
    env: { SLUICE_KAFKA_BROKERS: 'localhost:9092', SLUICE_KAFKA_SOURCES: JSON.stringify(SOURCES) },
  });
  readonly foreign = new Map<string, MemoryQueue>();
  readonly groups: string[] = [];
  /** Topics that may be seen and not read. */
  readonly refused = new Set<string>();
  /** Topics that may not even be seen. */
  readonly hidden = new Set<string>();
  /** Why it is not known which topics there are. */
  unknown: Error | null = null;

  add(topic: string, partitions = 2): MemoryQueue {
    const queue = new MemoryQueue(partitions, { epochMs: () => this.world.clock.epochMs() });
    this.foreign.set(topic, queue);
    return queue;
  }

  /** Numbered messages, as those of World. */
  send(topic: string, partition: number, count: number, text = (n: number) => `event ${n} `): void {
    for (let i = 0; i < count; i++) this.foreign.get(topic)?.add(partition, {}, Buffer.from(text(this.world.sent++)));
  }

  get options() {
    const { world, foreign, groups } = this;
    const own = world.queue;
    const consume = (handler: ConsumerHandler, options: ConsumeOptions) => {
      groups.push(options.group);
      const { topic = 'sluice.logs' } = options;
      if (this.refused.has(topic) || this.hidden.has(topic))
        throw new SluiceError('queue_unauthorized', 'not authorized');
      const queue = options.topic === undefined ? own : foreign.get(topic);
      if (!queue) throw new SluiceError('topic_missing', `no ${topic}`);
      return queue.consume(handler, options);
    };
    const topics = async (named: readonly string[] = []): Promise<string[]> => {
      if (this.unknown) throw this.unknown;
      const seen = [...foreign.keys()].filter((topic) => !this.hidden.has(topic));
      return ['sluice.logs', '__consumer_offsets', ...seen, ...named.filter((topic) => this.hidden.has(topic))];
    };
    const queue = new Proxy<Queue>(own, {
      get: (target, name) => {
        if (name === 'consume') return consume;
        if (name === 'topics') return topics;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { ...world.options, queue };
  }

  get isCommitted(): boolean {
    const queues = [this.world.queue, ...this.foreign.values()];
    return queues.every((queue) => queue.logs.every((_, i) => (queue.committed.get(i) ?? 0) === queue.end(i)));
  }

  async drained(): Promise<void> {
    await this.world.clock.when(() => this.isCommitted, 3_600_000);
  }
}

const stop = (topics: Topics, indexer: Indexer): Promise<void> => topics.world.clock.until(indexer.stop());

test('partitions of the same numbers are told apart, and a topic that comes later is read too', async () => {
  const topics = new Topics();
  const { world } = topics;
  topics.add('others');
  for (let i = 0; i < 10; i++) {
    await world.send(i % 2, [3]);
    topics.send('others', i % 2, 5);
  }
  topics.unknown = new Error('no broker');
  const indexer = await startIndexer(topics.options);
  await world.clock.settle();
  topics.unknown = null;
  await topics.drained();
  const later = topics.add('later-1');
  topics.send('later-1', 1, 7, (n) => `{"message":"event ${n} "}`);
  await topics.drained();
  assert.equal(later.committed.get(1), 7);
  world.check([indexer]);
  assert.equal(indexer.unreadyReason, null, 'a topic that is not there holds up nothing');
  const groups = new Set(topics.groups);
  assert.deepEqual(
    [...groups].toSorted(),
    ['sluice-indexer', 'sluice-indexer.later-1', 'sluice-indexer.others'].toSorted(),
  );
  assert(world.logged.includes('topics_unknown'));
  assert.equal(world.logged.filter((event) => event === 'source_missing').length, 1);
  await stop(topics, indexer);
});

test('a topic of others that cannot be read makes no indexer unready, and a drain job says why it ends', async () => {
  const topics = new Topics();
  const { world } = topics;
  topics.add('others');
  topics.refused.add('others');
  await world.send(1, [5]);
  topics.unknown = new Error('no broker');
  const indexer = await startIndexer(topics.options);
  await world.drained();
  assert.equal(indexer.unreadyReason, null, 'nor does it where it is not known which topics there are');
  topics.unknown = null;
  await world.clock.when(() => world.logged.includes('consumer_failed'), 60_000);
  assert.equal(indexer.unreadyReason, null);
  await stop(topics, indexer);
  const signal = new AbortController().signal;
  const { drained, left } = await world.clock.until(drainIndexer({ ...topics.options, signal, maxSeconds: 30 }));
  assert.equal(drained, false);
  assert.match(left ?? '', /topic others: the queue is not read: not authorized/);
});

for (const [what, topic, said] of [
  ['that it may see', 'others', /topic others: the queue is not read: not authorized/],
  ['that it may not even see', 'hidden', /topic others: the queue is not read: not authorized/],
  ['of Sluice', 'sluice.logs', /^Cannot drain the partitions: the queue is not read: not authorized/],
] as const) {
  test(`a drain job drains the others, ends and says so where it may not read a topic ${what}`, async () => {
    const topics = new Topics();
    const { world } = topics;
    topics.add('others');
    topics.add('later-1');
    if (topic === 'hidden') topics.hidden.add('others');
    else topics.refused.add(topic);
    topics.send('others', 0, 3);
    const readable = topic === 'sluice.logs' ? 'others' : 'later-1';
    topics.send(readable, 1, 30, (n) => `{"message":"event ${n} "}`);
    const { signal } = new AbortController();
    const outcome = await world.clock.until(drainIndexer({ ...topics.options, signal }));
    assert.equal(outcome.drained, false);
    assert.match(outcome.left ?? '', said);
    assert.equal(topics.foreign.get(readable)?.committed.get(1), 30);
    assert.equal(outcome.counts['indexed'], topic === 'sluice.logs' ? 33 : 30);
    topics.refused.clear();
    topics.hidden.clear();
    const again = await world.clock.until(drainIndexer({ ...topics.options, signal }));
    assert.deepEqual([again.drained, topics.isCommitted], [true, true], 'the rights were given');
  });
}

test('a rebalance of one topic, and a read from the beginning, add no second copy', async () => {
  const topics = new Topics();
  const { world } = topics;
  const others = topics.add('others');
  const indexers = [await startIndexer(topics.options), await startIndexer(topics.options)];
  for (let i = 0; i < 20; i++) {
    topics.send('others', i % 2, 10);
    await world.send(i % 2, [2]);
    others.rebalance(i);
    await world.clock.settle();
  }
  await topics.drained();
  others.committed.clear();
  others.rebalance();
  await topics.drained();
  world.check(indexers);
  for (const indexer of indexers) await stop(topics, indexer);
});

test('a drain job reads what is there of all topics, and leaves out what is not', async () => {
  const topics = new Topics();
  const { world } = topics;
  topics.add('others');
  topics.send('others', 0, 40);
  await world.send(1, [5]);
  const signal = new AbortController().signal;
  const outcome = await world.clock.until(drainIndexer({ ...topics.options, signal }));
  assert.deepEqual([outcome.drained, outcome.counts['indexed']], [true, 45]);
  assert(topics.isCommitted);
});

test('a batch that could not be unpacked is a dead letter with its topic and place', async () => {
  const topics = new Topics();
  const { world } = topics;
  topics.add('others');
  topics.send('others', 1, 3);
  const indexer = await startIndexer(topics.options);
  const headers = new ForeignHeaders();
  headers.unreadable();
  topics.foreign.get('others')?.add(0, headers.encoded, Buffer.alloc(0));
  await topics.drained();
  const broken = world.queue.letters.find(({ reason }) => reason === 'record_malformed');
  assert.equal(broken?.from, 'others/0/0');
  world.check([indexer]);
  await stop(topics, indexer);
});

const POISON = {
  unhealthyReason: null,
  open: async () => ({ kind: 'poison', harm: 'died', what: 'it died', events: 1 }) as const,
  [Symbol.asyncDispose]: async () => undefined,
};

test('a message that ends whoever opens it is a dead letter, whose replay is its text', async () => {
  const topics = new Topics();
  const { world } = topics;
  const others = topics.add('others', 1);
  others.hooks = { ...others.hooks, countsTries: true };
  topics.send('others', 0, 1);
  others.tries.set(0, { next: 0, count: 5 });
  const indexer = await startIndexer({ ...topics.options, opener: POISON });
  await topics.drained();
  const [letter] = world.queue.letters;
  assert.deepEqual([letter?.reason, letter?.from], ['record_poisonous', 'others/0/0']);
  assert.equal(world.store.documents.size, 0);
  await stop(topics, indexer);

  const well = { ...POISON, open: async () => ({ kind: 'well' }) as const };
  const options = {
    ...topics.options,
    opener: well,
    selection: {},
    again: false,
    signal: new AbortController().signal,
  };
  const replay = new Replay(options);
  await world.clock.until(replay.run());
  assert.equal(replay.counts.indexed, 1);
  world.check([]);
});

test('a function reads records of both, and answers for each partition by its topic', async () => {
  const topics = new Topics();
  const { world } = topics;
  await using indexer = new InvocationIndexer({ ...topics.options, queue: world.queue });
  const sources = new ConfiguredSources(world.config, indexer.slots);
  const record = (topic: string, offset: number, value: string | null) => {
    const base64 = value === null ? null : Buffer.from(value).toString('base64');
    return { topic, partition: 1, offset, timestamp: world.clock.epochMs(), value: base64, key: 'aw==' };
  };
  const event = {
    records: {
      'others-1': [record('others', 5, 'event 0 '), record('others', 6, null)],
      'later-1': [record('later', 5, '{"message":"event 1 "}')],
      'sluice.logs-1': [record('sluice.logs', 5, 'no record')],
    },
  };
  const { watermarks, counts } = await world.clock.until(
    indexer.index(recordsOf(event, sources), { timeLimitMs: 60_000, passOnTails: true }),
  );
  assert.deepEqual([counts.indexed, counts.dead_lettered], [3, 1]);
  assert.equal(world.queue.letters[0]?.from, 'sluice.logs/1/5');
  assert.deepEqual(answerOf(event, watermarks, sources), { batchItemFailures: [] });
  const others = sources.numberOf({ topic: 'others', partition: 1 });
  const stuck = answerOf(event, new Map([...watermarks, [others, 6]]), sources);
  assert.deepEqual(stuck.batchItemFailures, [{ itemIdentifier: { partition: 'others-1', offset: 6 } }]);
});

test('a function with rules refuses a topic that has none, and without rules reads any as its own', () => {
  const { world } = new Topics();
  const slots = { numberOf: () => 0 } as unknown as ConstructorParameters<typeof ConfiguredSources>[1];
  const ruled = new ConfiguredSources(world.config, slots);
  const place = (topic: string) => ({ topic, partition: 0 });
  const event = (topic: string) => ({
    records: { [`${topic}-0`]: [{ ...place(topic), offset: 0, timestamp: 0, value: 'e30=' }] },
  });
  for (const topic of ['other', 'sluice.dead-letters', '_later']) {
    // Again too: a refusal is not kept as an answer.
    for (let i = 0; i < 2; i++)
      assert.throws(
        () => recordsOf(event(topic), ruled),
        (error) => error instanceof SluiceError && error.code === 'config_invalid' && error.message.includes(topic),
      );
  }
  assert.equal(ruled.sourceOf(place('sluice.logs')), null);
  assert.equal(ruled.sourceOf(place('others'))?.rule, world.config['kafka.sources']?.[0]);
  const { 'kafka.sources': _none, ...config } = world.config;
  assert.equal(new ConfiguredSources(config as typeof world.config, slots).sourceOf(place('other')), null);
});
