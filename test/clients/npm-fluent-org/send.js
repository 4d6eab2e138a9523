// PORT TAG COUNT ACK: sends numbered events by the npm package @fluent-org/logger, a quarter of them in each of its modes.

import { FluentClient } from '@fluent-org/logger';

const [port, tag, count, ack] = process.argv.slice(2);
const modes = ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'];
const size = Math.ceil(Number(count) / modes.length);

for (const [index, eventMode] of modes.entries()) {
  const client = new FluentClient(tag, {
    socket: { host: '127.0.0.1', port: Number(port), timeout: 30_000 },
    eventMode,
    ...(ack === 'ack' && { ack: { ackTimeout: 30_000 } }),
  });
  await client.connect();
  const sent = [];
  for (let n = index * size; n < Math.min((index + 1) * size, Number(count)); n++) {
    sent.push(client.emit({ n, message: `event ${n}` }));
  }
  await client.flush();
  await Promise.all(sent);
  await client.disconnect();
}
