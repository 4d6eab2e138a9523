// The producer over a client that is not connected yet, or not any more: with a client of kafkajs that is not one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { SluiceError } from '#shared/errors.ts';
import type { Kafka } from '#shared/queue/kafka/kafkajs/client.ts';
import { KafkaProducer } from '#shared/queue/kafka/kafka-producer.ts';
import { VirtualClock } from '#test/memory/clock.ts';

/** As kafkajs has it: what comes before the connection is refused, with an error that is not among those that pass. */
class Client {
  sent = 0;
  #isConnected = false;
  readonly #connecting: () => Promise<void>;
  readonly #isBroken: boolean;

  constructor(connecting: () => Promise<void>, isBroken: boolean) {
    this.#connecting = connecting;
    this.#isBroken = isBroken;
  }

  async connect(): Promise<void> {
    await this.#connecting();
    this.#isConnected = true;
  }

  disconnect(): Promise<void> {
    this.#isConnected = false;
    return Promise.resolve();
  }

  sendBatch(): Promise<void> {
    if (!this.#isConnected) return Promise.reject(new Error('The producer is disconnected'));
    this.sent++;
    if (this.#isBroken) return Promise.reject(new TypeError('a fault inside of kafkajs'));
    return Promise.resolve();
  }
}

test('an append waits for the connection, at the start and after a fault inside of kafkajs', async () => {
  const clock = new VirtualClock();
  const clients: Client[] = [];
  let refusals = 2;
  const connecting = async (): Promise<void> => {
    await clock.sleep(100);
    if (refusals-- > 0) throw Object.assign(new Error('refused'), { name: 'KafkaJSConnectionError' });
  };
  const kafka = {
    producer() {
      const client = new Client(connecting, clients.length === 0);
      clients.push(client);
      return client;
    },
  };
  const producer = new KafkaProducer(kafka as unknown as Kafka, {
    clock,
    produceTimeoutMs: 30_000,
    ackTimeoutMs: 1000,
    outcome: () => undefined,
  });
  const record = { headers: {}, value: new Uint8Array(1) };
  const first = producer.append('logs', 0, [record], 1);
  const second = producer.append('logs', 1, [record], 1);
  await clock.until(Promise.all([first, second]));
  assert.equal(clients.length, 2, 'the broken client was replaced');
  assert.deepEqual(
    clients.map(({ sent }) => sent),
    [1, 1],
  );
  await clock.until(producer[Symbol.asyncDispose]());
});

/** What is told of an append that fails so: the reason, or null where the brokers have answered. */
async function toldOf(refusal: Error): Promise<(string | null)[]> {
  const told: (string | null)[] = [];
  const refuses = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    sendBatch: () => Promise.reject(refusal),
  };
  const producer = new KafkaProducer({ producer: () => refuses } as unknown as Kafka, {
    clock: new VirtualClock(),
    produceTimeoutMs: 30_000,
    ackTimeoutMs: 1000,
    outcome: (failure) => told.push(failure?.reason ?? null),
  });
  const append = producer.append('logs', 0, [{ headers: {}, value: new Uint8Array(1) }], 1);
  await assert.rejects(append, { code: 'queue_unauthorized' });
  await producer[Symbol.asyncDispose]();
  return told;
}

test('all appends of a request hear that nobody can log in', async () => {
  const clock = new VirtualClock();
  const refusal = new SluiceError('queue_unauthorized', 'Cannot get a token');
  const client = { connect: () => Promise.reject(refusal), disconnect: () => Promise.resolve() };
  const producer = new KafkaProducer({ producer: () => client } as unknown as Kafka, {
    clock,
    produceTimeoutMs: 30_000,
    ackTimeoutMs: 1000,
    outcome: () => undefined,
  });
  const record = { headers: {}, value: new Uint8Array(1) };
  const appends = [0, 1].map((partition) => producer.append('logs', partition, [record], 1));
  for (const append of appends) await assert.rejects(append, { code: 'queue_unauthorized' });
  await producer[Symbol.asyncDispose]();
});

test('who cannot log in has reached no broker, and who lacks a right has', async () => {
  const noToken = new SluiceError('queue_unauthorized', 'Cannot get a token');
  assert.deepEqual(await toldOf(noToken), ['Cannot get a token']);
  const [SASL_AUTHENTICATION_FAILED, TOPIC_AUTHORIZATION_FAILED] = [58, 29];
  assert.notDeepEqual(await toldOf(createErrorFromCode(SASL_AUTHENTICATION_FAILED)), [null]);
  assert.deepEqual(await toldOf(createErrorFromCode(TOPIC_AUTHORIZATION_FAILED)), [null]);
});

test('a partition that takes nothing delays no other, and has none of them written again and again', async () => {
  const clock = new VirtualClock();
  const written = [0, 0, 0, 0];
  const NOT_ENOUGH_REPLICAS = 19;
  const client = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    // As kafkajs does: one fault speaks for the whole request, the other partitions of which are written.
    sendBatch: async ({
      topicMessages,
    }: {
      topicMessages: readonly { messages: readonly { partition: number }[] }[];
    }) => {
      const partitions = topicMessages.flatMap(({ messages }) => messages.map(({ partition }) => partition));
      for (const partition of partitions) if (partition !== 3) written[partition] = (written[partition] ?? 0) + 1;
      if (partitions.includes(3)) throw createErrorFromCode(NOT_ENOUGH_REPLICAS);
    },
  };
  const producer = new KafkaProducer({ producer: () => client } as unknown as Kafka, {
    clock,
    produceTimeoutMs: 30_000,
    ackTimeoutMs: 1000,
    outcome: () => undefined,
  });
  const record = { headers: {}, value: new Uint8Array(1) };
  const [stuck, ...others] = [3, 0, 1, 2].map((partition) => producer.append('logs', partition, [record], 1));
  const refused = assert.rejects(stuck ?? Promise.resolve(), { code: 'queue_unavailable' });
  await clock.until(Promise.all(others));
  assert(clock.monotonicMs() < 1000, `${clock.monotonicMs()} ms`);
  await clock.until(refused);
  assert.deepEqual(written, [2, 2, 2, 0]);
  await producer[Symbol.asyncDispose]();
});
