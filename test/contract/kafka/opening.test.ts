// A queue in Kafka that cannot be reached yet, lacks its topics, or has topics that promise less than they could.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { readTopicFacts } from '#shared/queue/kafka/broker/topic-facts.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { kafkaConfig, removeTopics } from '../queue-places.ts';
import { RecordingHandler } from '../recording-handler.ts';
import { admin, alter, brokers, open, options, record, texts, topics, until } from './real-topics.ts';

describe('queue in Kafka: opening', options, () => {
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
});
