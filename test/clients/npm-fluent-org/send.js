// PORT TAG COUNT ACK: sends numbered events by the npm package @fluent-org/logger, a quarter of them in each of its
// modes.

import { readFileSync } from 'node:fs';
import { FluentClient } from '@fluent-org/logger';

const [port, tag, count, ack] = process.argv.slice(2);
const { SENDER_CA, SENDER_SHARED_KEY, SENDER_USER, SENDER_PASSWORD } = process.env;
const modes = ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'];
const size = Math.ceil(Number(count) / modes.length);

for (const [index, eventMode] of modes.entries()) {
  const client = new FluentClient(tag, {
    socket: {
      host: '127.0.0.1',
      port: Number(port),
      timeout: 30_000,
      ...(SENDER_CA && { tls: { ca: readFileSync(SENDER_CA) } }),
    },
    ...(SENDER_SHARED_KEY && {
      security: {
        clientHostname: 'node-1',
        sharedKey: SENDER_SHARED_KEY,
        username: SENDER_USER,
        password: SENDER_PASSWORD,
      },
    }),
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
