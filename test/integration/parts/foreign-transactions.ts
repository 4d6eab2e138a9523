// A transactional producer that knows nothing of Sluice (kafkajs as it is): messages that are committed, and some of
// transactions that are aborted, in turns; at the end a tombstone and an empty message.
//
//   node foreign-transactions.ts <brokers> <topic>

import kafkajs from 'kafkajs';

const [brokers = '', topic = ''] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  transactionalId: topic,
  maxInFlightRequests: 1,
  idempotent: true,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
});
await producer.connect();
for (let i = 0; i < 6; i++) {
  const outcome = i % 2 === 0 ? 'committed' : 'aborted';
  const transaction = await producer.transaction();
  for (let k = 0; k < 3; k++)
    await transaction.send({ topic, messages: [{ partition: 0, value: `${outcome} ${i} ${k}` }] });
  await (outcome === 'committed' ? transaction.commit() : transaction.abort());
}
const last = await producer.transaction();
await last.send({
  topic,
  messages: [
    { partition: 0, key: 'gone', value: null },
    { partition: 0, value: '' },
  ],
});
await last.commit();
await producer.disconnect();
