// Logs that lose what nobody had read, and topics that are made anew under their consumer.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTopicShape } from '#shared/queue/kafka/broker/topic-facts.ts';
import { RecordingHandler } from '../recording-handler.ts';
import {
  admin,
  appended,
  brokers,
  committed,
  numbered,
  open,
  options,
  record,
  setAnew,
  topics,
} from './real-topics.ts';

describe('queue in Kafka: logs', options, () => {
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
});
