// `sluice setup` that is killed between any two requests to a real Kafka: run again, it makes all that is missing.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Config } from '#shared/config/settings.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { numberOf, readTopicFacts } from '#shared/queue/kafka/broker/topic-facts.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from './queue-places.ts';

const found = await kafka();
const skip = found === null ? 'no Kafka to be had' : false;
const WEEK_MS = 7 * 86_400_000;

async function asAdmin<T>(config: Config, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createClient(config, { debug: () => undefined }).admin();
  await admin.connect();
  return await work(admin).finally(() => admin.disconnect());
}

/** Whether it was killed before it was done. */
async function killedAt(config: Config, request: number): Promise<boolean> {
  const env = {
    SLUICE_KAFKA_BROKERS: found?.brokers.join(),
    SLUICE_KAFKA_TOPIC: config['kafka.topic'],
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: config['kafka.dead_letter_topic'],
    SLUICE_KAFKA_GROUP: config['kafka.group'],
    SLUICE_KAFKA_PARTITIONS: String(config['kafka.partitions']),
  };
  const file = fileURLToPath(new URL('./dying-setup.ts', import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(env), String(request)], { stdio: 'inherit' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGKILL', `it ends by itself, or is killed: ${code} ${signal}`);
  return signal === 'SIGKILL';
}

test('killed before any of its requests, the next run makes what is missing', { skip }, async (t) => {
  const brokers = found?.brokers ?? [];
  let request = 1;
  for (let isKilled = true; isKilled; request++) {
    const config = kafkaConfig(brokers);
    t.after(() => removeTopics(config));
    isKilled = await killedAt(config, request);
    const lines = await setupTopics(config);
    const { 'kafka.topic': topic, 'kafka.group': group } = config;
    const offsets = await asAdmin(config, (admin) => readPartitionOffsets(admin, group, topic));
    const committed = offsets.map((one) => one.committed);
    assert.deepEqual(committed, [0, 0, 0], `killed before request ${request}, then: ${lines.join('\n')}`);
    for (const name of [topic, config['kafka.dead_letter_topic']]) {
      const facts = await asAdmin(config, (admin) => readTopicFacts(admin, name));
      assert.equal(numberOf(facts, 'retention.ms'), WEEK_MS);
    }
    if (!isKilled) assert.match(lines.at(-1) ?? '', /has offsets in all partitions/);
  }
  t.diagnostic(`${request - 2} requests`);
});

test('what was done by the time it fails is told, and that the next run does the rest', { skip }, async (t) => {
  const config = kafkaConfig(found?.brokers ?? [], { SLUICE_KAFKA_DEAD_LETTER_TOPIC: 'no good name' });
  t.after(() => removeTopics(config));
  const topic = config['kafka.topic'];
  await assert.rejects(setupTopics(config), ({ message }: Error) => {
    assert.ok(message.includes(`; done so far: topic ${topic}: made with 3 partitions, `), message);
    assert.match(message, /; run `sluice setup` again for the rest$/);
    return true;
  });
});
