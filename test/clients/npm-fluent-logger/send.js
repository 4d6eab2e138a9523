// PORT TAG COUNT ACK: sends numbered events by the npm package fluent-logger. It wants acks in order, each in a write
// of its own.

import logger from 'fluent-logger';

const [port, tag, count, ack] = process.argv.slice(2);
const sender = logger.createFluentSender(tag, {
  host: '127.0.0.1',
  port: Number(port),
  timeout: 30,
  requireAckResponse: ack === 'ack',
  ackResponseTimeout: 30_000,
});
sender.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
const sent = [];
for (let n = 0; n < Number(count); n++) {
  sent.push(
    new Promise((resolve, reject) => {
      sender.emit({ n, message: `event ${n}` }, (error) => (error ? reject(error) : resolve()));
    }),
  );
}
await Promise.all(sent);
sender.end(null, null, () => process.exit(0));
