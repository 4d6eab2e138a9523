// A producer that knows nothing of Sluice: kafkajs as it is, in a process of its own, for ours is patched. Writes
// numbered messages, round robin over the partitions of a topic; every other batch in gzip.
//
//   node foreign-producer.ts <brokers> <topic> <partitions> <first> <end> <time of message 0, ms>

import kafkajs from 'kafkajs';

const AT_ONCE = 500;
const [brokers = '', topic = '', ...numbers] = process.argv.slice(2);
const [partitions = 1, first = 0, end = 0, timeMs = 0] = numbers.map(Number);

const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  allowAutoTopicCreation: false,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await producer.connect();
for (let at = first; at < end; at += AT_ONCE) {
  const messages = Array.from({ length: Math.min(AT_ONCE, end - at) }, (_, i) => ({
    partition: (at + i) % partitions,
    timestamp: String(timeMs + at + i),
    key: `key ${at + i}`,
    headers: { host: 'node-1' },
    value: JSON.stringify({ message: `message ${at + i}`, n: at + i, ts: timeMs + at + i }),
  }));
  const { GZIP, None } = kafkajs.CompressionTypes;
  await producer.send({ topic, messages, compression: at % (2 * AT_ONCE) === 0 ? GZIP : None });
}
await producer.disconnect();
