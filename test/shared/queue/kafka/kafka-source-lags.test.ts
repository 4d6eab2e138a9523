// Topics of others that cannot be read, beside those that can: each lag that is known is told, and why another is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { SluiceError } from '#shared/errors.ts';
import type { GroupLag } from '#shared/queue/group-lag.ts';
import { KafkaSourceLags } from '#shared/queue/kafka/kafka-source-lags.ts';
import { VirtualClock } from '#test/memory/clock.ts';

/** Of brokers that know these topics, and refuse to read some of them. */
function lagsOf(topics: () => string[], refusals: Readonly<Record<string, Error>>): KafkaSourceLags {
  const config = loadConfig({
    env: {
      SLUICE_KAFKA_BROKERS: 'localhost:9092',
      SLUICE_KAFKA_SOURCES: '[{pattern: "apps-.*", format: text}]',
    },
    readFile: () => '',
  });
  return new KafkaSourceLags(config, new VirtualClock(), {
    topics: async () => topics(),
    lagOf: ({ 'kafka.topic': topic, 'kafka.group': group }) => ({
      sample: async (): Promise<GroupLag> => {
        if (refusals[topic]) throw refusals[topic];
        return { group, topic, atMs: 0, partitions: [], members: 0, retentionMs: null };
      },
      async [Symbol.asyncDispose](): Promise<void> {},
    }),
  });
}

const TOPICS = ['apps-d', 'apps-c', 'apps-b', 'apps-a', 'sluice.logs', 'unrelated'];

test('a topic that cannot be read takes no other away, and one that is gone is none', async () => {
  await using lags = lagsOf(() => TOPICS, {
    'apps-a': new SluiceError('queue_refused', 'Cannot read the lag from localhost: TOPIC_AUTHORIZATION_FAILED'),
    'apps-b': new SluiceError('topic_missing', 'gone'),
    'apps-c': new Error('odd'),
  });
  assert.equal((await lags.sample()).group, 'sluice-indexer');
  const { lags: known, failures } = await lags.others();
  assert.deepEqual(
    known.map(({ group }) => group),
    ['sluice-indexer.apps-d'],
  );
  assert.deepEqual(
    failures.map(({ topic, error }) => [topic, error.message]),
    [
      ['apps-a', 'Cannot tell the lag of topic apps-a: Cannot read the lag from localhost: TOPIC_AUTHORIZATION_FAILED'],
      ['apps-c', 'Cannot tell the lag of topic apps-c: odd'],
    ],
  );
});

test('where the topics cannot be listed, that is told, and the own lag is known', async () => {
  const unlisted = (): never => {
    throw new Error('nobody answers');
  };
  await using lags = lagsOf(unlisted, {});
  assert.equal((await lags.sample()).topic, 'sluice.logs');
  const { lags: known, failures } = await lags.others();
  assert.deepEqual(known, []);
  assert.deepEqual(
    failures.map(({ topic, error }) => [topic, error.message]),
    [[null, 'Cannot list the topics of kafka.sources: nobody answers']],
  );
});
