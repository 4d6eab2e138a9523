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
  const deadLetters = async () => ({
    held: await service.metric('dead_letters_bytes'),
    refused: await service.metric('dead_letters_refused_total'),
    limit: await service.metric('dead_letters_limit_bytes'),
  });
  // Dead letters are appended by the batch, and one that does not fit is refused whole: a busy machine makes large
  // batches. So it is sent until small ones have filled the rest. The kernel may drop any number of them.
  let share = await deadLetters();
  while (share.refused === 0 || share.held <= 0.24 * share.limit) {
    const burst = share.refused === 0 ? 2000 : 20;
    for (let sent = 0; sent < burst; sent += 20) {
      for (let i = 0; i < 20; i++) socket.send(garbage(), gelf, '127.0.0.1');
      await turn();
    }
    share = await deadLetters();
  }
  socket.close();
  assert.deepEqual(await service.readiness(), { ready: true, reasons: '' });
  const { held, limit } = await deadLetters();
  assert(held > 0.24 * limit && held <= 0.25 * limit, `${held} of ${limit}`);
  await using client = new ForwardClient(place.forward);
  for (let i = 0; i < 10; i++)
    await client.send('app.good', [{ timeNs: 1n, record: { message: `good ${i}` } }], 'packed');
  await untilStored(inEmbeddedStore(place), 'app.good', 10);
  assert.equal(await service.metric('ledger_imbalance'), 0);
});
