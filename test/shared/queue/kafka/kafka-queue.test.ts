// The queue over brokers that fail one topic, or answer nothing any more: with a client of kafkajs that is not one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { loadConfig } from '#shared/config/load.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import type { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const never = (): Promise<never> => new Promise(() => undefined);

class Brokers {
  missing = '';
  isFrozen = false;
  readonly written: string[] = [];

  client(): ReturnType<typeof createClient> {
    const answer = <T>(value: T): Promise<T> => (this.isFrozen ? never() : Promise.resolve(value));
    const partition = { partitionId: 0, leader: 1, replicas: [1], isr: [1] };
    const admin = {
      connect: () => answer(undefined),
      disconnect: () => answer(undefined),
      fetchTopicMetadata: ({ topics: [name] }: { topics: string[] }) =>
        answer({ topics: [{ name, partitions: [partition] }] }),
      describeConfigs: () => answer({ resources: [] }),
    };
    const fake = { admin: () => admin, producer: () => this.#producer(answer) };
    return fake as unknown as ReturnType<typeof createClient>;
  }

  #producer(answer: <T>(value: T) => Promise<T>) {
    // As kafkajs: what was ever sent to is asked for with all the rest, and a missing one fails them all.
    const topics = new Set<string>();
    return {
      connect: () => answer(undefined),
      disconnect: () => answer(undefined),
      sendBatch: async ({ topicMessages }: { topicMessages: readonly { topic: string }[] }) => {
        for (const { topic } of topicMessages) topics.add(topic);
        await answer(undefined);
        if (topics.has(this.missing)) throw createErrorFromCode(UNKNOWN_TOPIC_OR_PARTITION);
        this.written.push(...topicMessages.map(({ topic }) => topic));
      },
    };
  }
}

const RECORD = { encoding: 'identity', batches: new Uint8Array(1), value: new Uint8Array(1) } as const;
const LETTER: DeadLetter = {
  batches: new Uint8Array(1),
  reason: 'test',
  error: 'a test',
  from: 'edge',
  value: new Uint8Array(1),
  cut: false,
};

async function opened() {
  const clock = new VirtualClock();
  const brokers = new Brokers();
  const config = loadConfig({ env: { SLUICE_KAFKA_BROKERS: 'none:1' }, readFile: () => '' });
  const client = (): ReturnType<typeof createClient> => brokers.client();
  const queue = openKafkaQueue(config, { clock, client, observer: silentQueueObserver, debug: () => undefined });
  await clock.until(queue.opened());
  return { clock, brokers, queue };
}

test('the topic of the dead letters is gone, and the logs go on', async () => {
  const { clock, brokers, queue } = await opened();
  await clock.until(queue.appendDeadLetters([LETTER]));
  brokers.missing = 'sluice.dead-letters';
  await assert.rejects(clock.until(queue.appendDeadLetters([LETTER])), { code: 'topic_missing' });
  assert.equal(queue.unreadyReason, null);
  await clock.until(queue.append(0, [RECORD]), 1000);
  // Neither does one that waits hold up those that come with it.
  const letter = assert.rejects(queue.appendDeadLetters([LETTER]), { code: 'topic_missing' });
  await clock.until(queue.append(0, [RECORD]), 1000);
  await clock.until(letter);
  assert.deepEqual(brokers.written, ['sluice.dead-letters', 'sluice.logs', 'sluice.logs']);
  await clock.until(queue[Symbol.asyncDispose]());
});

test('a close waits for brokers that are frozen, but not for long', async () => {
  const { clock, brokers, queue } = await opened();
  brokers.isFrozen = true;
  void queue.append(0, [RECORD]).catch(() => undefined);
  await clock.advance(60_000);
  const beganMs = clock.monotonicMs();
  await clock.until(queue[Symbol.asyncDispose](), 60_000);
  assert(clock.monotonicMs() - beganMs < 3000, `${clock.monotonicMs() - beganMs} ms`);
});
