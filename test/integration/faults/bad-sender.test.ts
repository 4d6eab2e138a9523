// One sender whose every message goes to the dead letters: its share of them fills up, and nobody else notices.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { inEmbeddedStore, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

test('datagrams that are no messages fill their share, and a good sender is still acked', async () => {
  await using place = await newPlace();
  const gelf = await freePort();
  await using service = new SluiceProcess(['run'], place, {
    SLUICE_GELF_LISTEN: `127.0.0.1:${gelf}`,
    SLUICE_QUEUE_MAX_BYTES: String(16 * 1024 * 1024),
    SLUICE_LOG_LEVEL: 'error',
  });
  await service.ready();
  const socket = createSocket('udp4');
  // Not to be compressed, nor together.
  const garbage = () => Buffer.concat([Buffer.from('xx'), randomBytes(3998)]);
  // Five times what the queue would hold.
  for (let sent = 0; sent < 20_000; sent += 20) {
    for (let i = 0; i < 20; i++) socket.send(garbage(), gelf, '127.0.0.1');
    await turn();
  }
  await service.until(async () => (await service.metric('dead_letters_refused_total')) > 0);
  socket.close();
  assert.deepEqual(await service.readiness(), { ready: true, reasons: '' });
  const [held, limit] = [await service.metric('dead_letters_bytes'), await service.metric('dead_letters_limit_bytes')];
  assert(held > 0.24 * limit && held <= 0.25 * limit, `${held} of ${limit}`);
  await using client = new ForwardClient(place.forward);
  for (let i = 0; i < 10; i++)
    await client.send('app.good', [{ timeNs: 1n, record: { message: `good ${i}` } }], 'packed');
  await untilStored(inEmbeddedStore(place), 'app.good', 10);
  assert.equal(await service.metric('ledger_imbalance'), 0);
});
