// A batch in a real Kafka whose producer chose the offset of its record: what is appended behind it is handed over
// nevertheless.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { crc32c } from '#shared/queue/kafka/wire/crc32c.ts';
import { openKafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { encodeProduceRequest } from '#shared/queue/kafka/wire/produce-request.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from './queue-places.ts';
import { RecordingHandler } from './recording-handler.ts';

const found = await kafka();
const brokers = found?.brokers ?? [];
const VALUE = Buffer.from('foreign');
const RECORDS_AT = 61;
const CRC_END = 21;
const DELTA = 50;

/** A request for one batch of one record, whose offset is so much behind that of its batch. */
function produceRequest(topic: string, delta: number): Buffer {
  const partitions = [{ partition: 0, messages: [{ value: VALUE, headers: {} }] }];
  const body = encodeProduceRequest({ acks: -1, timeout: 5000, topicData: [{ topic, partitions }] }, Date.now());
  // Length, attributes, time, delta, no key, the value with its length, no headers: a byte each, but for the value.
  const batch = body.subarray(body.length - RECORDS_AT - 7 - VALUE.length);
  batch[RECORDS_AT + 3] = 2 * delta;
  batch.writeUInt32BE(crc32c(batch, CRC_END, batch.length), CRC_END - 4);
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 42, 0, 1, 0x74]);
  header.writeInt32BE(header.length - 4 + body.length);
  return Buffer.concat([header, body]);
}

/** Resolves to the error code of the answer, and the offset that the batch has. */
async function produce(topic: string, delta: number): Promise<[number, number]> {
  const [host = '', port = ''] = (brokers[0] ?? '').split(':');
  const socket = connect(Number(port), host);
  socket.write(produceRequest(topic, delta));
  let answer = Buffer.alloc(0);
  while (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) {
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    answer = Buffer.concat([answer, bytes]);
  }
  socket.destroy();
  const at = 8 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4;
  return [answer.readInt16BE(at), Number(answer.readBigInt64BE(at + 2))];
}

describe('a foreign batch', { skip: found === null ? 'no Kafka to be had' : false }, () => {
  it('whose record claims an offset far behind its own hides nothing', async (t) => {
    const config = kafkaConfig(brokers, { SLUICE_KAFKA_PARTITIONS: '1' });
    await setupTopics(config);
    t.after(() => removeTopics(config));
    const options = { clock: systemClock, observer: silentQueueObserver, debug: () => undefined };
    await using queue = openKafkaQueue(config, options);
    await queue.opened();
    const append = async (text: string): Promise<void> => {
      await queue.append(0, [{ encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) }]);
    };
    await append('before');
    assert.deepEqual(await produce(config['kafka.topic'], DELTA), [0, 1], 'the broker takes it');
    for (let i = 2; i <= DELTA; i++) await append(`behind ${i}`);

    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    await handler.until(() => handler.records.length > DELTA);
    const expected = ['before', '', ...Array.from({ length: DELTA - 1 }, (_, i) => `behind ${i + 2}`)];
    assert.deepEqual(handler.texts(), expected);
    assert.deepEqual(
      handler.records.map(({ offset }) => offset),
      Array.from({ length: DELTA + 1 }, (_, i) => i),
    );
    const read = await Array.fromAsync(queue.read({ topic: 'logs' }));
    assert.deepEqual(
      read.map(({ value }) => Buffer.from(value).toString()),
      expected,
    );
  });

  it('of a transaction holds nobody up while it is open, and its markers are not told as lost', async (t) => {
    const config = kafkaConfig(brokers, { SLUICE_KAFKA_PARTITIONS: '1' });
    await setupTopics(config);
    t.after(() => removeTopics(config));
    const told: string[] = [];
    const recordsSkipped = (_partition: number, from: number, to: number) => void told.push(`${from} to ${to}`);
    const observer = { ...silentQueueObserver, recordsSkipped };
    await using queue = openKafkaQueue(config, { clock: systemClock, observer, debug: () => undefined });
    await queue.opened();
    const topic = config['kafka.topic'];
    const producer = createClient(config, { debug: () => undefined }).producer({
      transactionalId: config['kafka.group'],
      maxInFlightRequests: 1,
      idempotent: true,
    });
    const admin = createClient(config, { debug: () => undefined }).admin();
    await Promise.all([producer.connect(), admin.connect()]);
    t.after(() => Promise.all([producer.disconnect(), admin.disconnect()]));
    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 65_536 });
    const append = async (text: string): Promise<void> => {
      await queue.append(0, [{ encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) }]);
    };
    for (const [open, end] of [
      ['first', 'abort'],
      ['second', 'commit'],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ partition: 0, value: open }] });
      await append(`behind ${open}`);
      await handler.until(() => handler.texts().at(-1) === `behind ${open}`);
      const [end0] = await admin.fetchTopicOffsets(topic);
      assert.equal(Number(end0?.high), Number(handler.records.at(-1)?.offset) + 1, 'the log ends behind it');
      await transaction[end]();
      await append(`behind ${end}`);
      await handler.until(() => handler.texts().at(-1) === `behind ${end}`);
    }
    const expected = ['first', 'behind first', 'behind abort', 'second', 'behind second', 'behind commit'];
    assert.deepEqual(handler.texts(), expected);
    assert.deepEqual(told, []);
  });
});
